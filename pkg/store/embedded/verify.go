// File verify.go refuses damaged blocks of tables before Pebble sees them.
//
// Pebble answers a wrong checksum with a search for the flipped bit: it computes up to
// 330,000 checksums of the block. That takes a fifth of a second for a block of 16 KiB and
// minutes for one with a large request, every time the block is read.

package embedded

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io/fs"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// A block in a table is followed by one byte for its compression and four for the checksum
// of both. The checksum is a CRC-32C, rotated and shifted as in RocksDB.
const (
	checksumLen   = 4
	blockTrailer  = 1 + checksumLen
	checksumShift = 0xa282ead8
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func blockChecksum(b []byte) uint32 {
	c := crc32.Checksum(b, castagnoli)
	return (c>>15 | c<<17) + checksumShift
}

func isTable(name string) bool { return strings.HasSuffix(name, ".sst") }

// verifiedFile is a table whose blocks are verified while suspect says so.
type verifiedFile struct {
	vfs.File
	name    string
	size    int64
	suspect func() bool
}

// verified wraps a table that was opened for reading.
func verified(f vfs.File, name string, suspect func() bool) (vfs.File, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, closing(err, f)
	}
	return verifiedFile{f, name, info.Size(), suspect}, nil
}

// ReadAt verifies what it reads. Every read of a table is that of one block with its
// trailer, but for the footer, which alone reaches to the end of the file.
func (f verifiedFile) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.File.ReadAt(p, off)
	if err != nil || n < blockTrailer || off+int64(n) >= f.size || !f.suspect() {
		return n, err
	}
	if end := n - checksumLen; blockChecksum(p[:end]) != binary.LittleEndian.Uint32(p[end:n]) {
		return 0, &fs.PathError{Op: "read", Path: f.name, Err: fmt.Errorf("block at %d: checksum mismatch: %w", off, pebble.ErrCorruption)}
	}
	return n, nil
}
