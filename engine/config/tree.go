package config

import (
	"fmt"
	"strconv"
	"strings"
)

// Bounds of a config. A person's config is far below all of them; a mistake or an alias bomb is stopped
// before it takes the memory of the machine.
const (
	maxFileSize = 4 << 20   // bytes
	maxDepth    = 64        // maps and lists within each other
	maxNodes    = 1_000_000 // values, those behind an alias counted each time it is used
)

type kind int

const (
	broken  kind = iota // its fault is already known; the schema passes over it in silence
	null                // nothing was written
	boolean             // true or false
	number              // as it was written, which the schema reads
	text
	list
	mapping
)

func (k kind) String() string {
	return [...]string{"something broken", "nothing", "true or false", "a number", "text", "a list", "a map"}[k]
}

// node is a value of the one tree that every format is read into. A node is not changed once its front has
// made it, so that YAML's aliases may share it.
type node struct {
	kind     kind
	text     string // of a scalar: as written, without quotes, variables replaced
	expanded bool   // a variable was replaced: the text may stand for a number or true/false as well
	items    []*node
	entries  []entry
	line     int
	column   int
	size     int // how many nodes this is, with all below
}

// entry is one key of a map, with the place of the key.
type entry struct {
	key          string
	line, column int
	value        *node
}

// value is a node with the way it was reached; behind an alias one node has several.
type value struct {
	*node
	path string
}

// plainKey tells a key of letters, digits, dash and underscore.
func plainKey(key string) bool {
	return key != "" && !strings.ContainsFunc(key, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '_' || r == '-')
	})
}

// childPath appends a key to a key path; what would be ambiguous or unprintable is quoted.
func childPath(path, key string) string {
	if !plainKey(key) {
		return path + "[" + strconv.Quote(key) + "]"
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

func itemPath(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// builder is what all fronts share: it makes nodes, replaces variables, finds keys that stand twice.
type builder struct {
	file   string
	lookup func(name string) (string, bool)
	faults Faults
}

func (b *builder) fault(line, column int, path, format string, args ...any) {
	b.faults = append(b.faults, Fault{Pos{b.file, line, column, path}, fmt.Sprintf(format, args...)})
}

// scalar makes a node of a text; variables are replaced in strings only (a bare ${PORT} is one, too).
func (b *builder) scalar(k kind, s string, line, column int, path string) *node {
	n := &node{kind: k, text: s, line: line, column: column, size: 1}
	if k != text || !strings.Contains(s, "${") {
		return n
	}
	expanded, used, err := expand(s, b.lookup)
	if err != nil {
		b.fault(line, column, path, "%v", err)
		n.kind = broken
		return n
	}
	n.text, n.expanded = expanded, used
	return n
}

// mapBuilder collects the entries of one map.
type mapBuilder struct {
	*builder
	node *node
	path string
	seen map[string]int // line of the first one; 0 if it came by a merge
}

func (b *builder) mapping(line, column int, path string) *mapBuilder {
	n := &node{kind: mapping, line: line, column: column, size: 1}
	return &mapBuilder{builder: b, node: n, path: path, seen: map[string]int{}}
}

// has reports a key that stands twice in this map.
func (m *mapBuilder) has(key string, line, column int) bool {
	first, twice := m.seen[key]
	if twice {
		m.fault(line, column, childPath(m.path, key), "this key stands twice, first in line %d; keep one", first)
	}
	return twice
}

func (m *mapBuilder) add(e entry) {
	m.seen[e.key] = e.line
	m.node.entries = append(m.node.entries, e)
	m.node.size += e.value.size
}

// merge adds the keys of another map that are not yet here.
func (m *mapBuilder) merge(from *node) {
	for _, e := range from.entries {
		if _, here := m.seen[e.key]; !here {
			m.add(e)
		}
	}
}

func (n *node) append(item *node) {
	n.items = append(n.items, item)
	n.size += item.size
}
