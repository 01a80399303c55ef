package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Pos is where something stands in a config: line and column count from 1, the column in characters.
// KeyPath names it from the root, such as services.blog.routes[0].value; it is empty for a fault of the
// notation itself, which is found before there are keys.
type Pos struct {
	File         string
	Line, Column int
	KeyPath      string
}

func (p Pos) String() string {
	s := fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
	if p.KeyPath != "" {
		s += ": " + p.KeyPath
	}
	return s
}

// Fault is one thing that is wrong with a config; with a fault nothing is started.
type Fault struct {
	Pos
	Message string
}

func (f Fault) Error() string { return f.Pos.String() + ": " + f.Message }

// Note is something that is allowed and yet probably not meant.
type Note struct {
	Pos
	Message string
}

func (n Note) String() string { return n.Pos.String() + ": " + n.Message }

// Faults is everything that is wrong with a config, in the order of the file.
type Faults []Fault

// Error prints one fault per line, without a newline at the end.
func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i, one := range f {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

// err is nil for no faults (an empty Faults in an error would not be).
func (f Faults) err() error {
	if len(f) == 0 {
		return nil
	}
	slices.SortStableFunc(f, func(a, b Fault) int { return a.Pos.compare(b.Pos) })
	return f
}

func (p Pos) compare(q Pos) int {
	return cmp.Or(cmp.Compare(p.File, q.File), cmp.Compare(p.Line, q.Line), cmp.Compare(p.Column, q.Column))
}
