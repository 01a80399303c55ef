package config

import (
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

const examples = "../../examples"

// TestExamplesLoad loads every config under examples/, without a fault and without a note.
func TestExamplesLoad(t *testing.T) {
	who, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("PGOWNER", who.Username) // where nobody has installed PostgreSQL, there is no user postgres
	found := 0
	err = filepath.WalkDir(examples, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && strings.HasPrefix(d.Name(), ".dynapm") {
			return fs.SkipDir
		}
		if fronts[filepath.Ext(path)] == nil {
			return nil
		}
		found++
		cfg, err := Load(path)
		if err != nil {
			t.Errorf("%s has faults:\n%v", path, err)
		} else if len(cfg.Notes) > 0 {
			t.Errorf("%s has notes: %v", path, cfg.Notes)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if found < 12 {
		t.Errorf("found only %d configs under %s", found, examples)
	}
}

// TestSameInBothFormats compares the two writings of one config.
func TestSameInBothFormats(t *testing.T) {
	fromYAML, err := Load(filepath.Join(examples, "from-dynapm/services.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	fromJSON, err := Load(filepath.Join(examples, "from-dynapm/services.json"))
	if err != nil {
		t.Fatal(err)
	}
	fromYAML.File, fromJSON.File = "", ""
	if !reflect.DeepEqual(fromYAML, fromJSON) {
		t.Errorf("YAML gives\n%+v\nJSON gives\n%+v", fromYAML, fromJSON)
	}
}

// TestFullShowsEveryKey holds examples/full.yaml to the schema: each key with its default, if it has one, and its
// doc as the comment of its line.
func TestFullShowsEveryKey(t *testing.T) {
	src, err := os.ReadFile(filepath.Join(examples, "full.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	text := string(src)
	shown(t, text, rootKeys)
	shown(t, text, adminKeys)
	shown(t, text, loggingKeys)
	shown(t, text, serviceKeys)
	shown(t, text, windowKeys)
	shown(t, text, limitKeys)
	shown(t, text, logKeys)
	shown(t, text, routeKeys)
	shown(t, text, commandKeys)
	shown(t, text, tlsKeys)
	shown(t, text, healthKeys)
	shown(t, text, ignoreKeys)
	shown(t, text, keepAwakeKeys)
}

func shown[T any](t *testing.T, text string, table []key[T]) {
	t.Helper()
	for _, k := range table {
		value := ".*"
		if k.dflt != "" {
			value = " " + regexp.QuoteMeta(k.dflt)
		}
		line := `(?m)^[ #-]*` + k.name + `:` + value + ` +# ` + regexp.QuoteMeta(k.doc) + `$`
		if !regexp.MustCompile(line).MatchString(text) {
			t.Errorf("full.yaml has no line %s: %s # %s", k.name, k.dflt, k.doc)
		}
	}
}

// TestFullIsTheDefaults holds the defaults to what full.yaml says in words: without the keys nothing changes.
func TestFullIsTheDefaults(t *testing.T) {
	full, err := Load(filepath.Join(examples, "full.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	short := accept(t, "short.yaml", "services:\n  managed: {run: x}\n", filepath.Dir(full.File))
	full.File, full.Services, short.Services[0].Env = "", full.Services[:1], full.Services[0].Env
	short.Services[0].Run, short.Services[0].Routes = full.Services[0].Run, full.Services[0].Routes
	if !reflect.DeepEqual(full, short) {
		t.Errorf("full.yaml gives\n%+v\na config without these keys gives\n%+v", full, short)
	}
}
