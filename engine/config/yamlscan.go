package config

import "github.com/goccy/go-yaml/token"

// maxSiblings bounds the keys of one block map: the parser nests one call per key of a map, and copies what it
// has at each.
const maxSiblings = 20_000

// openBlock is a block map or list that the scan is in: the column where its entries stand, and how many.
type openBlock struct{ column, entries int }

// scanYAML looks over the tokens before the parser does. The parser is recursive and knows no bound: a few
// megabytes of brackets, dashes or tags would overflow the stack, which nothing can recover from.
func scanYAML(b *builder, tokens token.Tokens) bool {
	var blocks []openBlock
	flow := 0
	for i, t := range tokens {
		at := t.Position
		refuse := func(format string, args ...any) bool {
			b.fault(max(at.Line, 1), max(at.Column, 1), "", format, args...)
			return false
		}
		switch t.Type {
		case token.TagType:
			return refuse("a config has no use for tags such as %s; put text in quotes", shorten(t.Value))
		case token.AnchorType:
			if i >= 2 && tokens[i-2].Type == token.AnchorType {
				return refuse("two anchors for one value")
			}
		case token.SequenceStartType, token.MappingStartType:
			flow++
		case token.SequenceEndType, token.MappingEndType:
			flow--
		}
		if flow == 0 && opensEntry(tokens, i) {
			blocks = enter(blocks, at.Column)
			if blocks[len(blocks)-1].entries > maxSiblings {
				return refuse("more than %d entries in one map or list", maxSiblings)
			}
		}
		if flow+len(blocks) > maxDepth {
			return refuse("%v", errTooDeep)
		}
	}
	return true
}

// opensEntry tells the first token of an entry of a block map or list.
func opensEntry(tokens token.Tokens, i int) bool {
	switch tokens[i].Type {
	case token.SequenceEntryType, token.MappingKeyType:
		return true
	}
	return i+1 < len(tokens) && tokens[i+1].Type == token.MappingValueType
}

func enter(blocks []openBlock, column int) []openBlock {
	for len(blocks) > 0 && blocks[len(blocks)-1].column > column {
		blocks = blocks[:len(blocks)-1]
	}
	if len(blocks) == 0 || blocks[len(blocks)-1].column < column {
		blocks = append(blocks, openBlock{column: column})
	}
	blocks[len(blocks)-1].entries++
	return blocks
}
