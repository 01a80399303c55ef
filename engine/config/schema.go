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

// walk goes over the tree once and gathers what is wrong.
type walk struct {
	file   string
	dir    string // relative paths start here
	faults Faults
	notes  []Note
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

// fill decodes the map v by its table: the keys that are there, the defaults of the others, and a fault for
// each key that is unknown or missing.
func fill[T any](w *walk, v value, table []key[T], into *T) given {
	found := given{}
	if !w.expect(v, mapping, "a map") {
		return found
	}
	for _, e := range v.entries {
		at := value{&node{line: e.line, column: e.column}, childPath(v.path, e.key)}
		k := row(table, e.key)
		if k == nil {
			w.fault(at, "unknown key%s", didYouMean(e.key, names(table)))
			continue
		}
		child := value{e.value, at.path}
		found[e.key] = child
		k.read(w, into, child)
	}
	for _, k := range table {
		switch {
		case found.has(k.name):
		case k.need:
			w.fault(value{v.node, childPath(v.path, k.name)}, "missing: %s", k.doc)
		case k.dflt != "":
			k.read(w, into, v.standIn(k.name, k.dflt))
		}
	}
	return found
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
