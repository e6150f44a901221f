// File items.go reads and writes all that the store keeps, for a copy.

package embedded

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
	"queue-worker/pkg/store/record"
)

// itemPrefixes are the keys of each kind of items, in the order of the keys.
var itemPrefixes = map[store.ItemKind][][]byte{
	store.ItemNote: {notePrefix}, store.ItemTally: {tallyPrefix}, store.ItemSource: {runPrefix, seenPrefix}, store.ItemInvocation: {recordPrefix},
	store.ItemKey: {claimPrefix}, store.ItemResult: {resultPrefix}, store.ItemEnd: {endPrefix},
}

// page is a page of items that is being read.
type page struct {
	items []store.Item
	bytes int
	last  []byte // key of the latest item; nil for none
}

func (p *page) add(it store.Item) {
	p.items = append(p.items, it)
	p.bytes += len(it.Key) + len(it.Value) + len(it.Body)
}

func (p *page) full() bool { return len(p.items) >= store.ItemPage || p.bytes >= store.ItemPageBytes }

// Items reads a bounded number of items of one kind, beginning after a cursor, which is a key.
func (s *Store) Items(ctx context.Context, kind store.ItemKind, cursor []byte) ([]store.Item, []byte, error) {
	if kind == store.ItemSecret {
		return []store.Item{{Kind: kind, Value: bytes.Clone(s.secret[:])}}, nil, nil
	}
	var p page
	for _, prefix := range itemPrefixes[kind] {
		lower := prefix
		if bytes.Compare(cursor, lower) >= 0 {
			lower = append(bytes.Clone(cursor), 0)
		}
		err := s.reading(lower, after(prefix), func(key, value []byte) (bool, error) {
			if err := ctx.Err(); err != nil {
				return false, err
			}
			if p.full() {
				return false, nil
			}
			p.last = bytes.Clone(key)
			if err := s.readItem(&p, kind, key[len(prefix):], key, value); err != nil {
				return false, fmt.Errorf("what is stored under %.2s cannot be read, repair the store first: %w", prefix, err)
			}
			return true, nil
		})
		if err != nil {
			return nil, nil, err
		}
		if p.full() {
			return p.items, p.last, nil
		}
	}
	return p.items, nil, nil
}

// readItem adds what a key has to a page: rest is the key without its prefix.
func (s *Store) readItem(p *page, kind store.ItemKind, rest, key, value []byte) error {
	value = bytes.Clone(value)
	switch kind {
	case store.ItemNote:
		if string(rest) != secretNote {
			p.add(store.Item{Kind: kind, Key: bytes.Clone(rest), Value: value})
		}
		return nil
	case store.ItemSource:
		return readSources(p, key, value)
	case store.ItemKey:
		c, err := parseClaim(rest, value)
		if err == nil {
			p.add((&record.KeyItem{Hash: c.Hash, Fingerprint: c.print, ID: c.id, CallID: c.callID, Expires: c.Expires.UnixNano()}).Item())
		}
		return err
	case store.ItemEnd:
		return record.EachEnd(value, func(end *store.End) bool { p.add(record.EndItem(end)); return true })
	case store.ItemSecret, store.ItemTally, store.ItemInvocation, store.ItemResult, store.ItemKinds:
	}
	if len(rest) != idLen {
		return errBadKey
	}
	return s.readOfID(p, kind, invocation.ID(rest), value)
}

// readOfID adds what is stored under an id.
func (s *Store) readOfID(p *page, kind store.ItemKind, id invocation.ID, value []byte) error {
	switch kind {
	case store.ItemTally:
		n, err := decodeTally(value)
		if err == nil {
			p.add(record.TallyItem(id, n))
		}
		return err
	case store.ItemResult:
		r, size, err := record.DecodeResult(id, value)
		var body []byte
		if err == nil && size > 0 {
			body, err = s.resultBody(s.db, r, id, size)
		}
		if err == nil {
			it := record.ResultItem(id, value, body)
			_, err = record.ReadResult(&it)
			p.add(it)
		}
		return err
	case store.ItemSecret, store.ItemNote, store.ItemSource, store.ItemInvocation, store.ItemKey, store.ItemEnd, store.ItemKinds:
	}
	inv, raw, err := record.DecodeInline(id, value)
	if err == nil && raw == nil {
		raw, err = s.loadRaw(id, inv.Size)
	}
	if err == nil {
		p.add(record.InvocationItem(inv, raw))
	}
	return err
}

// readSources adds the dedup records of a key: one, or those of a run.
func readSources(p *page, key, value []byte) error {
	head := len(key) - positionLen - 1
	if head < 6 || key[head] != 0 {
		return errBadKey
	}
	cluster, channel, ok := bytes.Cut(key[6:head], []byte{0}) // after the prefix and the generation
	if !ok {
		return errBadKey
	}
	return eachOfRun(key, value, func(at position) bool {
		p.add(record.SourceItem(store.Source{Cluster: string(cluster), Channel: string(channel), Sequence: at.sequence, Timestamp: at.timestamp}))
		return true
	})
}

// PutItems writes items that the store does not have, and a note, in one batch, and returns when that
// is durable.
func (s *Store) PutItems(ctx context.Context, items []store.Item, n store.Note) error {
	writes := []func(*txn) error{func(t *txn) error { return t.write(cloneNote(n)) }}
	size := len(n.Value)
	ends := newEndRuns()
	for i := range items {
		it := &items[i]
		size += len(it.Value) + len(it.Body)
		if it.Kind == store.ItemEnd {
			if err := ends.add(it); err != nil {
				return err
			}
			continue
		}
		write, err := itemWrite(it)
		if err != nil {
			return err
		}
		writes = append(writes, write)
	}
	writes = append(writes, ends.writes()...)
	return s.doAlone(context.WithoutCancel(ctx), func(t *txn) error {
		for _, write := range writes {
			if err := write(t); err != nil {
				return err
			}
		}
		return nil
	})
}

// itemWrite decodes an item, and returns what writes it.
func itemWrite(it *store.Item) (write func(*txn) error, err error) {
	plain := func(f func(*txn)) func(*txn) error { return func(t *txn) error { f(t); return nil } }
	switch it.Kind {
	case store.ItemSecret:
		return plain(func(t *txn) { t.putSecret([32]byte(it.Value)) }), nil
	case store.ItemNote:
		return func(t *txn) error {
			return t.write(&store.Note{Name: string(it.Key), Value: append([]byte{}, it.Value...)})
		}, nil
	case store.ItemTally:
		job, n, err := record.ReadTally(it)
		return plain(func(t *txn) { t.tallies[job] = n }), err
	case store.ItemSource:
		d, err := record.ReadSource(it)
		return func(t *txn) error {
			t.s.dedup.began = t.now // however long the copy takes, no generation ends
			return t.markSeen(&d)
		}, err
	case store.ItemInvocation:
		inv, err := record.ReadInvocation(it)
		if err != nil {
			return nil, err
		}
		a := newArrival(store.Accept{Inv: inv, Raw: it.Body})
		return plain(func(t *txn) { t.insert(a) }), nil
	case store.ItemKey:
		k, err := record.ReadKey(it)
		c := &claim{Key: store.Key{Hash: k.Hash, Expires: time.Unix(0, k.Expires)}, print: k.Fingerprint, id: k.ID, callID: k.CallID}
		return plain(func(t *txn) { t.writeClaim(c, nil) }), err
	case store.ItemResult:
		r, err := record.ReadResult(it)
		if err != nil {
			return nil, err
		}
		e := &expiry{at: r.Expires, id: r.Inv.ID, ending: endingOf(r, len(it.Value), len(it.Body))}
		return plain(func(t *txn) { t.insertResult(e, it.Value, it.Body) }), nil
	case store.ItemEnd, store.ItemKinds: // ends are written together
	}
	return nil, fmt.Errorf("items of kind %d are not known", it.Kind)
}

// putSecret replaces the secret of fingerprints.
func (t *txn) putSecret(secret [32]byte) {
	t.s.secret = secret
	_ = t.batch.Set(append(bytes.Clone(notePrefix), secretNote...), secret[:], nil) // a batch in memory takes any write
}

// endRuns collects ends by when they ended: those of one time share a key.
type endRuns struct{ runs []*endRun }

type endRun struct {
	ends record.Ends
	of   []*store.End
}

func newEndRuns() *endRuns { return &endRuns{} }

func (r *endRuns) add(it *store.Item) error {
	end, err := record.ReadEnd(it)
	if err != nil {
		return err
	}
	if n := len(r.runs); n == 0 || !r.runs[n-1].of[0].At.Equal(end.At) {
		r.runs = append(r.runs, &endRun{})
	}
	last := r.runs[len(r.runs)-1]
	last.ends.Add(end.Inv, end.Outcome, end.At)
	last.of = append(last.of, end)
	return nil
}

func (r *endRuns) writes() (all []func(*txn) error) {
	for _, run := range r.runs {
		all = append(all, func(t *txn) error {
			value := bytes.Clone(run.ends.Bytes())
			hashes, at, err := hashesOf(value)
			if err == nil {
				t.insertEnds(value, at, hashes)
			}
			return err
		})
	}
	return all
}
