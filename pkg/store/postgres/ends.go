// File ends.go remembers how invocations left the store, for a while.

package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
	"queue-worker/pkg/store/record"
)

// trimMost is how many ends one batch removes at most.
const trimMost = 1000

// excessEnds is how many of the oldest ends the next batch removes, about, so that the rest is
// within the bound on bytes.
func (s *Store) excessEnds() int {
	st := s.Stats()
	excess := st.EndBytes - s.opts.EndBytes
	if s.opts.EndBytes <= 0 || excess <= 0 || st.Ends == 0 {
		return 0
	}
	return int(min(excess/(st.EndBytes/int64(st.Ends)+1)+1, trimMost))
}

// countTrimmed counts the ends that the first trip has removed.
func (t *txn) countTrimmed() {
	n := t.first.trimmed
	t.delta.ends -= n
	t.delta.endBytes -= t.first.trimmedSize
	t.delta.endsRemoved += uint64(n) // #nosec G115 -- a count
}

// openEnds forgets all ends in a store that is to remember none.
func (s *Store) openEnds(ctx context.Context) error {
	if s.opts.EndTTL > 0 {
		return nil
	}
	_, err := s.pool.Exec(ctx, statement("forget finished"))
	return err
}

// endsBefore is the time at or before which an end has expired.
func (s *Store) endsBefore() int64 { return stamp(s.now().Add(-s.opts.EndTTL)) }

// End reads how an invocation left the store, when that is remembered. ErrNotFound when it is not,
// or no longer.
func (s *Store) End(ctx context.Context, id invocation.ID) (*store.End, error) {
	ctx, done, err := s.reading(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	var rec []byte
	if err := s.pool.QueryRow(ctx, statement("end"), [16]byte(id), s.endsBefore()).Scan(&rec); err != nil {
		return nil, readError(err)
	}
	return decodeEnd(rec)
}

// EndsOfCall reads how the invocations of a call id left the store, the latest end first and at
// most limit of them.
func (s *Store) EndsOfCall(ctx context.Context, callID string, limit int) (found []*store.End, err error) {
	ctx, done, err := s.reading(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	if limit <= 0 {
		return nil, nil
	}
	err = s.each(ctx, func(rows pgx.Rows) error {
		var rec []byte
		if err := rows.Scan(&rec); err != nil {
			return err
		}
		end, err := decodeEnd(rec)
		if err == nil && end.Inv.CallID == callID {
			found = append(found, end)
		}
		return err
	}, statement("ends of call"), hash64(callID), s.endsBefore(), limit)
	return found, err
}

var errNoEnd = errors.New("an end is empty")

func decodeEnd(rec []byte) (found *store.End, err error) {
	err = record.EachEnd(rec, func(e *store.End) bool {
		found = e
		return false
	})
	if err == nil && found == nil {
		err = errNoEnd
	}
	return found, err
}

// sweepStep is how many rows one step of Sweep removes at most.
const sweepStep = 1000

// Sweep removes expired idempotency keys, results and ends, at most one step of them, and returns
// how many. Call it again while it returns any.
func (s *Store) Sweep(ctx context.Context) (n int, err error) {
	err = s.do(ctx, 0, func(t *txn) (err error) {
		n, err = t.sweep()
		return err
	})
	if err != nil {
		return 0, err // the committer may still be at work
	}
	return n, nil
}

func (t *txn) sweep() (total int, err error) {
	total, err = t.exec("sweep keys", stamp(t.now), sweepStep)
	if err != nil {
		return 0, err
	}
	t.delta.keys -= total
	for _, x := range []struct {
		name   string
		before int64
		count  func(int)
	}{
		{"sweep results", stamp(t.now), func(size int) { t.delta.results--; t.delta.resultBytes -= int64(size) }},
		{"sweep finished", t.s.endsBefore(), func(size int) { t.delta.ends--; t.delta.endBytes -= int64(size) }},
	} {
		err := t.query(func(rows pgx.Rows) error {
			var size int
			err := rows.Scan(&size)
			x.count(size)
			total++
			return err
		}, x.name, x.before, sweepStep-total)
		if err != nil {
			return 0, err
		}
	}
	return total, nil
}
