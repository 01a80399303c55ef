package config

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// These readers look at the machine: directories, files, and what goes to a child process.

// resolve takes a relative path from the directory of the config.
func (w *walk) resolve(path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(w.dir, path)
}

func (w *walk) path(v value, words string) (string, bool) {
	s, ok := w.text(v, words, always)
	if ok && s == "" {
		w.fault(v, "want %s, got an empty text", words)
		return "", false
	}
	return w.resolve(s), ok
}

// directory must be there: a command cannot run in a directory that is missing.
func directory[T any](field func(*T) *string) reader[T] {
	return func(w *walk, into *T, v value) {
		path, ok := w.path(v, "a directory")
		if !ok {
			return
		}
		switch info, err := os.Stat(path); {
		case err == nil && !info.IsDir():
			w.fault(v, "%s is not a directory", path)
		case err != nil && strings.HasPrefix(v.text, "~"):
			w.fault(v, "cannot use %s: %v; ~ has no meaning here, write ${HOME}", path, reason(err))
		case err != nil:
			w.fault(v, "cannot use %s: %v; relative paths start at the config's own directory", path, reason(err))
		default:
			*field(into) = path
		}
	}
}

// stateDirectory need not be there yet.
func stateDirectory[T any](field func(*T) *string) reader[T] {
	return func(w *walk, into *T, v value) {
		path, ok := w.path(v, "a directory")
		if !ok {
			return
		}
		if info, err := os.Stat(path); err == nil && !info.IsDir() {
			w.fault(v, "%s is not a directory", path)
			return
		}
		*field(into) = path
	}
}

// reason is the cause alone: the message around it names the path already.
func reason(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// authToken is never quoted in a message.
func authToken(w *walk, a *admin, v value) {
	s, ok := w.text(v, "a token", always)
	if !ok {
		return
	}
	if err := checkToken(s); err != nil {
		w.fault(v, "%v", err)
		return
	}
	a.AuthToken = s
}

func authTokenFile(w *walk, a *admin, v value) {
	const largestTokenFile = 4096
	path, ok := w.path(v, "a file")
	if !ok {
		return
	}
	src, err := readBounded(path, largestTokenFile)
	if err != nil {
		w.fault(v, "cannot read the token in %s: %v", path, reason(err))
		return
	}
	token := strings.TrimRight(string(src), "\r\n")
	if err := checkToken(token); err != nil {
		w.fault(v, "cannot use the token in %s: %v", path, err)
		return
	}
	a.AuthToken = token
}

// authorities reads a file of certificates. One that cannot be read is a fault as much as none at all: it is meant.
func authorities(w *walk, t *TLS, v value) {
	const largestCAFile = 1 << 20
	path, ok := w.path(v, "a file")
	if !ok {
		return
	}
	src, err := readBounded(path, largestCAFile)
	if err != nil {
		w.fault(v, "cannot read the certificates in %s: %v", path, reason(err))
		return
	}
	pool, err := parseAuthorities(src)
	if err != nil {
		w.fault(v, "cannot use the certificates in %s: %v", path, err)
		return
	}
	t.CAs = pool
}

// parseAuthorities takes certificates in PEM, and whatever is written between them.
func parseAuthorities(src []byte) (*x509.CertPool, error) {
	pool, found := x509.NewCertPool(), 0
	for block, rest := pem.Decode(src); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("there is a %s among them", shorten(block.Type))
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("number %d: %w", found+1, err)
		}
		pool.AddCert(cert)
		found++
	}
	switch begun := bytes.Count(src, []byte("-----BEGIN ")); {
	case begun == 0:
		return nil, errors.New("there is none; want PEM, which begins with -----BEGIN CERTIFICATE-----")
	case found < begun:
		return nil, fmt.Errorf("of %d only %d can be read", begun, found)
	}
	return pool, nil
}

// environmentOf reads a map of variables into KEY=value, sorted, so that the order of writing changes nothing.
func environmentOf[T any](field func(*T) *[]string) reader[T] {
	return func(w *walk, into *T, v value) {
		if !w.expect(v, mapping, "a map of environment variables") {
			return
		}
		var out []string
		for _, e := range v.entries {
			at := value{&node{line: e.line, column: e.column}, childPath(v.path, e.key)}
			if err := checkVariable(e.key); err != nil {
				w.fault(at, "%v", err)
				continue
			}
			if s, ok := w.written(value{e.value, at.path}, `text ("" for an empty value)`); ok {
				out = append(out, e.key+"="+s)
			}
		}
		slices.SortFunc(out, func(a, b string) int {
			nameA, _, _ := strings.Cut(a, "=")
			nameB, _, _ := strings.Cut(b, "=")
			return strings.Compare(nameA, nameB)
		})
		*field(into) = out
	}
}

// runLine reads a command that is a list of arguments or one line.
func runLine[T any](field func(*T) **Run) reader[T] {
	return func(w *walk, into *T, v value) {
		if v.kind != list {
			if s, ok := w.text(v, "a command, or a list of its words", always); ok {
				if argv := splitRun(s); len(argv) > 0 {
					*field(into) = &Run{argv}
				} else {
					w.fault(v, "want a command, got an empty text")
				}
			}
			return
		}
		run := &Run{}
		sound := w.list(v, "a list", func(item value) {
			if s, ok := w.written(item, "text"); ok {
				run.Argv = append(run.Argv, s)
			}
		})
		switch {
		case len(v.items) == 0:
			w.fault(v, "want a command, got an empty list")
		case sound && len(run.Argv) == len(v.items) && run.Argv[0] == "":
			w.fault(value{v.items[0], itemPath(v.path, 0)}, "the program to run is an empty text")
		default:
			*field(into) = run
		}
	}
}
