package config

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

const largestEnvFile = 1 << 20

// envFile reads variables from a file of NAME=VALUE lines, as systemd's EnvironmentFile and docker's --env-file have
// it: no shell, no variables within, # and ; begin a comment at the start of a line, and quotes around a whole value
// are not part of it. Each fault has its place in that file.
func envFile(w *walk, d *draft, v value) {
	path, ok := w.path(v, "a file")
	if !ok {
		return
	}
	src, err := readBounded(path, largestEnvFile)
	if err != nil {
		w.fault(v, "cannot read %s: %v", path, reason(err))
		return
	}
	before := len(w.faults)
	where := map[string]int{}
	number := 0
	for line := range bytes.Lines(src) {
		number++
		name, text, err := parseVariable(strings.TrimSpace(string(line)))
		if first := where[name]; err == nil && first > 0 {
			err = fmt.Errorf("%s stands in line %d already", name, first)
		}
		if err != nil {
			// The column is that of the line: what is wrong is the line.
			column := 1 + utf8.RuneCount(line) - utf8.RuneCount(bytes.TrimLeftFunc(line, unicode.IsSpace))
			w.faults = append(w.faults, Fault{Pos{path, number, column, v.path}, err.Error()})
			continue
		}
		if name != "" {
			where[name] = number
			d.fileEnv = append(d.fileEnv, name+"="+text)
		}
	}
	if len(w.faults) > before {
		d.fileEnv = nil
	}
}

// parseVariable gives no name for a line that has nothing to say. What is in a value may be a secret: no message
// repeats it.
func parseVariable(line string) (name, text string, err error) {
	if line == "" || line[0] == '#' || line[0] == ';' {
		return "", "", nil
	}
	name, text, found := strings.Cut(line, "=")
	name, text = strings.TrimSpace(name), strings.TrimSpace(text)
	switch {
	case !found:
		return "", "", fmt.Errorf("want NAME=VALUE, and there is no = in this line")
	case strings.HasPrefix(name, "export "):
		return "", "", fmt.Errorf("no shell reads this file: leave out export")
	case strings.ContainsFunc(name, unicode.IsSpace):
		return "", "", fmt.Errorf("the name of a variable holds no space")
	case strings.ContainsRune(text, 0):
		return "", "", fmt.Errorf("%s holds a NUL byte, which nothing can take", name)
	}
	if err := checkVariable(name); err != nil {
		return "", "", err
	}
	text, err = unquote(text)
	if err != nil {
		return "", "", fmt.Errorf("%s: %v", name, err)
	}
	return name, text, nil
}

// unquote takes the quotes off a value: within '...' everything stands for itself, within "..." a backslash makes the
// next " \ $ or ` stand for itself, as in systemd and the shell.
func unquote(s string) (string, error) {
	switch {
	case s == "" || s[0] != '"' && s[0] != '\'':
		if strings.HasSuffix(s, `\`) {
			return "", fmt.Errorf(`a value ends with its line; put it in '...' if it really ends in \`)
		}
		return s, nil
	case s[0] == '\'':
		inner, closed := strings.CutSuffix(s[1:], "'")
		if !closed || strings.Contains(inner, "'") {
			return "", fmt.Errorf("the quotes do not enclose the whole value")
		}
		return inner, nil
	}
	var out strings.Builder
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"' && i == len(s)-1:
			return out.String(), nil
		case c == '"':
			return "", fmt.Errorf("the quotes do not enclose the whole value")
		case c == '\\' && i+1 < len(s) && strings.IndexByte("\"\\$`", s[i+1]) >= 0:
			i++
			out.WriteByte(s[i])
		default:
			out.WriteByte(c)
		}
	}
	return "", fmt.Errorf("the quotes do not enclose the whole value")
}
