package engine

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// house is the picture of the README as a table: which rooms a folder may import, and which foreign engine is its
// own. The longest matching folder decides. A room that is not listed here may be imported by nobody.
var house = []struct {
	folder string
	may    []string // folders of this module; each stands for itself and what is below it
	owns   string   // the foreign engine that only this folder imports
}{
	{folder: "netio", may: []string{"netio"}, owns: "github.com/tidwall/evio"},
	{folder: "actors", may: []string{"actors"}, owns: "github.com/asynkron/protoactor-go"},
	{folder: "actors/keeper", may: []string{"actors/keeper"}},
	{folder: "actors/probe", may: []string{"actors/probe"}},
	{folder: "persist", may: []string{"persist"}, owns: "github.com/cockroachdb/pebble"},
	{folder: "loadtest", may: []string{"loadtest"}},
	{folder: "bench", may: []string{"bench", "engine", "netio", "actors", "persist", "loadtest"}},
	{folder: "engine", may: []string{"engine", "netio", "actors", "persist"}},
	{folder: "engine/config", may: []string{"engine/config"}},
	{folder: "engine/admin", may: []string{"engine/admin"}},
	{folder: "engine/hello", may: []string{"engine/hello"}},
	{folder: "engine/cmd", may: []string{"engine", "loadtest", "actors/keeper"}},
}

// TestImportOrder holds the picture of the house: rooms are strangers to each other and meet in engine.
func TestImportOrder(t *testing.T) {
	const module = "dynapm/"
	seen := 0
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); len(name) > 1 && name[0] == '.' && name != ".." || name == "testdata" {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		rel, _ := filepath.Rel("..", path)
		folder := filepath.ToSlash(filepath.Dir(rel))
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range file.Imports {
			seen++
			imported, _ := strconv.Unquote(spec.Path.Value)
			if inner, ours := strings.CutPrefix(imported, module); ours {
				if !mayImport(folder, inner) {
					t.Errorf("%s imports %s: the house does not allow it", rel, imported)
				}
				continue
			}
			if owner := ownerOf(imported); owner != "" && !below(folder, owner) {
				t.Errorf("%s imports %s: only %s may", rel, imported, owner)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen == 0 {
		t.Fatal("no import was found: the test looks in the wrong place")
	}
}

// TestImportOrderSeesFaults shows that the table above forbids what it must.
func TestImportOrderSeesFaults(t *testing.T) {
	for _, c := range []struct {
		folder, imported string
		want             bool
	}{
		{"netio", "actors", false},
		{"actors", "netio", false},
		{"actors", "engine/config", false},
		{"actors/keeper", "actors", false},
		{"actors", "actors/keeper", true},
		{"engine", "netio", true},
		{"engine/admin", "actors", false},
		{"loadtest/report", "netio", false},
		{"engine/cmd/dynapm", "engine", true},
		{"engine/cmd/dynapm", "netio", false},
	} {
		if got := mayImport(c.folder, c.imported); got != c.want {
			t.Errorf("%s may import %s: %v, want %v", c.folder, c.imported, got, c.want)
		}
	}
}

func mayImport(folder, imported string) bool {
	best, ok := "", false
	for _, room := range house {
		if !below(folder, room.folder) || len(room.folder) < len(best) {
			continue
		}
		best, ok = room.folder, false
		for _, m := range room.may {
			ok = ok || below(imported, m)
		}
	}
	return ok
}

func ownerOf(imported string) string {
	for _, room := range house {
		if room.owns != "" && below(imported, room.owns) {
			return room.folder
		}
	}
	return ""
}

// below tells whether folder is root or inside it.
func below(folder, root string) bool {
	return folder == root || strings.HasPrefix(folder, root+"/")
}
