package statedir

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

func TestSecret(t *testing.T) {
	d, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := os.WriteFile(d.Join("secret.new"), []byte("cut off"), 0o644); err != nil {
		t.Fatal(err)
	}
	made, err := d.Secret("secret")
	info, statErr := os.Stat(d.Join("secret"))
	if err != nil || statErr != nil || len(made) != secretSize || info.Mode().Perm() != 0o600 {
		t.Fatalf("%x, %v, %v, %v", made, info, err, statErr)
	}
	if again, err := d.Secret("secret"); err != nil || !bytes.Equal(again, made) {
		t.Errorf("%x, %v; want %x", again, err, made)
	}
	if other, err := d.Secret("other"); err != nil || bytes.Equal(other, made) {
		t.Errorf("%x, %v", other, err)
	}
	if err := os.WriteFile(d.Join("secret"), made[1:], 0o600); err != nil {
		t.Fatal(err)
	}
	if short, err := d.Secret("secret"); err == nil || !strings.Contains(err.Error(), "has 31 bytes and not 32") {
		t.Errorf("%x, %v", short, err)
	}
}
