// File commit.go has the committer, the only writer.

package postgres

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"queue-worker/pkg/crash"
	"queue-worker/pkg/store"
)

// Bounds of one batch. In larger ones the first operation would wait longer.
const (
	batchOps   = 1024
	batchBytes = 4 << 20
	// batchYields is how often a batch that could end waits for what is runnable.
	batchYields = 3
	// raceTries is how often a batch is tried again that another worker has been faster than.
	raceTries = 3
)

// errConflict makes the committer finish the batch before it begins an operation.
var errConflict = errors.New("conflict within a batch")

// errUnknown is wrapped by the error of a commit that may have happened.
var errUnknown = errors.New("outcome of a commit unknown")

// commitLoop runs until the operations' channel is closed and empty.
func (s *Store) commitLoop() {
	defer crash.LogPanic(s.log, "committer")
	defer close(s.committed)
	var held op // it came too early, and is first of the next batch
	for {
		first := held
		held = nil
		if first == nil {
			var ok bool
			if first, ok = <-s.ops; !ok {
				return
			}
		}
		s.began.Store(time.Now().UnixNano())
		if b, ok := first.(*between); ok {
			s.readBetween(b)
		} else {
			var ops []op
			ops, held = s.gather(first)
			s.write(ops)
		}
		s.began.Store(0)
	}
}

// gather collects the operations of a batch that have arrived already. Before it ends, those who
// are about to send one get the chance, since a commit costs the same for many.
func (s *Store) gather(first op) (ops []op, held op) {
	t := newTxn(s, nil)
	for o, yields := first, 0; o != nil; o = s.next(&yields) {
		if errors.Is(o.begin(t), errConflict) {
			return ops, o
		}
		ops = append(ops, o)
		t.bytes += o.size()
		if len(ops) >= batchOps || t.bytes >= batchBytes {
			break
		}
	}
	return ops, nil
}

// next is an operation that has arrived, nil for none.
func (s *Store) next(yields *int) op {
	for {
		select {
		case o := <-s.ops:
			return o // nil when the channel is closed
		default:
		}
		if *yields == batchYields {
			return nil
		}
		*yields++
		runtime.Gosched()
	}
}

// write carries out a batch, as often as it takes, and answers. A batch that the server refuses is
// carried out again one operation at a time, so that one of them does not refuse the others.
func (s *Store) write(ops []op) {
	t, err := s.insist(&ops)
	switch {
	case len(ops) == 0:
	case err == nil:
		for i, o := range ops {
			s.answer(o, t.refused[i])
		}
	case len(ops) > 1 && (server(err) != nil || errors.Is(err, errDefect)):
		for _, o := range ops {
			s.write([]op{o})
		}
	default:
		for _, o := range ops {
			s.answer(o, refusal(o, err))
		}
	}
}

// refusal is what an operation gets that the server refuses alone.
func refusal(o op, err error) error {
	if _, ok := o.(*acceptOp); ok && isRace(err) {
		return store.ErrSeen // its id is stored
	}
	return err
}

// insist tries a batch until it is committed or refused. While the server is away, what is to be
// accepted is answered and leaves the batch.
func (s *Store) insist(ops *[]op) (*txn, error) {
	if err := s.Failed(); err != nil {
		return nil, err
	}
	races, stale := 0, false
	for wait := firstWait; ; wait = min(2*wait, longestWait) {
		t, err := s.attempt(*ops)
		err = s.isDefect(err)
		if err == nil {
			s.away.back(s)
			return t, nil
		}
		s.commit.drop()
		if errors.Is(err, errUnknown) {
			if happened, err := s.happened(t); happened || err != nil {
				return t, err
			}
			continue
		}
		if errors.Is(err, errFenced) {
			return nil, s.fail(err)
		}
		if isRace(err) && races < raceTries {
			races++
			continue
		}
		if e := server(err); e != nil && strings.HasPrefix(e.Code, "40") { // a deadlock with a reader of the same rows
			time.Sleep(wait)
			continue
		}
		if !passes(err) {
			s.log.Error("batch refused by PostgreSQL", "error", cause(err), "operations", len(*ops))
			return nil, err
		}
		if !stale && isCut(err) {
			stale = true
			continue
		}
		s.away.since(s, err)
		if s.refuseAccepts(ops, err); len(*ops) == 0 {
			return nil, err
		}
		select {
		case <-time.After(wait):
		case <-s.life.Done():
			return nil, fmt.Errorf("%w while PostgreSQL did not answer: %s", store.ErrClosed, cause(err))
		case <-s.failed:
			return nil, s.Failed()
		}
	}
}

// errDefect is wrapped by an error of this program: trying again would not help.
var errDefect = errors.New("a statement could not be sent")

// isDefect marks an error that is neither of the server nor of the connection, which is still open.
func (s *Store) isDefect(err error) error {
	if err == nil || server(err) != nil || errors.Is(err, errFenced) || s.commit.conn == nil || s.commit.conn.IsClosed() {
		return err
	}
	return fmt.Errorf("%w: %w", errDefect, err)
}

// isRace reports whether another worker, or an earlier batch, has written the same key or id.
func isRace(err error) bool {
	e := server(err)
	return e != nil && (e.Code == "23505" || e.Code == "40001" || e.Code == "40P01")
}

// isRefusal reports whether the server has said that the transaction did not happen.
func isRefusal(err error) bool {
	e := server(err)
	return e != nil && slices.Contains([]string{"22", "23", "40", "42", "53", "54"}, e.Code[:2])
}

// refuseAccepts answers what is to be accepted of a batch that was not committed: its senders must
// not wait for a server that is away.
func (s *Store) refuseAccepts(ops *[]op, err error) {
	kept := (*ops)[:0]
	for _, o := range *ops {
		if _, ok := o.(*acceptOp); ok {
			s.answer(o, fmt.Errorf("PostgreSQL unreachable: %s", cause(err)))
			continue
		}
		kept = append(kept, o)
	}
	*ops = kept
}

// happened finds out whether the commit of a batch happened whose connection has broken, and then
// finishes it. The row of the session is locked as long as the server is still at work on it.
func (s *Store) happened(t *txn) (bool, error) {
	var seq int64
	var state int16
	err := s.patiently(s.life, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, queryTimeout)
		defer cancel()
		conn, err := s.commit.get(ctx)
		if err == nil {
			err = conn.QueryRow(ctx, statement("fenced"), s.session).Scan(&seq, &state)
		}
		if err != nil {
			s.commit.drop()
		}
		return err
	})
	if err != nil {
		t.finish(err)
		return false, err
	}
	if seq != t.seq {
		t.finish(errUnknown)
		return false, nil
	}
	t.finish(nil)
	return true, nil
}

// attempt carries out a batch once. After errUnknown the txn is to be finished when it is known
// whether the commit happened; after any other error nothing has changed.
func (s *Store) attempt(ops []op) (*txn, error) {
	t := newTxn(s, ops)
	ctx, cancel := context.WithTimeout(s.life, queryTimeout)
	defer cancel()
	t.ctx, t.seq = ctx, s.seq+1
	var err error
	if t.conn, err = s.commit.get(ctx); err != nil {
		return nil, err
	}
	if err := t.firstTrip(); err != nil {
		return nil, err
	}
	t.countTrimmed()
	t.refused = make([]error, len(ops))
	for i, o := range ops {
		t.now = s.now()
		t.s.due.show(t.now)
		err := o.stage(t)
		if err != nil && isBroken(err) {
			return nil, err
		}
		t.refused[i] = err
	}
	if err := t.keepBehind(); err != nil {
		return nil, err
	}
	if t.changed = func(error) {}; s.watcher != nil && len(t.changes) > 0 {
		t.changed = s.watcher.Changing(t.changes)
	}
	if err := t.secondTrip(); err != nil {
		if !isRefusal(err) {
			return t, fmt.Errorf("%w: %w", errUnknown, err)
		}
		t.finish(err)
		return nil, err
	}
	t.finish(nil)
	return t, nil
}

// isBroken reports whether an error is of the connection or of the server, and not a refusal.
func isBroken(err error) bool {
	var broken *pgconn.ConnectError
	return server(err) != nil || errors.As(err, &broken) || pgconn.SafeToRetry(err) || errors.Is(err, errQuery)
}

// errQuery is wrapped by the error of a statement that a step runs.
var errQuery = errors.New("statement failed")

// readBetween carries out an operation that only reads.
func (s *Store) readBetween(o *between) {
	err := s.patiently(s.life, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, queryTimeout)
		defer cancel()
		t := newTxn(s, nil)
		t.ctx, t.now = ctx, s.now()
		var err error
		if t.conn, err = s.commit.get(ctx); err != nil {
			return err
		}
		if err = o.run(ctx, t); err != nil {
			s.commit.drop()
		}
		return err
	})
	s.answer(o, err)
}

// firstTrip begins the transaction, takes what changes out of its place, and reads what decides.
func (t *txn) firstTrip() error {
	for _, o := range t.ops {
		if err := o.begin(t); err != nil {
			return err
		}
	}
	b := &pgx.Batch{}
	b.Queue("BEGIN")
	b.Queue(statement("fence"), t.s.session, t.seq)
	t.queueFirst(b)
	err := t.conn.SendBatch(t.ctx, b).Close()
	if e := server(err); e != nil && e.Code == "22012" {
		return errFenced
	}
	return err
}

// secondTrip writes what follows, and commits.
func (t *txn) secondTrip() error {
	b := &pgx.Batch{}
	if err := t.queueSecond(b); err != nil {
		return err
	}
	b.Queue("COMMIT")
	return t.conn.SendBatch(t.ctx, b).Close()
}

// finish takes over what a batch has changed, notifies the watcher and lets go of the changes.
// order matters: see docs/guarantees.md, who is answered can rely on the rest.
func (t *txn) finish(err error) {
	s := t.s
	if err == nil {
		s.seq = t.seq
		s.counts.apply(&t.delta)
		s.deadline.note(t.tooLate)
		s.notes.apply(t.notes)
		if t.dedupTurned {
			s.dedup = t.dedup
		}
		s.dedup.notedNames(t.second.names)
		if s.watcher != nil && len(t.ready) > 0 {
			s.watcher.Ready(t.ready)
		}
		if t.back != nil {
			s.due.pass(*t.back)
		}
		s.noteDue(t.due)
		s.loader.forget(t.left)
	}
	t.changed(err)
}
