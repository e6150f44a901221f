// File result.go keeps results: the outcomes of invocations, for a time after they have finished.

package postgres

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
	"queue-worker/pkg/store/record"
)

// outgoing is a result with its record encoded, before the committer gets it.
type outgoing struct {
	store.Result
	id      invocation.ID
	written []byte
}

// newOutgoing encodes a result; without an invocation it is that of the settlement.
func newOutgoing(id invocation.ID, r *store.Result, inv *invocation.Invocation) *outgoing {
	o := &outgoing{Result: *r, id: id}
	if o.Inv == nil {
		o.Inv = inv
	}
	o.written = record.EncodeResult(&o.Result)
	return o
}

func (o *outgoing) bytes() int { return len(o.written) + len(o.Body) }

// putResult writes a result in place of an older one.
func (t *txn) putResult(o *outgoing) {
	if old, known := t.first.resultSizes[o.id]; known {
		t.delta.resultBytes -= int64(old)
	} else {
		t.delta.results++
	}
	t.delta.resultBytes += int64(o.bytes())
	t.second.results = append(t.second.results, o)
}

// Result reads how an invocation ended. ErrNotFound when that is not known, or no longer.
func (s *Store) Result(ctx context.Context, id invocation.ID, withBody bool) (r *store.Result, err error) {
	ctx, done, err := s.reading(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	var rec, body []byte
	if withBody {
		err = s.pool.QueryRow(ctx, statement("result with body"), [16]byte(id), stamp(s.now())).Scan(&rec, &body)
	} else {
		err = s.pool.QueryRow(ctx, statement("result"), [16]byte(id), stamp(s.now())).Scan(&rec)
	}
	if err != nil {
		return nil, readError(err)
	}
	if r, _, err = record.DecodeResult(id, rec); err == nil && len(body) > 0 {
		r.Body = body
	}
	return r, err
}

// FindCall returns what is known of a call id, which may come several times: the invocations that
// are in the store, oldest first, and the results, youngest invocation first and without their
// bodies. Of each there are at most limit. All are of one statement, and so of one moment.
func (s *Store) FindCall(ctx context.Context, callID string, limit int) (found []*invocation.Invocation, results []*store.Result, err error) {
	ctx, done, err := s.reading(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer done()
	if limit <= 0 {
		return nil, nil, nil
	}
	err = s.each(ctx, func(rows pgx.Rows) error {
		kind, inv, r, err := scanCall(rows)
		switch {
		case err != nil:
			return err
		case kind == ofResult && r.Inv.CallID == callID:
			results = append(results, r)
		case kind != ofResult && inv.CallID == callID:
			found = append(found, inv)
		}
		return nil
	}, statement("call"), hash64(callID), limit, stamp(s.now()))
	slices.SortFunc(found, func(a, b *invocation.Invocation) int { return slices.Compare(a.ID[:], b.ID[:]) })
	return found[:min(limit, len(found))], results, err
}

// ofResult is the first column of a result in the answer of the statement "call".
const ofResult = 2

// scanCall reads an invocation or a result.
func scanCall(rows pgx.Rows) (kind int, inv *invocation.Invocation, r *store.Result, err error) {
	var id [16]byte
	var crashes int
	var rec []byte
	if err := rows.Scan(&kind, &id, &crashes, &rec); err != nil {
		return 0, nil, nil, err
	}
	if kind == ofResult {
		r, _, err = record.DecodeResult(id, rec)
		return kind, nil, r, err
	}
	inv, err = decode(id, crashes, rec)
	return kind, inv, nil, err
}

// decode reads a record. Crashes are counted beside it.
func decode(id invocation.ID, crashes int, rec []byte) (*invocation.Invocation, error) {
	inv, err := record.Decode(id, rec)
	if err == nil && crashes > inv.Crashes {
		inv.Crashes = crashes
	}
	return inv, err
}
