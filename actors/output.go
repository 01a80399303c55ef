package actors

import (
	"io"
	"os"
	"strings"
	"unicode"
)

const (
	tailBytes = 1024
	tailLines = 5
)

// size is how long the file at path is now; 0 if there is none.
func size(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// withTail adds to reason the last lines that were written to the file at path
// since it was as long as from. What cannot be read is left out: it is only the
// explanation of a failure, not to become another.
func withTail(reason, path string, from int64) string {
	f, err := os.Open(path)
	if err != nil {
		return reason
	}
	defer f.Close()
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil || end <= from {
		return reason
	}
	begin := max(from, end-tailBytes)
	text, err := io.ReadAll(io.NewSectionReader(f, begin, end-begin))
	if err != nil {
		return reason
	}
	lines := strings.Split(strings.TrimSpace(strings.Map(printable, string(text))), "\n")
	if begin > from && len(lines) > 1 {
		lines = lines[1:] // the first one is cut
	}
	lines = lines[max(0, len(lines)-tailLines):]
	if lines[0] == "" {
		return reason
	}
	return reason + tailMark + strings.Join(lines, tailIndent)
}

// tailMark stands between a reason and the first line of the output after it,
// tailIndent before each line.
const (
	tailMark   = "; its last output:" + tailIndent
	tailIndent = "\n  "
)

// Explain parts the reason of a record from the output that withTail has added; output is "" where it added none.
func (r Record) Explain() (reason, output string) {
	reason, output, _ = strings.Cut(r.Reason, tailMark)
	return reason, strings.ReplaceAll(output, tailIndent, "\n")
}

// printable drops what could play with the terminal of whoever reads a log.
func printable(r rune) rune {
	switch {
	case r == '\n', r == '\t', unicode.IsPrint(r):
		return r
	}
	return -1
}
