// File keys.go has the layout of the keys. Times are Unix nanoseconds and ids are UUIDv7,
// both big endian, so keys are in the order of the calls.
//
//	v                                          layout version
//	i/<id>                                     record of an invocation (msgpack), see pkg/store/record
//	b/<id>, b/<id><part>                       its QueueRequest, byte for byte, unless it is in i/; see parts.go
//	w/<id>, w/<id><expiry>                     of a QueueRequest or an answer parts are written, and no record yet
//	c/<hash of call id><id>                    for look-ups by call id
//	s/<generation><source>                     dedup record of one message, see dedup.go
//	m/<generation><source> -> sources          dedup records of a batch, see runs.go
//	n/<name>                                   notes, see notes.go
//	k/<hash>                                   idempotency keys, see once.go
//	o/<id>                                     outcome of an invocation, see result.go
//	p/<id>, p/<id><expiry>, p/<id><expiry><n>  its answer, byte for byte, whole or in parts
//	q/<hash of call id><id>                    for look-ups by call id after the end
//	e/<time>k<hash>, e/<time>o<id>             when a key and a result expire
//	a/<deadline><id>                           pending invocations that have a deadline, see deadline.go
//	f/<number>                                 ends of the invocations that left in one batch, see ends.go
//	g/<number>                                 filter of the ends up to this number, see ends.go
//	j/<job>                                    what became of the invocations that a job replayed
//
// and exactly one of these, which says where the invocation is:
//
//	r/<queue>\0<lane>\0<since><id> -> size, source              ready (or in flight)
//	d/<due><id>                   -> size, queue\0lane, source  delayed
//	x/<died><id>                  -> letter                    dead
//
// The size is that of the QueueRequest and the answer kept with it, which is in the record; the source is
// left out for the gateway.
// With both in the index, the counts at the start need no record.

package embedded

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// layoutVersion is what this program writes.
//
//	1  every QueueRequest has a key of its own
//	2  a small QueueRequest is in the record until that is rewritten; dedup records of a batch
//	   share a key
//	3  pending invocations that have a deadline are in an index; jobs have counts
//	4  the QueueRequest of a large callback, and the body of a large result, is in parts
//
// What an older version has written is read as it is, so an upgrade changes only the version, and
// to 3 adds that index.
const layoutVersion = 4

var (
	versionKey     = []byte("v")
	recordPrefix   = []byte("i/")
	bytesPrefix    = []byte("b/")
	callPrefix     = []byte("c/")
	seenPrefix     = []byte("s/")
	runPrefix      = []byte("m/")
	readyPrefix    = []byte("r/")
	delayedPrefix  = []byte("d/")
	deadPrefix     = []byte("x/")
	notePrefix     = []byte("n/")
	claimPrefix    = []byte("k/")
	resultPrefix   = []byte("o/")
	bodyPrefix     = []byte("p/")
	expiryPrefix   = []byte("e/")
	deadlinePrefix = []byte("a/")
	endPrefix      = []byte("f/")
	filterPrefix   = []byte("g/")
	tallyPrefix    = []byte("j/")

	unfinishedPrefix = []byte("w/")

	resultCallPrefix = []byte("q/")
)

// keyKind is one kind of keys.
type keyKind struct {
	prefix []byte
	name   string // in messages
	// derived: the keys follow from invocations, results and idempotency keys, see asks.go. Each
	// ends with the id of the invocation or result, or with the hash of the idempotency key.
	derived bool
	// layout is the first that has these keys, 0 for every one. The upgrade to it makes them.
	layout uint32
}

// keyKinds are all keys of a store but its version. Check and Repair know no others.
var keyKinds = []keyKind{
	{deadlinePrefix, "deadlines", true, 3},
	{bytesPrefix, "QueueRequests", false, 0},
	{callPrefix, "call ids", true, 0},
	{delayedPrefix, "delayed entries", true, 0},
	{expiryPrefix, "expiry entries", true, 0},
	{endPrefix, "ends", false, 0},
	{filterPrefix, "filters of ends", false, 0},
	{recordPrefix, "records", false, 0},
	{claimPrefix, "idempotency keys", false, 0},
	{runPrefix, "dedup records of batches", false, 0},
	{notePrefix, "notes", false, 0},
	{resultPrefix, "results", false, 0},
	{bodyPrefix, "bodies of results", false, 0},
	{resultCallPrefix, "call ids of results", true, 0},
	{readyPrefix, "ready entries", true, 0},
	{seenPrefix, "dedup records", false, 0},
	{deadPrefix, "dead entries", true, 0},
	{tallyPrefix, "counts of jobs", false, 0},
	{unfinishedPrefix, "unfinished QueueRequests and bodies", false, 0},
}

// kindOf returns the kind of a key, nil for none.
func kindOf(key []byte) *keyKind {
	for i := range keyKinds {
		if bytes.HasPrefix(key, keyKinds[i].prefix) {
			return &keyKinds[i]
		}
	}
	return nil
}

// Lengths of the fixed parts.
const (
	idLen    = 16
	stampLen = 8 // a time
	tailLen  = stampLen + idLen
	hashLen  = 16
)

var errBadKey = errors.New("key of an unknown form")

// The functions that make keys append them to b, so that the committer can make
// all of them in one piece of memory.

func appendRecordKey(b []byte, id invocation.ID) []byte {
	return append(append(b, recordPrefix...), id[:]...)
}
func appendBytesKey(b []byte, id invocation.ID) []byte {
	return append(append(b, bytesPrefix...), id[:]...)
}

// appendCallKey hashes the caller's text, which may have any length and any bytes.
func appendCallKey(b []byte, callID string, id invocation.ID) []byte {
	return append(appendCallRange(b, callID), id[:]...)
}

func appendCallRange(b []byte, callID string) []byte {
	var text [64]byte // holds what callers send, and spares an allocation
	h := sha256.Sum256(append(text[:0], callID...))
	return append(append(b, callPrefix...), h[:hashLen]...)
}

// lastSecond is the last whole second that a time in a key can tell, in the year 2262.
const lastSecond = math.MaxInt64 / int64(time.Second)

// stamp appends a time. One before 1970 counts as then, one that is too late to be
// taken for never.
func stamp(b []byte, t time.Time) []byte {
	switch at := t.Unix(); {
	case at < 0:
		return binary.BigEndian.AppendUint64(b, 0)
	case at >= lastSecond:
		return binary.BigEndian.AppendUint64(b, math.MaxInt64)
	}
	return binary.BigEndian.AppendUint64(b, uint64(t.UnixNano())) // #nosec G115 -- not negative
}

// sameStamp reports whether two times are equal in a key.
func sameStamp(a, b time.Time) bool {
	var x, y [stampLen]byte
	return bytes.Equal(stamp(x[:0], a), stamp(y[:0], b))
}

func unstamp(b []byte) time.Time {
	return time.Unix(0, int64(binary.BigEndian.Uint64(b))) // #nosec G115 -- written by stamp
}

// laneText is a lane as it stands in keys and values. Names of queues and lanes
// hold no NUL: they are checked names, or a host and a port.
func laneText(b []byte, l invocation.Lane) []byte {
	b = append(b, l.Queue...)
	b = append(b, 0)
	return append(b, l.Name...)
}

func parseLane(b []byte) (invocation.Lane, error) {
	queue, name, ok := bytes.Cut(b, []byte{0})
	if !ok {
		return invocation.Lane{}, errBadKey
	}
	return invocation.Lane{Queue: string(queue), Name: string(name)}, nil
}

func appendLaneRange(b []byte, l invocation.Lane) []byte {
	return append(laneText(append(b, readyPrefix...), l), 0)
}

func appendReadyKey(b []byte, r store.Ready) []byte {
	return append(stamp(appendLaneRange(b, r.Lane), r.Since), r.ID[:]...)
}

func parseReady(key []byte) (store.Ready, error) {
	head := len(key) - tailLen - 1
	if head < len(readyPrefix) || key[head] != 0 {
		return store.Ready{}, errBadKey
	}
	lane, err := parseLane(key[len(readyPrefix):head])
	if err != nil {
		return store.Ready{}, err
	}
	since, id := parseTail(key)
	return store.Ready{Lane: lane, Since: since, ID: id}, nil
}

// appendTimedKey makes a key of the delayed, of the dead, or of a deadline.
func appendTimedKey(b, prefix []byte, t time.Time, id invocation.ID) []byte {
	return append(stamp(append(b, prefix...), t), id[:]...)
}

// parseTail reads the time and id that end a key of the three indexes.
func parseTail(key []byte) (time.Time, invocation.ID) {
	tail := key[len(key)-tailLen:]
	return unstamp(tail), invocation.ID(tail[stampLen:])
}

// appendDedupKey makes the key of one message in one generation of dedup records. The
// timestamp comes first, so that the latest message of a channel is the last.
func appendDedupKey(b []byte, generation uint32, d *store.Source) []byte {
	return at(d).append(appendChannelPrefix(b, seenPrefix, generation, channelOf(d)))
}

// appendChannelPrefix begins the dedup records of one channel in one generation.
func appendChannelPrefix(b, prefix []byte, generation uint32, ch channel) []byte {
	b = binary.BigEndian.AppendUint32(append(b, prefix...), generation)
	b = append(append(b, ch.cluster...), 0)
	return append(append(b, ch.name...), 0)
}

// position is the place of a message in its channel.
type position struct {
	timestamp int64
	sequence  uint64
}

const positionLen = 16

func at(d *store.Source) position { return position{d.Timestamp, d.Sequence} }

func (p position) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(max(p.timestamp, 0))) // #nosec G115 -- not negative
	return binary.BigEndian.AppendUint64(b, p.sequence)
}

// parsePosition reads the position that ends the key of a dedup record.
func parsePosition(key []byte) (position, error) {
	if len(key) < positionLen {
		return position{}, errBadKey
	}
	tail := key[len(key)-positionLen:]
	return position{int64(binary.BigEndian.Uint64(tail)), binary.BigEndian.Uint64(tail[8:])}, nil // #nosec G115 -- written by append
}

// after is the first key beyond all that begin with prefix.
func after(prefix []byte) []byte {
	end := bytes.Clone(prefix)
	for i := len(end) - 1; i >= 0; i-- {
		end[i]++
		if end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}
