package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestCompare: a tree that has become much slower is found out, one that has become faster passes, and neither leaves
// anything behind. The two differ by so much that no busy machine hides it.
func TestCompare(t *testing.T) {
	fetch := exec.Command("go", "install", benchstat)
	fetch.Env = append(os.Environ(), "GOBIN="+t.TempDir())
	if out, err := fetch.CombinedOutput(); err != nil {
		t.Skipf("benchstat cannot be had: %v: %.300s", err, out)
	}
	tree := t.TempDir()
	t.Setenv("TMPDIR", t.TempDir())
	for _, loops := range []int{1000, 20000} {
		write(t, filepath.Join(tree, "go.mod"), "module guarded\n\ngo 1.26.0\n")
		write(t, filepath.Join(tree, "room", "room_test.go"), fmt.Sprintf(guarded, loops))
		if loops == 1000 {
			gitIn(t, tree, "init", "-q")
		}
		gitIn(t, tree, "add", ".")
		gitIn(t, tree, "commit", "-qm", "a room")
	}
	compare := func(base string) error {
		c := comparing{root: tree, base: base, rounds: 6, length: "2ms", tolerance: 5}
		return c.run(t.Context())
	}
	if err := compare("HEAD~1"); !errors.Is(err, errSlower) {
		t.Errorf("twenty times as slow, and: %v", err)
	}
	gitIn(t, tree, "branch", "slow")
	gitIn(t, tree, "reset", "-q", "--hard", "HEAD~1")
	if err := compare("slow"); err != nil {
		t.Errorf("it has become faster, and: %v", err)
	}
	if err := compare("no-such-commit"); err == nil || errors.Is(err, errSlower) {
		t.Errorf("there is no such commit, and: %v", err)
	}
	if out := gitIn(t, tree, "worktree", "list"); bytes.Count(out, []byte("\n")) != 1 {
		t.Errorf("a worktree is left: %s", out)
	}
	if left, _ := filepath.Glob(filepath.Join(os.Getenv("TMPDIR"), "dynapm-*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

const guarded = `package room

import "testing"

func BenchmarkRoom(b *testing.B) {
	sum := 0
	for b.Loop() {
		for i := range %d {
			sum += i ^ sum
		}
	}
	if sum == 1 {
		b.Log(sum)
	}
}
`

// gitIn runs git in a tree of its own, whoever the machine says the user is.
func gitIn(t *testing.T, tree string, args ...string) []byte {
	t.Helper()
	set := []string{"-C", tree, "-c", "user.name=bench", "-c", "user.email=bench@localhost", "-c", "commit.gpgsign=false"}
	out, err := exec.Command("git", append(set, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return out
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
