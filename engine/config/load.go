package config

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// front reads the text of one format into the tree, and gives nil if the text could not be read (there is a
// fault then) or holds nothing.
type front func(b *builder, src []byte) *node

// fronts has every format by the ending of the file's name. All that a format adds is here.
var fronts = map[string]front{
	".yaml": parseYAML,
	".yml":  parseYAML,
	".json": parseJSON,
}

// Load reads, checks and completes the config at path. An error is Faults, with everything that is wrong at
// once, or says why the file cannot be read at all. ${NAME} is taken from the environment of this process;
// ${DYNAPM}, where it is not set, is this program.
func Load(path string) (*Config, error) {
	parse, ok := fronts[filepath.Ext(path)]
	if !ok {
		return nil, fmt.Errorf("cannot tell the format of %s: its name must end in .yaml, .yml or .json", path)
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("cannot find %s: %w", path, err)
	}
	src, err := readBounded(path, maxFileSize)
	if err != nil {
		return nil, fmt.Errorf("cannot read the config: %w", err)
	}
	cfg, faults := read(parse, &builder{file: path, lookup: environment}, src, filepath.Dir(absolute))
	if err := faults.err(); err != nil {
		return nil, err
	}
	cfg.File = absolute
	return cfg, nil
}

// read takes relative paths from dir.
func read(parse front, b *builder, src []byte, dir string) (*Config, Faults) {
	src = bytes.TrimPrefix(src, []byte("\xef\xbb\xbf"))
	if at := invalidUTF8(src); at >= 0 {
		line := 1 + bytes.Count(src[:at], []byte("\n"))
		column := utf8.RuneCount(src[bytes.LastIndexByte(src[:at], '\n')+1:at]) + 1
		b.fault(line, column, "", "this is not UTF-8 text")
		return nil, b.faults
	}
	if strings.TrimSpace(string(src)) == "" {
		b.fault(1, 1, "", "the file is empty; a config has at least one service under services")
		return nil, b.faults
	}
	root := parse(b, src)
	if root == nil {
		if len(b.faults) == 0 {
			b.fault(1, 1, "", "there is nothing but comments; a config has at least one service under services")
		}
		return nil, b.faults
	}
	w := &walk{file: b.file, dir: dir, faults: b.faults, blanks: map[any]any{}}
	cfg := w.config(root)
	slices.SortStableFunc(w.notes, func(a, b Note) int { return a.Pos.compare(b.Pos) })
	cfg.Notes = w.notes
	return cfg, w.faults
}

func invalidUTF8(src []byte) int {
	for at := 0; at < len(src); {
		r, size := utf8.DecodeRune(src[at:])
		if r == utf8.RuneError && size == 1 {
			return at
		}
		at += size
	}
	return -1
}

// readBounded reads a file of at most limit bytes; a fifo or a device would never end.
func readBounded(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil {
		return nil, err
	} else if info.IsDir() {
		return nil, fmt.Errorf("%s is a directory", path)
	}
	src, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(src)) > limit {
		return nil, fmt.Errorf("%s is larger than %d KiB", path, limit>>10)
	}
	return src, nil
}
