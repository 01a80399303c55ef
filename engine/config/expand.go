package config

import (
	"fmt"
	"os"
	"regexp"
	"strings"
)

var variable = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_]*)(:-(.*))?$`)

// expand replaces ${NAME} and ${NAME:-default}, where the default counts if the variable is unset or empty, as
// in the shell; $${ gives ${ itself. Everything else with a dollar ($NAME, $(command), $!) is left to the shell.
// used says whether a variable was replaced. What was replaced is not looked at again.
func expand(s string, lookup func(string) (string, bool)) (out string, used bool, err error) {
	var b strings.Builder
	for {
		start := strings.Index(s, "${")
		if start < 0 {
			b.WriteString(s)
			return b.String(), used, nil
		}
		if start > 0 && s[start-1] == '$' {
			b.WriteString(s[:start-1] + "${")
			s = s[start+2:]
			continue
		}
		b.WriteString(s[:start])
		inside, rest, closed := strings.Cut(s[start+2:], "}")
		if !closed {
			return "", false, fmt.Errorf("a ${ without its }; write $${ where the text itself has ${")
		}
		replacement, err := variableValue(inside, lookup)
		if err != nil {
			return "", false, err
		}
		b.WriteString(replacement)
		used = true
		s = rest
	}
}

func variableValue(inside string, lookup func(string) (string, bool)) (string, error) {
	m := variable.FindStringSubmatch(inside)
	if m == nil || strings.Contains(inside, "${") {
		return "", fmt.Errorf("cannot read ${%s}: only ${NAME} and ${NAME:-default} are replaced here; write $${ to leave it to the shell",
			shorten(inside))
	}
	name, hasDefault, fallback := m[1], m[2] != "", m[3]
	found, ok := lookup(name)
	switch {
	case hasDefault && found == "":
		return fallback, nil
	case !ok:
		return "", fmt.Errorf("the environment has no %s; set it, or write ${%s:-default}", name, name)
	}
	return found, nil
}

// environment is os.LookupEnv; DYNAPM, where it is not set, is this very program, so that a config can start
// another command of the same binary.
func environment(name string) (string, bool) {
	found, ok := os.LookupEnv(name)
	if !ok && name == "DYNAPM" {
		self, err := os.Executable()
		return self, err == nil
	}
	return found, ok
}
