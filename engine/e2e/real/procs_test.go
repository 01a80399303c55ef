package real

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// process is one that /proc shows.
type process struct {
	pid     int
	command string
}

func (p process) String() string { return fmt.Sprintf("pid %d (%s)", p.pid, p.command) }

// within lists the processes that work in the folder or had it in their environment when they began. Each hides from one
// of these: a daemon goes to /, and a program that shows what it does in its title overwrites its environment. The
// sweeper and its test run, which only know of the folder, are not listed.
func within(folder string) []process {
	var found []process
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, file := range files {
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		environ, _ := os.ReadFile(file) // empty of one that has ended, waited for or not
		cwd, _ := os.Readlink(filepath.Join(filepath.Dir(file), "cwd"))
		if bytes.Contains(environ, []byte(sweeperSwitch+"=")) || pid == os.Getpid() {
			continue
		}
		names := bytes.Contains(environ, []byte("="+folder+"\x00")) || bytes.Contains(environ, []byte("="+folder+"/"))
		if names || strings.HasPrefix(cwd+"/", folder+"/") {
			found = append(found, process{pid, commandLine(pid)})
		}
	}
	return found
}

func commandLine(pid int) string {
	line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return strings.TrimSpace(strings.ReplaceAll(string(line), "\x00", " "))
}

// born tells one process from a later one with its number (starttime of proc(5)); it is empty once the process has
// ended.
func born(pid int) string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 20 || fields[0] == "Z" {
		return ""
	}
	return fields[19]
}
