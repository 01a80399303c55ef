package config

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew; read the difference before it is committed")

// TestFaults reads the configs of each golden file and compares what is wrong with them, word by word. A section is
//
//	=== file name: what it shows
//	the config
//	~~~ (then the faults and notes)
func TestFaults(t *testing.T) {
	files, err := filepath.Glob("testdata/*.golden")
	if err != nil || len(files) == 0 {
		t.Fatal("no golden files", err)
	}
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		for _, section := range strings.Split("\n"+string(src), "\n=== ")[1:] {
			out.WriteString(goldenSection(t, section))
		}
		if *rewrite {
			if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		} else if out.String() != string(src) {
			t.Errorf("%s differs at:\n%s", file, firstDifference(out.String(), string(src)))
		}
	}
}

func goldenSection(t *testing.T, section string) string {
	t.Helper()
	title, rest, _ := strings.Cut(section, "\n")
	config, _, ok := strings.Cut("\n"+rest, "\n~~~")
	if !ok {
		t.Fatalf("section %q has no ~~~ line", title)
	}
	name, _, _ := strings.Cut(title, ":")
	dir := t.TempDir()
	write(t, dir, "file", "not a directory")
	write(t, dir, "empty", "\n")
	write(t, dir, "token", "s3cret\n")
	writeCertificates(t, dir)
	write(t, dir, "bad.env", "# secrets\nGOOD=1\n  no equals sign\nexport A=s3cret\nTWO WORDS=s3cret\n=s3cret\nGOOD=s3cret\n"+
		"Q='s3cret\nR=\"s3cret\" and more\nS=s3cret\\\nN=\x00\nDYNAPM_RUN=1\n")
	cfg, faults := try(name, strings.TrimPrefix(config, "\n")+"\n", dir)
	out := fmt.Sprintf("=== %s%s\n~~~\n", title, config)
	for _, f := range faults {
		out += f.Error() + "\n"
	}
	if cfg != nil {
		for _, n := range cfg.Notes {
			out += "note: " + n.String() + "\n"
		}
	}
	return strings.ReplaceAll(out, dir, "DIR")
}

// writeCertificates writes ca.pem, and files that are not quite like it.
func writeCertificates(t *testing.T, dir string) {
	t.Helper()
	src, err := os.ReadFile("testdata/ca.pem")
	if err != nil {
		t.Fatal(err)
	}
	good := string(src)
	write(t, dir, "ca.pem", "an authority\n"+good+good)
	write(t, dir, "cut.pem", good+good[:len(good)/2])
	write(t, dir, "key.pem", good+"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
	write(t, dir, "broken.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
}

func write(t *testing.T, dir, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func firstDifference(got, want string) string {
	a, b := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range a {
		if i >= len(b) || a[i] != b[i] {
			return fmt.Sprintf("line %d\ngot  %s\nwant %s", i+1, a[i], strings.Join(b[min(i, len(b)):min(i+1, len(b))], ""))
		}
	}
	return fmt.Sprintf("the golden file goes on at line %d", len(a))
}
