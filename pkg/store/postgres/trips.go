// File trips.go has the statements of the two round trips of a batch. Each is sent only when an
// operation needs it.

package postgres

import (
	"github.com/jackc/pgx/v5"

	"queue-worker/pkg/invocation"
)

// source is the source of a message, as the table of dedup records has it.
type source struct{ channel, ts, seq int64 }

// found is what a settlement has taken out of its place.
type found struct {
	delayed bool
	size    int
	mailbox bool
}

// first is what operations need of the first trip, and what it has brought.
type first struct {
	once    []invocation.ID
	keys    [][]byte
	sources []source
	results []invocation.ID
	leave   []*settleOp
	retry   []*settleOp
	bury    []*settleOp

	stored      map[invocation.ID]bool // of once
	knownKeys   map[[32]byte]*claim
	known       map[source]bool
	resultSizes map[invocation.ID]int
	settled     map[invocation.ID]found
	trimmed     int // ends that were removed because of their bytes
	trimmedSize int64
}

func newFirst() first {
	return first{
		stored: map[invocation.ID]bool{}, knownKeys: map[[32]byte]*claim{}, known: map[source]bool{},
		resultSizes: map[invocation.ID]int{}, settled: map[invocation.ID]found{},
	}
}

func (t *txn) queueFirst(b *pgx.Batch) {
	f := &t.first
	if len(f.once) > 0 {
		b.Queue(statement("stored ids"), uuids(f.once)).Query(each(func(id [16]byte) { f.stored[id] = true }))
	}
	if len(f.keys) > 0 {
		b.Queue(statement("known keys"), f.keys).Query(func(rows pgx.Rows) error { return eachRow(rows, f.key) })
	}
	if len(f.sources) > 0 {
		channels, times, seqs := columns(f.sources)
		b.Queue(statement("known sources"), channels, times, seqs).Query(func(rows pgx.Rows) error {
			return eachRow(rows, func(rows pgx.Rows) error {
				var d source
				err := rows.Scan(&d.channel, &d.ts, &d.seq)
				f.known[d] = true
				return err
			})
		})
	}
	if len(f.results) > 0 {
		b.Queue(statement("known results"), uuids(f.results)).Query(func(rows pgx.Rows) error {
			return eachRow(rows, func(rows pgx.Rows) error {
				var id [16]byte
				var size int
				err := rows.Scan(&id, &size)
				f.resultSizes[id] = size
				return err
			})
		})
	}
	if n := t.s.excessEnds(); n > 0 && len(f.leave) > 0 {
		b.Queue(statement("trim finished"), n).Query(each(func(size int) {
			f.trimmed++
			f.trimmedSize += int64(size)
		}))
	}
	t.queueSettled(b)
}

// each calls f with the only column of all rows.
func each[T any](f func(T)) func(pgx.Rows) error {
	return func(rows pgx.Rows) error {
		return eachRow(rows, func(rows pgx.Rows) error {
			var x T
			err := rows.Scan(&x)
			f(x)
			return err
		})
	}
}

func (f *first) key(rows pgx.Rows) error {
	var c claim
	var hash, fingerprint, callID []byte
	var id [16]byte
	var expires int64
	if err := rows.Scan(&hash, &fingerprint, &id, &callID, &expires); err != nil {
		return err
	}
	copy(c.Hash[:], hash)
	copy(c.print[:], fingerprint)
	c.id, c.callID, c.Expires = id, string(callID), unstamp(expires)
	f.knownKeys[c.Hash] = &c
	return nil
}

func columns(all []source) (channels, times, seqs []int64) {
	for _, d := range all {
		channels, times, seqs = append(channels, d.channel), append(times, d.ts), append(seqs, d.seq)
	}
	return channels, times, seqs
}
