package persist

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// With -rewrite the golden files of the present version are written. Those of
// earlier versions are never: they are what is on people's disks.
var rewrite = flag.Bool("rewrite", false, "write the golden files of the present version")

// golden is the bytes of a file in testdata: hexadecimal, in lines.
func golden(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	b, err := hex.DecodeString(strings.Join(strings.Fields(string(text)), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The golden values stand under the service blog with sequence 42.
var goldenFiles = []struct {
	name, key string
	body      func() []byte
}{
	{"record-v4.hex", recordPrefix + "blog", func() []byte { r := full("blog"); return appendRecord(nil, &r) }},
	{"used-v4.hex", usePrefix + "blog", func() []byte { return encodeUse(full("blog").LastUse) }},
	{"head-v4.hex", headKey, func() []byte { return nil }},
}

func TestGoldenBytes(t *testing.T) {
	for _, g := range goldenFiles {
		got := frame(g.key, 42, g.body())
		if *rewrite {
			var text strings.Builder
			for line := range slices.Chunk(got, 32) {
				fmt.Fprintf(&text, "%x\n", line)
			}
			if err := os.WriteFile(filepath.Join("testdata", g.name), []byte(text.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if want := golden(t, g.name); !bytes.Equal(got, want) {
			t.Errorf("%s: what is on people's disks would not be read again; a change of a body is a new version\ngot  %x\nwant %x", g.name, got, want)
		}
	}
}

// wantV1 is what the committed record of version 1 says.
var wantV1 = Record{
	State: "ready", Run: 7, LastRun: 7, Pid: 4711, StartTime: 99887766, BootID: "5f3a8a0c-0d37-4d0e-9d0f-3f1f1c6c1b2a",
	Port: 20017, LastUse: time.Unix(1_700_000_060, 123456789),
}

func TestVersion1IsRead(t *testing.T) {
	ver, sequence, body, err := unframe(recordPrefix+"blog", golden(t, "record-v1.hex"))
	if err != nil || ver != 1 || sequence != 42 {
		t.Fatalf("version %d, sequence %d, %v", ver, sequence, err)
	}
	if got, err := decodeRecord(ver, body); err != nil || !reflect.DeepEqual(got, wantV1) {
		t.Fatalf("got %+v, %v", got, err)
	}
}

// wantV2 is what the committed record of version 2 says.
func wantV2() Record {
	r := wantV3()
	r.Since = time.Time{}
	return r
}

// wantV3 is what the committed record of version 3 says.
func wantV3() Record {
	r := full("blog")
	for i := range r.RecentStarts {
		r.RecentStarts[i].Connected, r.RecentStarts[i].FirstByte = 0, 0
	}
	return r
}

func TestEarlierVersionsAreRead(t *testing.T) {
	for version, want := range map[byte]Record{2: wantV2(), 3: wantV3()} {
		ver, sequence, body, err := unframe(recordPrefix+"blog", golden(t, fmt.Sprintf("record-v%d.hex", version)))
		if err != nil || ver != version || sequence != 42 {
			t.Fatalf("version %d, sequence %d, %v", ver, sequence, err)
		}
		want.Service, want.LastUse = "", time.Time{} // they stand in the key, and under one of their own
		if got, err := decodeRecord(ver, body); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("got %+v, %v", got, err)
		}
	}
}

func TestFramesThatAreNotBelieved(t *testing.T) {
	key := recordPrefix + "blog"
	good := golden(t, "record-v4.hex")
	newer := bytes.Clone(good)
	newer[0] = version + 1
	binary.LittleEndian.PutUint32(newer[len(newer)-4:], checksum(key, newer[:len(newer)-4]))
	for _, c := range []struct {
		name, key string
		value     []byte
		want      string
	}{
		{"nothing", key, nil, "size"},
		{"too large", key, make([]byte, maxValueSize+1), "size"},
		{"cut off", key, good[:len(good)-1], "checksum"},
		{"of another service", recordPrefix + "shop", good, "checksum"},
		{"of a newer program", key, newer, "version 5 and this program knows up to 4"},
		{"of no version", key, sealed(key, make([]byte, frameHead)), "version 0"},
	} {
		if _, _, _, err := unframe(c.key, c.value); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, not %q", c.name, err, c.want)
		}
	}
	for i := range good {
		for bit := range 8 {
			flipped := bytes.Clone(good)
			flipped[i] ^= 1 << bit
			if _, _, _, err := unframe(key, flipped); err == nil {
				t.Errorf("bit %d of byte %d was flipped, and it is believed", bit, i)
			}
		}
	}
}

// sealed is framed with a good checksum.
func sealed(key string, framed []byte) []byte {
	return binary.LittleEndian.AppendUint32(framed, checksum(key, framed))
}

func TestBodiesThatCannotBeRead(t *testing.T) {
	r := full("blog")
	good := appendRecord(nil, &r)
	for n := range good {
		if _, err := decodeRecord(version, good[:n]); err == nil {
			t.Errorf("the first %d of %d bytes are taken for a record", n, len(good))
		}
	}
	if _, err := decodeRecord(version, append(good, 0)); err == nil {
		t.Error("a byte too many is overlooked")
	}
	long := appendText(nil, strings.Repeat("x", maxText))
	if long[0]++; decoded(long) == nil {
		t.Error("a text that is too long is taken")
	}
	if decoded(binary.AppendUvarint(nil, 1<<63)) == nil {
		t.Error("a length beyond all memory is taken")
	}
}

func decoded(body []byte) error {
	_, err := decodeRecord(version, body)
	return err
}

// FuzzDecode: no bytes make the decoder panic or allocate beyond its bounds,
// and what it takes it writes again as the same record.
func FuzzDecode(f *testing.F) {
	for _, name := range []string{"record-v1.hex", "record-v2.hex", "record-v3.hex", "record-v4.hex", "used-v4.hex", "head-v4.hex"} {
		f.Add(golden(f, name))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		const key = recordPrefix + "blog"
		unframe(key, value)
		if len(value) > maxValueSize-frameTail {
			return
		}
		// Past the checksum, which no fuzzer would guess.
		ver, sequence, body, err := unframe(key, sealed(key, bytes.Clone(value)))
		if err != nil {
			return
		}
		decodeUse(body)
		r, err := decodeRecord(ver, body)
		if err != nil {
			return
		}
		if len(r.Reason) > maxText || len(r.RecentStarts) > maxStarts {
			t.Fatalf("out of bounds: %+v", r)
		}
		r.LastUse = time.Time{} // stands apart since version 2
		again := frame(key, sequence, appendRecord(nil, &r))
		if ver, _, body, err = unframe(key, again); err != nil {
			t.Fatal(err)
		}
		if got, err := decodeRecord(ver, body); err != nil || !reflect.DeepEqual(got, r) {
			t.Fatalf("%v\ngot  %+v\nwant %+v", err, got, r)
		}
	})
}
