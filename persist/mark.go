package persist

import (
	"encoding/binary"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// The mark is a file of 20 bytes beside Pebble's own that holds the sequence of
// the last batch. It finds a loss that the store itself cannot know of: a log
// with a flipped bit can open as if it ended there, and then the head that was
// written with each batch has gone with the rest.
//
// It is written in place when a batch is on the disk, and not synced: one write
// to the page cache, which a killed process cannot take back. A power cut can,
// and then the mark is older than the store, which is no loss. It is never
// newer than what was on the disk, so what it reports is true.
const (
	markName = "last-sequence"
	markSize = 8 + 8 + 4 // magic, sequence, checksum
)

var markMagic = []byte("dynapm\x00\x01")

// mark is the file, open for writing.
type mark struct{ file vfs.File }

// openMark opens the mark of a session. Behind its fence nothing of this fails
// but by ending the session.
func openMark(s *session, dir string) (mark, error) {
	file, err := s.fence.OpenReadWrite(s.fence.PathJoin(dir, markName), vfs.WriteCategoryUnspecified)
	if err != nil {
		return mark{}, err
	}
	if err := s.end(); err != nil {
		file.Close()
		return mark{}, err
	}
	return mark{file}, nil
}

func (m mark) write(sequence uint64) {
	b := append(make([]byte, 0, markSize), markMagic...)
	b = binary.LittleEndian.AppendUint64(b, sequence)
	b = binary.LittleEndian.AppendUint32(b, checksum(markName, b))
	m.file.WriteAt(b, 0)
}

// readMark is the sequence that the file holds: 0 if there is none, or if it is
// torn, which says nothing about the store.
func readMark(fs vfs.FS, dir string) uint64 {
	file, err := fs.Open(fs.PathJoin(dir, markName))
	if err != nil {
		return 0
	}
	defer file.Close()
	var b [markSize]byte
	if n, _ := file.ReadAt(b[:], 0); n < markSize {
		return 0
	}
	if string(b[:8]) != string(markMagic) || checksum(markName, b[:16]) != binary.LittleEndian.Uint32(b[16:]) {
		return 0
	}
	return binary.LittleEndian.Uint64(b[8:])
}
