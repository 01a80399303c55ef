package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"unicode/utf8"
)

// jsonFront reads RFC 8259 JSON. The tokens are encoding/json's; the place of each is where the decoder
// stood before it, less what separates tokens.
type jsonFront struct {
	*builder
	src     []byte
	decoder *json.Decoder

	offset, line, column int // the last place that was worked out: they only go forward
}

func parseJSON(b *builder, src []byte) *node {
	f := &jsonFront{builder: b, src: src, decoder: json.NewDecoder(bytes.NewReader(src)), line: 1, column: 1}
	f.decoder.UseNumber()
	root, err := f.value("", 0)
	if err == nil {
		err = f.end()
	}
	if err != nil {
		f.syntax(err)
		return nil
	}
	return root
}

// next is the place of the token that the decoder will give next.
func (f *jsonFront) next() (line, column int) {
	at := int(f.decoder.InputOffset())
	for at < len(f.src) && strings.IndexByte(" \t\r\n,:", f.src[at]) >= 0 {
		at++
	}
	return f.place(at)
}

func (f *jsonFront) place(offset int) (line, column int) {
	for ; f.offset < offset; f.offset++ {
		switch c := f.src[f.offset]; {
		case c == '\n':
			f.line, f.column = f.line+1, 1
		case utf8.RuneStart(c):
			f.column++
		}
	}
	return f.line, f.column
}

func (f *jsonFront) value(path string, depth int) (*node, error) {
	line, column := f.next()
	token, err := f.decoder.Token()
	if err != nil {
		return nil, err
	}
	switch t := token.(type) {
	case json.Delim:
		if depth >= maxDepth {
			return nil, errTooDeep
		}
		if t == '{' {
			return f.object(line, column, path, depth)
		}
		return f.array(line, column, path, depth)
	case json.Number:
		return f.scalar(number, t.String(), line, column, path), nil
	case string:
		return f.scalar(text, t, line, column, path), nil
	case bool:
		if t {
			return f.scalar(boolean, "true", line, column, path), nil
		}
		return f.scalar(boolean, "false", line, column, path), nil
	}
	return f.scalar(null, "", line, column, path), nil
}

func (f *jsonFront) object(line, column int, path string, depth int) (*node, error) {
	m := f.mapping(line, column, path)
	for f.decoder.More() {
		line, column := f.next()
		token, err := f.decoder.Token()
		if err != nil {
			return nil, err
		}
		key := token.(string) // the decoder lets nothing else stand here
		v, err := f.value(childPath(path, key), depth+1)
		if err != nil {
			return nil, err
		}
		if !m.has(key, line, column) {
			m.add(entry{key, line, column, v})
		}
	}
	_, err := f.decoder.Token() // the closing brace
	return m.node, err
}

func (f *jsonFront) array(line, column int, path string, depth int) (*node, error) {
	n := &node{kind: list, line: line, column: column, size: 1}
	for f.decoder.More() {
		v, err := f.value(itemPath(path, len(n.items)), depth+1)
		if err != nil {
			return nil, err
		}
		n.append(v)
	}
	_, err := f.decoder.Token() // the closing bracket
	return n, err
}

var (
	errTooDeep  = errors.New("maps and lists are nested too deeply")
	errTrailing = errors.New("something follows the end of the config")
)

func (f *jsonFront) end() error {
	line, column := f.next()
	if _, err := f.decoder.Token(); err == io.EOF {
		return nil
	}
	f.fault(line, column, "", "%v", errTrailing)
	return nil
}

// syntax turns the decoder's error, which ends the reading, into a fault at the token that it could not read.
func (f *jsonFront) syntax(err error) {
	line, column := f.next()
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		line, column = f.place(len(f.src))
		err = errors.New("it ends too early")
	}
	f.fault(line, column, "", "cannot read this as JSON: %v", err)
}
