// File report.go counts and digests what a store keeps.

package transfer

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"

	"queue-worker/pkg/store"
)

// kindNames are the kinds as a report and the progress name them.
var kindNames = [store.ItemKinds]string{
	store.ItemSecret: "secret of idempotency keys", store.ItemNote: "notes", store.ItemTally: "counts of jobs", store.ItemSource: "dedup records",
	store.ItemInvocation: "invocations", store.ItemKey: "idempotency keys", store.ItemResult: "results", store.ItemEnd: "outcomes",
}

// Digest is a sum over the hashes of items. It does not depend on their order.
type Digest [4]uint64

func (d *Digest) add(it *store.Item) {
	h := sha256.New()
	for _, part := range [][]byte{it.Key, it.Value, it.Body} {
		_, _ = h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part)))) // a hash takes everything
		_, _ = h.Write(part)
	}
	sum := h.Sum(nil)
	for i := range d {
		d[i] += binary.BigEndian.Uint64(sum[8*i:])
	}
}

// String is the digest in hexadecimal.
func (d Digest) String() string {
	var b []byte
	for _, n := range d {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	return hex.EncodeToString(b)
}

// Sum counts items of one kind.
type Sum struct {
	Items  int
	Bytes  int64 // of QueueRequests and of bodies of results
	Digest Digest
}

// Line is one kind of what was copied.
type Line struct {
	Kind           string
	Source, Target Sum
}

// Report has a line for each kind; invocations have two, by their state.
type Report []Line

// Equal reports whether both stores have the same.
func (r Report) Equal() bool {
	for _, l := range r {
		if l.Source != l.Target {
			return false
		}
	}
	return true
}

// names of lines beside those of kinds, in sums.
const (
	pendingLine = int(store.ItemInvocation)
	deadLine    = int(store.ItemKinds)
	lines       = deadLine + 1
)

// sums are the sums of a store by line.
type sums [lines]Sum

func (c *copier) sum(ctx context.Context, s Store, step string) (all sums, err error) {
	read := int64(0)
	for kind := store.ItemKind(0); kind < store.ItemKinds; kind++ {
		for cursor, more := []byte(nil), true; more; more = cursor != nil {
			var page []store.Item
			if err := ctx.Err(); err != nil {
				return all, context.Cause(ctx)
			}
			if page, cursor, err = s.Items(ctx, kind, cursor); err != nil {
				return all, err
			}
			read += int64(len(page))
			c.o.Progress(step, read)
			for _, it := range copied(page) {
				all.add(&it)
			}
		}
	}
	return all, nil
}

func (s *sums) add(it *store.Item) {
	line := int(it.Kind)
	if it.Dead {
		line = deadLine
	}
	s[line].Items++
	s[line].Bytes += int64(len(it.Body))
	s[line].Digest.add(it)
}

// report puts the sums of two stores side by side, invocations first.
func report(source, target sums) Report {
	line := func(name string, n int) Line { return Line{name, source[n], target[n]} }
	r := Report{line("pending invocations", pendingLine), line("dead letters", deadLine)}
	for _, kind := range []store.ItemKind{store.ItemKey, store.ItemSource, store.ItemResult, store.ItemEnd, store.ItemTally, store.ItemNote, store.ItemSecret} {
		r = append(r, line(kindNames[kind], int(kind)))
	}
	return r
}
