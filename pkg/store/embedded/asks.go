// File asks.go finds which keys a store has to have for an invocation, a result or an
// idempotency key: those that the committer writes for it. Its code is run for that on a batch
// that is never committed, so a new index needs no code here.

package embedded

import (
	"time"

	"github.com/cockroachdb/pebble/v2"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
	"queue-worker/pkg/store/record"
)

// keyLister lists keys. Only derived ones are listed: see keyKinds.
type keyLister struct {
	t      txn
	layout uint32 // of the store
}

// pair is a key with its value.
type pair struct{ key, value []byte }

// allReady is a time at which every pending invocation is ready, so that the keys of an
// invocation do not depend on the time.
var allReady = time.Unix(1<<40, 0)

func newKeyLister(s *Store) *keyLister {
	found, err := s.layout()
	if err != nil {
		found = layoutVersion // that is reported elsewhere
	}
	return &keyLister{txn{s: s, batch: s.db.NewBatch(), now: allReady, touched: map[invocation.ID]struct{}{}}, found}
}

// lists reports whether keys of a kind are listed.
func (a *keyLister) lists(k *keyKind) bool { return k.derived && k.layout <= a.layout }

// invocation returns the keys of an invocation. One that is pending has those of a ready one.
func (a *keyLister) invocation(inv *invocation.Invocation) []pair {
	return a.pairs(func(t *txn) { t.insert(arrival{Accept: store.Accept{Inv: inv}}) })
}

// result returns the keys of a result, and what they say of it.
func (a *keyLister) result(id invocation.ID, value []byte) ([]pair, *expiry, error) {
	r, body, err := record.DecodeResult(id, value)
	if err != nil {
		return nil, nil, err
	}
	e := &expiry{at: r.Expires, id: id, ending: endingOf(r, len(value), body)}
	return a.pairs(func(t *txn) { t.insertResult(e, nil, nil) }), e, nil
}

func (a *keyLister) claim(c *claim) []pair { return a.pairs(func(t *txn) { t.writeClaim(c, nil) }) }

// pairs returns the derived keys that write sets.
func (a *keyLister) pairs(write func(*txn)) (found []pair) {
	t := &a.t
	t.batch.Reset()
	*t = txn{s: t.s, batch: t.batch, now: t.now, touched: t.touched, key: t.key[:0], delta: delta{places: t.delta.places[:0]}}
	write(t)
	for r := t.batch.Reader(); ; {
		kind, key, value, ok, err := r.Next()
		if !ok || err != nil { // written above, so never an error
			return found
		}
		if k := kindOf(key); kind == pebble.InternalKeyKindSet && k != nil && a.lists(k) {
			found = append(found, pair{key, value})
		}
	}
}

// asReady returns an entry of a delayed invocation as it is when the invocation is ready,
// and everything else unchanged.
func asReady(p pair) pair {
	k := kindOf(p.key)
	if k == nil || string(k.prefix) != string(delayedPrefix) {
		return p
	}
	e, err := parseEntry(inDelayed, p.key, p.value)
	if err != nil {
		return p
	}
	return pair{appendReadyKey(nil, store.Ready{Lane: e.lane, Since: e.at, ID: e.id}), readyValue(e.size, e.source)}
}
