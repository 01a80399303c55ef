package persist

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// Why a value is not believed.
var (
	errSize     = errors.New("its size cannot be right")
	errChecksum = errors.New("its checksum is wrong")
	errBody     = errors.New("its content cannot be read")
)

// unframe checks what stands under key and returns what the frame holds. The
// body is part of value.
func unframe(key string, value []byte) (ver byte, sequence uint64, body []byte, err error) {
	if len(value) < frameHead+frameTail || len(value) > maxValueSize {
		return 0, 0, nil, errSize
	}
	framed := value[:len(value)-frameTail]
	// Before the version: a flipped bit in the version must not be taken for a
	// newer program.
	if checksum(key, framed) != binary.LittleEndian.Uint32(value[len(framed):]) {
		return 0, 0, nil, errChecksum
	}
	ver = framed[0]
	if ver == 0 || ver > version {
		return 0, 0, nil, fmt.Errorf("it has version %d and this program knows up to %d", ver, version)
	}
	return ver, binary.LittleEndian.Uint64(framed[1:]), framed[frameHead:], nil
}

// decodeRecord reads the body of a record. Only version 1 has the last use in it,
// version 2 says nothing of the time since when the state has been, version 3
// nothing of a start after the service was ready.
func decodeRecord(ver byte, body []byte) (Record, error) {
	d := decoder{ver: ver, rest: body}
	var r Record
	if ver == 1 {
		d.recordV1(&r)
	} else {
		d.record(&r)
	}
	return r, d.end()
}

// decodeUse reads the body of a last use.
func decodeUse(body []byte) (time.Time, error) {
	d := decoder{rest: body}
	t := d.time()
	return t, d.end()
}

// decoder takes a body apart. After the first fault every value is zero and
// nothing is allocated; the fault is kept for the end.
type decoder struct {
	ver  byte
	rest []byte
	bad  bool
}

// record reads what version 2 knew, and what later ones added.
func (d *decoder) record(r *Record) {
	r.Kind = d.text()
	r.State = d.text()
	r.Held = d.flag()
	r.Reason = d.text()
	r.Run = d.uvarint()
	r.LastRun = d.uvarint()
	r.Pid = int(d.varint())
	r.StartTime = d.uvarint()
	r.BootID = d.text()
	r.Port = int(d.varint())
	r.Address = d.text()
	r.ReadySince = d.time()
	r.RetryAt = d.time()
	r.StartCount = d.uvarint()
	r.TotalUptime = time.Duration(d.varint())
	r.Failures = int(d.varint())
	d.starts(r)
	if d.ver >= 3 {
		r.Since = d.time()
	}
}

func (d *decoder) starts(r *Record) {
	n := d.uvarint()
	if n > maxStarts {
		d.bad = true
	}
	if d.bad || n == 0 {
		return
	}
	r.RecentStarts = make([]Start, n)
	for i := range r.RecentStarts {
		d.start(&r.RecentStarts[i])
	}
}

func (d *decoder) start(s *Start) {
	s.Run = d.uvarint()
	s.At = d.time()
	s.Launched = time.Duration(d.varint())
	s.Listening = time.Duration(d.varint())
	s.Ready = time.Duration(d.varint())
	if d.ver >= 4 {
		s.Connected = time.Duration(d.varint())
		s.FirstByte = time.Duration(d.varint())
	}
	s.Outcome = d.text()
}

// recordV1 reads what version 1 knew: enough to find a process again, no
// history, and the last use inside the record.
func (d *decoder) recordV1(r *Record) {
	r.State = d.text()
	r.Run = d.uvarint()
	r.LastRun = r.Run
	r.Pid = int(d.varint())
	r.StartTime = d.uvarint()
	r.BootID = d.text()
	r.Port = int(d.varint())
	r.LastUse = d.time()
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.rest)
	return took(d, v, n)
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.rest)
	return took(d, v, n)
}

// took steps over the n bytes that v was read from.
func took[T any](d *decoder, v T, n int) T {
	if d.bad = d.bad || n <= 0; d.bad {
		var zero T
		return zero
	}
	d.rest = d.rest[n:]
	return v
}

func (d *decoder) text() string {
	n := d.uvarint()
	if n > maxText || n > uint64(len(d.rest)) {
		d.bad = true
	}
	if d.bad {
		return ""
	}
	s := string(d.rest[:n])
	d.rest = d.rest[n:]
	return s
}

func (d *decoder) flag() bool {
	v := d.uvarint()
	d.bad = d.bad || v > 1
	return v == 1
}

func (d *decoder) time() time.Time {
	if ns := d.varint(); ns != 0 {
		return time.Unix(0, ns)
	}
	return time.Time{}
}

// end is the verdict: nothing was wrong, and nothing was left over.
func (d *decoder) end() error {
	if d.bad || len(d.rest) > 0 {
		return errBody
	}
	return nil
}
