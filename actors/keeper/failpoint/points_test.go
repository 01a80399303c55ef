package failpoint

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestEachPointIsAtOnePlace: a name that no code comes to would never fire, and one at two places would not tell which.
func TestEachPointIsAtOnePlace(t *testing.T) {
	const root = "../../.."
	places, effects := map[string]int{}, map[string]bool{}
	call := regexp.MustCompile(`failpoint\.Reached\("([^"]+)"\)`)
	effect := regexp.MustCompile(`(?m)^func \((\w+)\) effect\(\)`)
	for _, room := range []string{"actors", "engine"} {
		err := filepath.WalkDir(filepath.Join(root, room), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			for _, m := range call.FindAllSubmatch(text, -1) {
				places[string(m[1])]++
			}
			for _, m := range effect.FindAllSubmatch(text, -1) {
				effects["actors."+strings.ToLower(string(m[1]))] = true
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for i, point := range Points {
		if n := places[point]; n != 1 && !effects[point] || n != 0 && effects[point] {
			t.Errorf("%s is at %d places", point, n)
		}
		if slices.Contains(Points[:i], point) {
			t.Errorf("%s is there twice", point)
		}
	}
	for point := range places {
		if !slices.Contains(Points, point) {
			t.Errorf("%s is not among the points", point)
		}
	}
}
