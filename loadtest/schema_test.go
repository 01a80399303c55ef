package loadtest

import (
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

var rewrite = flag.Bool("rewrite", false, "write testdata/ anew")

// TestSchemaIsWhatItWas: whoever reads report.json by the name of its schema finds each field where it was. A field
// that is added belongs into the file too; one that goes, or has another type, makes the schema the next number.
func TestSchemaIsWhatItWas(t *testing.T) {
	t.Parallel()
	file := filepath.Join("testdata", strings.ReplaceAll(Schema, "/", "-")+".txt")
	got := fieldsOf(reflect.TypeFor[Report](), "")
	slices.Sort(got)
	if *rewrite {
		if err := os.WriteFile(file, []byte(strings.Join(got, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Split(strings.TrimSpace(string(text)), "\n")
	for _, field := range want {
		if !slices.Contains(got, field) {
			t.Errorf("%s is in %s and not in the report", field, Schema)
		}
	}
	for _, field := range got {
		if !slices.Contains(want, field) {
			t.Errorf("%s is new: go test ./loadtest -run Schema -rewrite", field)
		}
	}
}

// fieldsOf lists the fields of a type as JSON has them, with the type of each.
func fieldsOf(t reflect.Type, path string) (out []string) {
	switch {
	case t == reflect.TypeFor[time.Time]():
	case t.Kind() == reflect.Pointer:
		return fieldsOf(t.Elem(), path)
	case t.Kind() == reflect.Slice:
		return fieldsOf(t.Elem(), path+"[]")
	case t.Kind() == reflect.Struct:
		for i := range t.NumField() {
			name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
			out = append(out, fieldsOf(t.Field(i).Type, path+"."+name)...)
		}
		return out
	}
	return []string{path + " " + t.String()}
}
