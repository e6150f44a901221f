// File tallies.go counts, for each job that replays, what became of the invocations. The batch
// that replays or finishes an invocation has the new counts, so they are exact after a kill.

package embedded

import (
	"context"
	"encoding/binary"
	"errors"
	"maps"
	"sync"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// tallies are those of all jobs as of the latest commit. Only the committer changes them.
type tallies struct {
	mu  sync.Mutex
	all map[invocation.ID]store.Tally
}

// Tally returns what became of the invocations that a job has replayed; false when nothing is
// known of it.
func (s *Store) Tally(_ context.Context, job invocation.ID) (t store.Tally, known bool, err error) {
	s.tallies.mu.Lock()
	defer s.tallies.mu.Unlock()
	t, known = s.tallies.all[job]
	return t, known, nil
}

// DropTally forgets a job, and returns when that is durable. It begins a batch, so that no operation
// of the same batch counts for the job.
func (s *Store) DropTally(ctx context.Context, job invocation.ID) error {
	return s.doAlone(ctx, func(t *txn) error {
		t.dropped = job
		_ = t.batch.Delete(appendTallyKey(nil, job), nil) // a batch in memory takes any write
		return nil
	})
}

// replayedBy counts an invocation for the job that replays it, zero for none.
func (t *txn) replayedBy(job invocation.ID) {
	if job.IsZero() {
		return
	}
	n, _ := t.tally(job)
	n.Replayed++
	t.tallies[job] = n
}

// finishedFor counts the outcome of an invocation for the job that has replayed it, zero for
// none. A job that was forgotten stays so.
func (t *txn) finishedFor(job invocation.ID, outcome invocation.Outcome) {
	if job.IsZero() || outcome == invocation.OutcomeRetry {
		return
	}
	if n, known := t.tally(job); known {
		n.Count(outcome)
		t.tallies[job] = n
	}
}

// tally is that of a job as the batch leaves it.
func (t *txn) tally(job invocation.ID) (n store.Tally, known bool) {
	if n, known = t.tallies[job]; known || job == t.dropped {
		return n, known
	}
	n, known = t.s.tallies.all[job] // without its lock: only this goroutine changes it
	return n, known
}

// putTallies writes what the batch has counted. The keys are written over and over, so they are
// deleted in the ordinary way and not as unset does it.
func (t *txn) putTallies() {
	for job, n := range t.tallies {
		_ = t.batch.Set(appendTallyKey(nil, job), encodeTally(n), nil) // a batch in memory takes any write
	}
}

// applyTallies takes over what a batch has counted, once it is durable.
func (s *Store) applyTallies(t *txn) {
	if len(t.tallies) == 0 && t.dropped.IsZero() {
		return
	}
	s.tallies.mu.Lock()
	defer s.tallies.mu.Unlock()
	delete(s.tallies.all, t.dropped)
	maps.Copy(s.tallies.all, t.tallies)
}

func appendTallyKey(b []byte, job invocation.ID) []byte {
	return append(append(b, tallyPrefix...), job[:]...)
}

func encodeTally(n store.Tally) (b []byte) {
	for _, v := range []int{n.Replayed, n.Succeeded, n.FailedAgain, n.Dropped, n.Cancelled} {
		b = binary.AppendUvarint(b, uint64(v)) // #nosec G115 -- a count
	}
	return b
}

var errBadTally = errors.New("tally of an unknown form")

func decodeTally(b []byte) (n store.Tally, err error) {
	for _, v := range []*int{&n.Replayed, &n.Succeeded, &n.FailedAgain, &n.Dropped, &n.Cancelled} {
		if *v, b, err = parseSize(b); err != nil {
			return n, errBadTally
		}
	}
	return n, nil
}

// openTallies reads all tallies.
func (s *Store) openTallies() error {
	return s.each(tallyPrefix, after(tallyPrefix), func(key, value []byte) (bool, error) {
		n, err := decodeTally(value)
		if err != nil || len(key) != len(tallyPrefix)+idLen {
			_ = s.damaged(errBadTally) // costs this job's counts only
			return true, nil           //nolint:nilerr // it has been noted
		}
		s.tallies.all[invocation.ID(key[len(tallyPrefix):])] = n
		return true, nil
	})
}
