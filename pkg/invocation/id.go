package invocation

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"sync"
	"time"
)

// ID is the identity that this program gives an invocation: a UUID of version 7
// (RFC 9562), so ids sort by the time at which they were made. The caller's
// X-Call-Id is another thing: it may come twice.
type ID [16]byte

// ErrBadID is returned by ParseID for text that is not a UUID.
var ErrBadID = errors.New("not an invocation id (a UUID such as 0198f2a4-7c1e-7b3d-9f60-2a41c5d0e8b7)")

// ids hands out ids in rising order within this process.
var ids struct {
	mu   sync.Mutex
	last uint64 // milliseconds << 12 | counter
	pool [4096]byte
	left int
}

// NewID makes an id for an invocation that was first seen at t. Ids that one
// process makes rise strictly, also within one millisecond and when the clock
// is set back.
func NewID(t time.Time) ID {
	var id ID
	ids.mu.Lock()
	next := uint64(max(t.UnixMilli(), 0)) << 12 // #nosec G115 -- clamped to zero just there
	if next <= ids.last {
		next = ids.last + 1
	}
	ids.last = next
	if ids.left < 8 {
		_, _ = rand.Read(ids.pool[:]) // crypto/rand.Read never returns an error
		ids.left = len(ids.pool)
	}
	copy(id[8:], ids.pool[ids.left-8:ids.left])
	ids.left -= 8
	ids.mu.Unlock()

	binary.BigEndian.PutUint64(id[:8], next>>12<<16|0x7000|next&0xfff)
	id[8] = id[8]&0x3f | 0x80
	return id
}

// DerivedID makes the id of what is known by something else already: from the same
// time and the same identity comes the same id, in any process. Like every id it
// sorts by time, to the quarter of a microsecond.
func DerivedID(t time.Time, identity []byte) ID {
	var id ID
	sum := sha256.Sum256(identity)
	copy(id[8:], sum[:])
	nanoseconds := uint64(max(t.UnixNano(), 0)) // #nosec G115 -- clamped to zero just there
	const millisecond = uint64(time.Millisecond)
	fraction := nanoseconds % millisecond << 12 / millisecond // RFC 9562, section 6.2, method 3
	binary.BigEndian.PutUint64(id[:8], nanoseconds/millisecond<<16|0x7000|fraction)
	id[8] = id[8]&0x3f | 0x80
	return id
}

// ParseID reads the text form of an id.
func ParseID(s string) (ID, error) {
	var id ID
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return ID{}, ErrBadID
	}
	if _, err := hex.Decode(id[:], []byte(s[:8]+s[9:13]+s[14:18]+s[19:23]+s[24:])); err != nil {
		return ID{}, ErrBadID
	}
	return id, nil
}

// String is the usual text form of a UUID.
func (id ID) String() string {
	var b [36]byte
	hex.Encode(b[:8], id[:4])
	b[8] = '-'
	hex.Encode(b[9:13], id[4:6])
	b[13] = '-'
	hex.Encode(b[14:18], id[6:8])
	b[18] = '-'
	hex.Encode(b[19:23], id[8:10])
	b[23] = '-'
	hex.Encode(b[24:], id[10:])
	return string(b[:])
}

// IsZero reports whether there is no id.
func (id ID) IsZero() bool { return id == ID{} }

// MarshalText makes an id a string in JSON.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText is the reverse of MarshalText.
func (id *ID) UnmarshalText(b []byte) error {
	v, err := ParseID(string(b))
	if err == nil {
		*id = v
	}
	return err
}
