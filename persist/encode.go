package persist

import (
	"encoding/binary"
	"hash/crc32"
	"time"
)

// A value in the store is a frame around a body:
//
//	version   1 byte
//	sequence  8 bytes, little endian: the batch that wrote it
//	body      as the version says
//	checksum  4 bytes, little endian: CRC-32C of the key and all of the above
//
// The checksum is ours although Pebble has its own, because Pebble's covers
// blocks as Pebble wrote them: it says nothing of a value that was wrong before,
// or that came to stand under another key. The golden bytes in testdata hold
// the format still: a change of any body is a new version.
const (
	version      = 4
	frameHead    = 1 + 8
	frameTail    = 4
	maxValueSize = 16 << 10 // bytes; the largest record is below 10 KiB
)

// What is kept under which key. The last use stands apart from the record: it
// changes every second and is ten times smaller.
const (
	recordPrefix = "service/"
	usePrefix    = "used/"
	headKey      = "head" // an empty body: its sequence is that of the last batch
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(key string, framed []byte) uint32 {
	return crc32.Update(crc32.Checksum([]byte(key), castagnoli), castagnoli, framed)
}

// frame returns the value that stands under key.
func frame(key string, sequence uint64, body []byte) []byte {
	b := make([]byte, 0, frameHead+len(body)+frameTail)
	b = append(b, version)
	b = binary.LittleEndian.AppendUint64(b, sequence)
	b = append(b, body...)
	return binary.LittleEndian.AppendUint32(b, checksum(key, b))
}

// appendRecord appends the body of a record. The name is in the key, the last
// use under a key of its own.
func appendRecord(b []byte, r *Record) []byte {
	b = appendText(b, r.Kind)
	b = appendText(b, r.State)
	b = appendFlag(b, r.Held)
	b = appendText(b, r.Reason)
	b = binary.AppendUvarint(b, r.Run)
	b = binary.AppendUvarint(b, r.LastRun)
	b = binary.AppendVarint(b, int64(r.Pid))
	b = binary.AppendUvarint(b, r.StartTime)
	b = appendText(b, r.BootID)
	b = binary.AppendVarint(b, int64(r.Port))
	b = appendText(b, r.Address)
	b = appendTime(b, r.ReadySince)
	b = appendTime(b, r.RetryAt)
	b = binary.AppendUvarint(b, r.StartCount)
	b = binary.AppendVarint(b, int64(r.TotalUptime))
	b = binary.AppendVarint(b, int64(r.Failures))
	starts := r.RecentStarts[max(0, len(r.RecentStarts)-maxStarts):]
	b = binary.AppendUvarint(b, uint64(len(starts)))
	for i := range starts {
		b = appendStart(b, &starts[i])
	}
	return appendTime(b, r.Since)
}

func appendStart(b []byte, s *Start) []byte {
	b = binary.AppendUvarint(b, s.Run)
	b = appendTime(b, s.At)
	b = binary.AppendVarint(b, int64(s.Launched))
	b = binary.AppendVarint(b, int64(s.Listening))
	b = binary.AppendVarint(b, int64(s.Ready))
	b = binary.AppendVarint(b, int64(s.Connected))
	b = binary.AppendVarint(b, int64(s.FirstByte))
	return appendText(b, s.Outcome)
}

func appendText(b []byte, s string) []byte {
	s = cut(s)
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

func appendFlag(b []byte, set bool) []byte {
	if set {
		return append(b, 1)
	}
	return append(b, 0)
}

// appendTime appends nanoseconds since the Unix epoch, and 0 for the zero time:
// nothing here happened in 1970.
func appendTime(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return binary.AppendVarint(b, 0)
	}
	return binary.AppendVarint(b, t.UnixNano())
}
