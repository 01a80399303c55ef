package config

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// These readers are of who a service runs as and what it may use.

// accountName is a name, or a number that stands for itself.
func accountName[T any](field func(*T) *string) reader[T] {
	return func(w *walk, into *T, v value) {
		if s, ok := w.written(v, "a name or a number"); ok && s != "" {
			*field(into) = s
		} else if ok {
			w.fault(v, "want a name or a number, got an empty text")
		}
	}
}

// umask is octal whether it is written 027 or "027".
func umask[T any](field func(*T) **int) reader[T] {
	return func(w *walk, into *T, v value) {
		s, ok := w.written(v, "an octal number such as 027")
		if !ok {
			return
		}
		mask, err := parseUmask(s)
		if err != nil {
			w.fault(v, "%v", err)
			return
		}
		*field(into) = &mask
	}
}

// byteSize is 512M, 2G, or a bare number of bytes, of at least so many whole M.
func byteSize[T any](least int64, field func(*T) *int64) reader[T] {
	return func(w *walk, into *T, v value) {
		s, ok := w.written(v, "a size such as 512M or 2G")
		if !ok {
			return
		}
		n, err := parseSize(s)
		if err == nil && n < least {
			err = fmt.Errorf("want at least %dM, got %s, which is %d bytes", least>>20, shorten(s), n)
		}
		if err != nil {
			w.fault(v, "%v", err)
			return
		}
		*field(into) = n
	}
}

// cores are counted in thousandths.
func cores[T any](field func(*T) *int) reader[T] {
	return func(w *walk, into *T, v value) {
		s, ok := w.written(v, "a number of cores such as 0.5 or 2")
		if !ok {
			return
		}
		n, err := parseCores(s)
		if err != nil {
			w.fault(v, "%v", err)
			return
		}
		*field(into) = n
	}
}

var (
	umaskForm = regexp.MustCompile(`^0?[0-7]{3}$`)
	sizeForm  = regexp.MustCompile(`^([0-9]+)([KMGkmg]?)$`)
	coresForm = regexp.MustCompile(`^[0-9]{1,4}(\.[0-9]{1,3})?$`)
)

func parseUmask(s string) (int, error) {
	if !umaskForm.MatchString(s) {
		return 0, fmt.Errorf("want three octal digits such as 027, got %s", shorten(s))
	}
	mask, err := strconv.ParseInt(s, 8, 32)
	return int(mask), err
}

func parseSize(s string) (int64, error) {
	m := sizeForm.FindStringSubmatch(s)
	if m == nil {
		return 0, fmt.Errorf("want a size such as 512M or 2G (units K, M, G; powers of 1024), got %q", shorten(s))
	}
	shift := map[string]uint{"": 0, "K": 10, "M": 20, "G": 30}[strings.ToUpper(m[2])]
	n, err := strconv.ParseInt(m[1], 10, 64)
	if err != nil || n > math.MaxInt64>>shift {
		return 0, fmt.Errorf("%s is more than can be counted", shorten(s))
	}
	return n << shift, nil
}

func parseCores(s string) (int, error) {
	n, err := strconv.ParseFloat(s, 64)
	thousandths := int(math.Round(n * 1000))
	if err != nil || !coresForm.MatchString(s) || thousandths < 10 { // cpu.max takes no less
		return 0, fmt.Errorf("want a number of cores such as 0.5 or 2, at least 0.01, got %s", shorten(s))
	}
	return thousandths, nil
}
