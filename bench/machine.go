package main

import (
	"bytes"
	"maps"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

func thisMachine() Machine {
	m := Machine{CPU: "unknown CPU", Cores: runtime.NumCPU(), Kernel: "unknown", Go: runtime.Version(), Load: loadOfMinute()}
	if data, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(data)) {
			if name, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(name) == "model name" {
				m.CPU = strings.TrimSpace(value)
				break
			}
		}
	}
	var name unix.Utsname
	if unix.Uname(&name) == nil {
		m.Kernel = unix.ByteSliceToString(name.Release[:])
	}
	return m
}

func loadOfMinute() (load float64) {
	if data, err := os.ReadFile("/proc/loadavg"); err == nil {
		first, _, _ := strings.Cut(string(data), " ")
		load, _ = strconv.ParseFloat(first, 64)
	}
	return load
}

// versions of the contenders, as they say themselves.
func versions(chosen []contender, engine string) map[string]string {
	out := map[string]string{}
	for _, c := range chosen {
		switch c.kind {
		case kindOurs:
			out[ourName] = firstLine(engine, "version")
		case kindNginx, kindHAProxy:
			out[c.needs] = firstLine(c.needs, "-v")
		case kindCaddy:
			out[c.needs] = firstLine(c.needs, "version")
		case kindNode:
			out[c.name] = nodeVersion() + " on node " + firstLine("node", "--version")
		case kindSablier:
			out[c.name] = sablierVersion()
		}
		if c.name == "fasthttp" {
			out[c.name] = fasthttpVersion()
		}
	}
	return out
}

// fasthttpVersion is that of the package that this program is built with.
func fasthttpVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == "github.com/valyala/fasthttp" {
				return m.Version
			}
		}
	}
	return "unknown"
}

// firstLine of what a program prints, less the words that lead to the number.
func firstLine(program string, args ...string) string {
	output, err := exec.Command(program, args...).CombinedOutput()
	if err != nil {
		return "unknown"
	}
	line, _, _ := bytes.Cut(output, []byte("\n"))
	for _, field := range strings.FieldsFunc(string(line), func(r rune) bool { return r == ' ' || r == '/' }) {
		if field[0] >= '0' && field[0] <= '9' || field[0] == 'v' && len(field) > 1 && field[1] >= '0' && field[1] <= '9' {
			return field
		}
	}
	return strings.TrimSpace(string(line))
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }
