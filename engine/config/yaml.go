package config

import (
	"errors"
	"fmt"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// yamlFront reads one YAML document. Of YAML's own means it understands anchors, aliases and merge keys (<<).
// Tags are refused: a config needs none, and a private tag would promise something.
type yamlFront struct {
	*builder
	anchors map[string]*node // only those whose value is complete, so that none can hold itself
	aliased int              // nodes brought in by aliases so far
}

func parseYAML(b *builder, src []byte) *node {
	tokens := lexer.Tokenize(string(src))
	if !scanYAML(b, tokens) {
		return nil
	}
	file, err := parseTokens(tokens)
	if err != nil {
		yamlSyntax(b, err)
		return nil
	}
	f := &yamlFront{builder: b, anchors: map[string]*node{}}
	var root *node
	for _, doc := range file.Docs {
		if doc.Body == nil || doc.Body.Type() == ast.DirectiveType {
			continue
		}
		if root != nil {
			at := doc.Body.GetToken().Position
			f.fault(at.Line, at.Column, "", "a second document begins here; a config is one document")
			return nil
		}
		root = f.value(doc.Body, "")
	}
	if f.aliased > maxNodes {
		return nil // not worth going through
	}
	return root
}

// parseTokens keeps a panic of the parser, met by an input that nobody has thought of, from ending the engine.
func parseTokens(tokens token.Tokens) (file *ast.File, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the parser gave up: %v", p)
		}
	}()
	return parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
}

func yamlSyntax(b *builder, err error) {
	line, column, message := 1, 1, err.Error()
	var at yaml.Error
	if errors.As(err, &at) {
		message = at.GetMessage()
		if t := at.GetToken(); t != nil && t.Position != nil {
			line, column = max(t.Position.Line, 1), max(t.Position.Column, 1)
		}
	}
	b.fault(line, column, "", "cannot read this as YAML: %s", message)
}

func (f *yamlFront) value(n ast.Node, path string) *node {
	at := n.GetToken().Position
	switch n := n.(type) {
	case *ast.MappingNode:
		if !n.IsFlowStyle && len(n.Values) > 0 {
			at = n.Values[0].Key.GetToken().Position // else it is the place of the first colon
		}
		return f.mapNode(n.Values, at, path)
	case *ast.MappingValueNode:
		return f.mapNode([]*ast.MappingValueNode{n}, n.Key.GetToken().Position, path)
	case *ast.SequenceNode:
		out := &node{kind: list, line: at.Line, column: at.Column, size: 1}
		for i, item := range n.Values {
			out.append(f.value(item, itemPath(path, i)))
		}
		return out
	case *ast.AnchorNode:
		out := f.value(n.Value, path)
		f.anchors[n.Name.GetToken().Value] = out
		return out
	case *ast.AliasNode:
		return f.alias(n, path)
	case *ast.LiteralNode:
		return f.scalar(text, n.Value.Value, at.Line, at.Column, path)
	case *ast.StringNode:
		return f.scalar(text, n.Value, at.Line, at.Column, path)
	case *ast.BoolNode:
		return f.scalar(boolean, fmt.Sprint(n.Value), at.Line, at.Column, path)
	case *ast.NullNode:
		return f.scalar(null, "", at.Line, at.Column, path)
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return f.scalar(number, n.GetToken().Value, at.Line, at.Column, path)
	}
	return f.broken(at, path, "cannot use YAML's %s here", n.Type())
}

func (f *yamlFront) broken(at *token.Position, path, format string, args ...any) *node {
	f.fault(at.Line, at.Column, path, format, args...)
	return &node{kind: broken, line: at.Line, column: at.Column, size: 1}
}

func (f *yamlFront) alias(n *ast.AliasNode, path string) *node {
	at, name := n.Start.Position, n.Value.GetToken().Value
	target, ok := f.anchors[name]
	if !ok {
		return f.broken(at, path, "no anchor &%s before this alias", name)
	}
	if f.aliased > maxNodes {
		return &node{kind: broken, line: at.Line, column: at.Column, size: 1}
	}
	if f.aliased += target.size; f.aliased > maxNodes {
		return f.broken(at, path, "the aliases of this file stand for more than %d values", maxNodes)
	}
	return target
}

func (f *yamlFront) mapNode(values []*ast.MappingValueNode, at *token.Position, path string) *node {
	m := f.mapping(at.Line, at.Column, path)
	var merges []*ast.MappingValueNode
	for _, v := range values {
		if v.Key.IsMergeKey() {
			merges = append(merges, v)
			continue
		}
		f.entry(m, v)
	}
	for _, v := range merges { // after all keys of the map itself, which win wherever they stand
		f.mergeKey(m, v.Value)
	}
	return m.node
}

func (f *yamlFront) entry(m *mapBuilder, v *ast.MappingValueNode) {
	t := v.Key.GetToken()
	if k, ok := v.Key.(*ast.MappingKeyNode); ok {
		t = k.Value.GetToken()
	}
	at := t.Position
	switch t.Type {
	case token.AnchorType, token.AliasType, token.LiteralType, token.FoldedType:
		f.fault(at.Line, at.Column, m.path, "a key is written out, as plain or quoted text")
		return
	}
	child := f.value(v.Value, childPath(m.path, t.Value))
	if !m.has(t.Value, at.Line, at.Column) {
		m.add(entry{t.Value, at.Line, at.Column, child})
	}
}

func (f *yamlFront) mergeKey(m *mapBuilder, v ast.Node) {
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
