package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v4"
	"go.yaml.in/yaml/v4/plugin/loaderlimits"
)

// yamlFront reads one YAML document. Of YAML's own means it understands anchors, aliases and merge keys (<<).
// Tags are refused: a config needs none, and a private tag would promise something.
type yamlFront struct {
	*builder
	anchors map[*yaml.Node]*node // only those whose value is complete, so that none can hold itself
	aliased int                  // nodes brought in by aliases so far
}

func parseYAML(b *builder, src []byte) *node {
	docs, err := documents(src)
	if err != nil {
		yamlSyntax(b, err)
		return nil
	}
	f := &yamlFront{builder: b, anchors: map[*yaml.Node]*node{}}
	var root *node
	for _, doc := range docs {
		body := doc.Content[0]
		if body.Kind == yaml.ScalarNode && body.Value == "" && body.Style == 0 {
			continue // nothing but comments
		}
		if root != nil {
			f.fault(body.Line, body.Column, "", "a second document begins here; a config is one document")
			return nil
		}
		root = f.value(body, "")
	}
	if f.aliased > maxNodes {
		return nil // not worth going through
	}
	return root
}

// documents keeps a panic of the parser, met by an input that nobody has thought of, from ending the engine.
func documents(src []byte) (docs []*yaml.Node, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the parser gave up: %v", p)
		}
	}()
	loader, err := yaml.NewLoader(bytes.NewReader(src), yaml.WithPlugin(loaderlimits.New(loaderlimits.DepthFunc(shallow))))
	for err == nil {
		doc := &yaml.Node{}
		if err = loader.Load(doc); err == nil {
			docs = append(docs, doc)
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return docs, err
}

func shallow(depth int, _ *yaml.DepthContext) error {
	if depth > maxDepth {
		return errTooDeep
	}
	return nil
}

// yamlHints say what to do about what a person easily gets wrong.
var yamlHints = map[string]string{
	"unknown anchor":         "; put text that begins with * in quotes",
	"scanning an alias":      "; put text that begins with * in quotes",
	"cannot start any token": "; indent with spaces, not tabs, and put text that begins with @ or ` in quotes",
}

func yamlSyntax(b *builder, err error) {
	line, column, message := 1, 1, err.Error()
	if at, ok := errors.AsType[*yaml.LoadError](err); ok {
		line, column, message = max(at.Mark.Line, 1), max(at.Mark.Column, 1), at.Message
		if at.ContextMsg != "" && at.ContextMark != at.Mark {
			message += fmt.Sprintf(" %s (line %d, column %d)", at.ContextMsg, at.ContextMark.Line, at.ContextMark.Column)
		}
		for words, hint := range yamlHints {
			if strings.Contains(message, words) {
				message += hint
			}
		}
	}
	b.fault(line, column, "", "cannot read this as YAML: %s", message)
}

func (f *yamlFront) value(n *yaml.Node, path string) *node {
	if n.Style&yaml.TaggedStyle != 0 {
		return f.broken(n, path, "a config has no use for tags such as %s; put text in quotes", shorten(n.Tag))
	}
	var out *node
	switch n.Kind {
	case yaml.MappingNode:
		out = f.mapNode(n, path)
	case yaml.SequenceNode:
		out = &node{kind: list, line: n.Line, column: n.Column, size: 1}
		for i, item := range n.Content {
			out.append(f.value(item, itemPath(path, i)))
		}
	case yaml.AliasNode:
		return f.alias(n, path)
	default:
		out = f.scalar(yamlKind(n), n.Value, n.Line, n.Column, path)
	}
	if n.Anchor != "" {
		f.anchors[n] = out
	}
	return out
}

// yamlKind is what a scalar is by YAML's core schema (YAML 1.2.2 section 10.3.2). A date is text.
func yamlKind(n *yaml.Node) kind {
	switch n.ShortTag() {
	case "!!bool":
		return boolean
	case "!!null":
		return null
	case "!!int", "!!float":
		return number
	}
	return text
}

func (f *yamlFront) broken(n *yaml.Node, path, format string, args ...any) *node {
	f.fault(n.Line, n.Column, path, format, args...)
	return &node{kind: broken, line: n.Line, column: n.Column, size: 1}
}

func (f *yamlFront) alias(n *yaml.Node, path string) *node {
	target, ok := f.anchors[n.Alias]
	if !ok {
		return f.broken(n, path, "the value of anchor &%s contains this alias of it", n.Value)
	}
	if f.aliased > maxNodes {
		return &node{kind: broken, line: n.Line, column: n.Column, size: 1}
	}
	if f.aliased += target.size; f.aliased > maxNodes {
		return f.broken(n, path, "the aliases of this file stand for more than %d values", maxNodes)
	}
	return target
}

func (f *yamlFront) mapNode(n *yaml.Node, path string) *node {
	m := f.mapping(n.Line, n.Column, path)
	var merges []*yaml.Node
	for i := 0; i < len(n.Content); i += 2 {
		key, v := n.Content[i], n.Content[i+1]
		if key.ShortTag() == "!!merge" {
			merges = append(merges, v)
			continue
		}
		f.entry(m, key, v)
	}
	for _, v := range merges { // after all keys of the map itself, which win wherever they stand
		f.mergeKey(m, v)
	}
	return m.node
}

func (f *yamlFront) entry(m *mapBuilder, key, v *yaml.Node) {
	const written = yaml.SingleQuotedStyle | yaml.DoubleQuotedStyle
	if key.Kind != yaml.ScalarNode || key.Anchor != "" || key.Style&^written != 0 {
		f.fault(key.Line, key.Column, m.path, "a key is written out, as plain or quoted text")
		return
	}
	child := f.value(v, childPath(m.path, key.Value))
	if !m.has(key.Value, key.Line, key.Column) {
		m.add(entry{key.Value, key.Line, key.Column, child})
	}
}

func (f *yamlFront) mergeKey(m *mapBuilder, v *yaml.Node) {
	from := f.value(v, m.path)
	sources := []*node{from}
	if from.kind == list {
		sources = from.items
	}
	for _, source := range sources {
		switch source.kind {
		case mapping:
			m.merge(source)
		case broken:
		default:
			f.fault(source.line, source.column, m.path, "<< wants an alias of a map, or a list of them, got %s", source.kind)
		}
	}
}
