package config

import "fmt"

// key is one row of the schema: all there is to say of one key of a map that is decoded into a T. How a key is
// read, and the words for what it wants, come with its reader (readers.go).
type key[T any] struct {
	name string
	read reader[T]
	dflt string // as one would write it; "" if there is none, or none that can be written
	need bool   // must be given
	doc  string // one line, as in examples/full.yaml
}

// reader sets something in a T from what was written.
type reader[T any] func(w *walk, into *T, v value)

// given has the values that a map really has, without defaults, for the checks that look at several keys.
type given map[string]value

func (g given) has(name string) bool { _, ok := g[name]; return ok }

// broken tells a key whose fault is known already.
func (g given) broken(name string) bool { return g.has(name) && g[name].kind == broken }

// walk goes over the tree once and gathers what is wrong.
type walk struct {
	file   string
	dir    string // relative paths start here
	faults Faults
	notes  []Note
	blanks map[any]any // a *blank[T] by its table
}

func (w *walk) pos(v value) Pos { return Pos{w.file, v.line, v.column, v.path} }

func (w *walk) fault(v value, format string, args ...any) {
	w.faults = append(w.faults, Fault{w.pos(v), fmt.Sprintf(format, args...)})
}

func (w *walk) note(v value, format string, args ...any) {
	w.notes = append(w.notes, Note{w.pos(v), fmt.Sprintf(format, args...)})
}

// expect reports a value of another kind than wanted; a broken one was reported before.
func (w *walk) expect(v value, want kind, words string) bool {
	if v.kind == want {
		return true
	}
	if v.kind != broken {
		w.fault(v, "want %s, got %s", words, v.kind)
	}
	return false
}

// fill decodes the map v by its table, over whatever into was: the keys that are there, the defaults of the others, and
// a fault for each key that is unknown or missing.
func fill[T any](w *walk, v value, table []key[T], into *T) given {
	found := given{}
	if !w.expect(v, mapping, "a map") {
		return found
	}
	b := blankOf(w, v, table)
	*into = b.value
	for _, e := range v.entries {
		at := value{&node{line: e.line, column: e.column}, childPath(v.path, e.key)}
		k := row(table, e.key)
		if k == nil {
			w.fault(at, "unknown key%s", didYouMean(e.key, names(table)))
			continue
		}
		child := value{e.value, at.path}
		before := len(w.faults)
		k.read(w, into, child)
		if len(w.faults) > before {
			known := *e.value
			known.kind, child.node = broken, &known
		}
		found[e.key] = child
	}
	for _, k := range b.rest {
		switch {
		case found.has(k.name):
		case k.need:
			w.fault(value{v.node, childPath(v.path, k.name)}, "missing: %s", k.doc)
		default:
			k.read(w, into, v.standIn(k.name, k.dflt))
		}
	}
	return found
}

// blank is what a table makes of an empty map. The maps of a thousand services share it, and what its slices hold.
type blank[T any] struct {
	value T
	rest  []key[T] // must be given, or have a default with a fault that shows only where it is used
}

func blankOf[T any](w *walk, v value, table []key[T]) *blank[T] {
	if known, ok := w.blanks[&table[0]]; ok {
		return known.(*blank[T])
	}
	b := &blank[T]{}
	for _, k := range table {
		aside := &walk{file: w.file, dir: w.dir, blanks: w.blanks}
		if k.dflt != "" {
			k.read(aside, &b.value, v.standIn(k.name, k.dflt))
		}
		if k.need || len(aside.faults) > 0 {
			b.rest = append(b.rest, k)
		}
	}
	w.blanks[&table[0]] = b
	return b
}

// standIn is a value that was not written, at the place of its map. That it counts as replaced lets it stand
// for a number or true/false.
func (v value) standIn(name, s string) value {
	n := &node{kind: text, text: s, expanded: true, line: v.line, column: v.column}
	return value{n, childPath(v.path, name)}
}

func row[T any](table []key[T], name string) *key[T] {
	for i := range table {
		if table[i].name == name {
			return &table[i]
		}
	}
	return nil
}

func names[T any](table []key[T]) []string {
	var out []string
	for _, k := range table {
		out = append(out, k.name)
	}
	return out
}
