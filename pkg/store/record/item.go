// File item.go encodes items, in which one engine hands over to another what it keeps.

package record

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

var errBadItem = errors.New("an item of an unknown form")

const idLen = len(invocation.ID{})

// InvocationItem is an invocation with its QueueRequest.
func InvocationItem(inv *invocation.Invocation, raw []byte) store.Item {
	id := inv.ID
	return store.Item{Kind: store.ItemInvocation, Key: id[:], Value: Encode(inv), Body: raw, Dead: inv.State == invocation.Dead}
}

// ReadInvocation reads an InvocationItem.
func ReadInvocation(it *store.Item) (*invocation.Invocation, error) {
	if len(it.Key) != idLen {
		return nil, errBadItem
	}
	return Decode(invocation.ID(it.Key), it.Value)
}

// KeyItem is an idempotency key. Expires is in nanoseconds since 1970.
type KeyItem struct {
	Hash, Fingerprint [32]byte
	ID                invocation.ID
	CallID            string
	Expires           int64
}

// Item encodes an idempotency key.
func (k *KeyItem) Item() store.Item {
	v := append(append([]byte{}, k.Fingerprint[:]...), k.ID[:]...)
	v = binary.BigEndian.AppendUint64(v, uint64(k.Expires)) // #nosec G115 -- read the same way
	return store.Item{Kind: store.ItemKey, Key: bytes.Clone(k.Hash[:]), Value: append(v, k.CallID...)}
}

// ReadKey reads a KeyItem.
func ReadKey(it *store.Item) (k KeyItem, err error) {
	const fixed = 32 + idLen + 8
	if len(it.Key) != len(k.Hash) || len(it.Value) < fixed {
		return k, errBadItem
	}
	k.Hash, k.Fingerprint = [32]byte(it.Key), [32]byte(it.Value)
	k.ID = invocation.ID(it.Value[32:])
	k.Expires = int64(binary.BigEndian.Uint64(it.Value[32+idLen:])) // #nosec G115 -- written the same way
	k.CallID = string(it.Value[fixed:])
	return k, nil
}

// SourceItem is a dedup record.
func SourceItem(d store.Source) store.Item {
	key := append(append([]byte(d.Cluster), 0), d.Channel...)
	key = binary.BigEndian.AppendUint64(append(key, 0), uint64(max(d.Timestamp, 0))) // #nosec G115 -- not negative
	return store.Item{Kind: store.ItemSource, Key: binary.BigEndian.AppendUint64(key, d.Sequence)}
}

// ReadSource reads a SourceItem.
func ReadSource(it *store.Item) (d store.Source, err error) {
	head := len(it.Key) - 17
	if head < 0 || it.Key[head] != 0 {
		return d, errBadItem
	}
	cluster, channel, ok := bytes.Cut(it.Key[:head], []byte{0})
	if !ok {
		return d, errBadItem
	}
	d.Cluster, d.Channel = string(cluster), string(channel)
	d.Timestamp = int64(binary.BigEndian.Uint64(it.Key[head+1:])) // #nosec G115 -- written by SourceItem
	d.Sequence = binary.BigEndian.Uint64(it.Key[head+9:])
	return d, nil
}

// TallyItem has the counts of a job.
func TallyItem(job invocation.ID, n store.Tally) store.Item {
	var v []byte
	for _, x := range []int{n.Replayed, n.Succeeded, n.FailedAgain, n.Dropped, n.Cancelled} {
		v = binary.AppendUvarint(v, uint64(x)) // #nosec G115 -- a count
	}
	return store.Item{Kind: store.ItemTally, Key: bytes.Clone(job[:]), Value: v}
}

// ReadTally reads a TallyItem.
func ReadTally(it *store.Item) (job invocation.ID, n store.Tally, err error) {
	if len(it.Key) != idLen {
		return job, n, errBadItem
	}
	rest := it.Value
	for _, x := range []*int{&n.Replayed, &n.Succeeded, &n.FailedAgain, &n.Dropped, &n.Cancelled} {
		v, size := binary.Uvarint(rest)
		if size <= 0 {
			return job, n, errBadItem
		}
		*x, rest = int(v), rest[size:] // #nosec G115 -- a count
	}
	return invocation.ID(it.Key), n, nil
}

// ResultItem is a result as EncodeResult writes it, and its body.
func ResultItem(id invocation.ID, written, body []byte) store.Item {
	return store.Item{Kind: store.ItemResult, Key: id[:], Value: written, Body: body}
}

// ReadResult reads a ResultItem.
func ReadResult(it *store.Item) (*store.Result, error) {
	if len(it.Key) != idLen {
		return nil, errBadItem
	}
	r, size, err := DecodeResult(invocation.ID(it.Key), it.Value)
	switch {
	case err != nil:
		return nil, err
	case size != len(it.Body):
		return nil, fmt.Errorf("result of %s: its body has %d bytes, it was written with %d", r.Inv.ID, len(it.Body), size)
	}
	r.Body = it.Body
	return r, nil
}

// EndItem is one end.
func EndItem(end *store.End) store.Item {
	var e Ends
	e.Add(end.Inv, end.Outcome, end.At)
	key := binary.BigEndian.AppendUint64(nil, uint64(end.At.UnixNano())) // #nosec G115 -- read nowhere
	return store.Item{Kind: store.ItemEnd, Key: append(key, end.Inv.ID[:]...), Value: e.Bytes()}
}

// ReadEnd reads an EndItem.
func ReadEnd(it *store.Item) (end *store.End, err error) {
	err = EachEnd(it.Value, func(e *store.End) bool { end = e; return false })
	if err == nil && end == nil {
		err = errBadItem
	}
	return end, err
}
