// File items.go reads and writes all that the store keeps, for a copy.

package postgres

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/jackc/pgx/v5"

	"queue-worker/pkg/store"
	"queue-worker/pkg/store/record"
)

// itemWalk is how the items of a kind are read: a statement, what it begins after, and what reads a
// row and returns the place after it.
type itemWalk struct {
	statement string
	args      func(cursor []byte) []any
	read      func(pgx.Rows) (store.Item, []byte, error)
}

var itemWalks = map[store.ItemKind]itemWalk{
	store.ItemNote:       {"items: notes", func(c []byte) []any { return []any{present(c), store.ItemPage} }, readNote},
	store.ItemTally:      {"items: tallies", afterID, readTally},
	store.ItemSource:     {"items: sources", afterSource, readSource},
	store.ItemInvocation: {"items: invocations", afterIDWithin, readInvocation},
	store.ItemKey:        {"items: keys", func(c []byte) []any { return []any{present(c), store.ItemPage} }, readKey},
	store.ItemResult:     {"items: results", afterIDWithin, readResult},
	store.ItemEnd:        {"items: ends", afterEnd, readEnd},
}

// Items reads a bounded number of items of one kind, beginning after a cursor.
func (s *Store) Items(ctx context.Context, kind store.ItemKind, cursor []byte) (items []store.Item, next []byte, err error) {
	if kind == store.ItemSecret {
		return []store.Item{{Kind: kind, Value: bytes.Clone(s.secret[:])}}, nil, nil
	}
	ctx, done, err := s.reading(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer done()
	walk := itemWalks[kind]
	err = s.each(ctx, func(rows pgx.Rows) error {
		it, at, err := walk.read(rows)
		it.Kind = kind
		items, next = append(items, it), at
		return err
	}, statement(walk.statement), walk.args(cursor)...)
	return items, next, err
}

func idAfter(cursor []byte) (id [16]byte) {
	copy(id[:], cursor)
	return id
}

func afterID(c []byte) []any       { return []any{idAfter(c), store.ItemPage} }
func afterIDWithin(c []byte) []any { return []any{idAfter(c), store.ItemPage, store.ItemPageBytes} }

func afterEnd(c []byte) []any {
	at := int64(math.MinInt64)
	if len(c) >= 8 {
		at, c = int64(binary.BigEndian.Uint64(c)), c[8:] // #nosec G115 -- written by readEnd
	}
	return []any{at, idAfter(c), store.ItemPage}
}

// afterSource reads a cursor: channel, timestamp and sequence.
func afterSource(c []byte) []any {
	place := []int64{math.MinInt64, math.MinInt64, math.MinInt64}
	for i := range place {
		if len(c) >= 8*(i+1) {
			place[i] = int64(binary.BigEndian.Uint64(c[8*i:])) // #nosec G115 -- written by readSource
		}
	}
	return []any{place[0], place[1], place[2], store.ItemPage}
}

func readNote(rows pgx.Rows) (it store.Item, next []byte, err error) {
	err = rows.Scan(&it.Key, &it.Value)
	return it, it.Key, err
}

func readTally(rows pgx.Rows) (store.Item, []byte, error) {
	var job [16]byte
	var n store.Tally
	err := rows.Scan(&job, &n.Replayed, &n.Succeeded, &n.FailedAgain, &n.Dropped, &n.Cancelled)
	return record.TallyItem(job, n), job[:], err
}

func readSource(rows pgx.Rows) (it store.Item, next []byte, err error) {
	var d source
	var name []byte
	if err := rows.Scan(&d.channel, &d.ts, &d.seq, &name); err != nil {
		return it, nil, err
	}
	cluster, channel, ok := bytes.Cut(name, []byte{0})
	if !ok {
		return it, nil, fmt.Errorf("dedup records of an unknown source %d", d.channel)
	}
	for _, n := range []int64{d.channel, d.ts, d.seq} {
		next = binary.BigEndian.AppendUint64(next, uint64(n)) // #nosec G115 -- read the same way
	}
	return record.SourceItem(store.Source{Cluster: string(cluster), Channel: string(channel), Timestamp: d.ts, Sequence: uint64(d.seq)}), next, nil // #nosec G115 -- any bits do
}

func readInvocation(rows pgx.Rows) (it store.Item, next []byte, err error) {
	var id [16]byte
	var crashes int
	var rec, raw []byte
	if err := rows.Scan(&id, &crashes, &rec, &raw); err != nil {
		return it, nil, err
	}
	inv, err := decode(id, crashes, rec)
	if err != nil {
		return it, nil, err
	}
	return record.InvocationItem(inv, raw), id[:], nil
}

func readKey(rows pgx.Rows) (it store.Item, next []byte, err error) {
	var f first
	f.knownKeys = map[[32]byte]*claim{}
	if err := f.key(rows); err != nil {
		return it, nil, err
	}
	for _, c := range f.knownKeys {
		it = (&record.KeyItem{Hash: c.Hash, Fingerprint: c.print, ID: c.id, CallID: c.callID, Expires: stamp(c.Expires)}).Item()
	}
	return it, it.Key, nil
}

func readResult(rows pgx.Rows) (it store.Item, next []byte, err error) {
	var id [16]byte
	var rec, body []byte
	if err := rows.Scan(&id, &rec, &body); err != nil {
		return it, nil, err
	}
	it = record.ResultItem(id, rec, body)
	_, err = record.ReadResult(&it)
	return it, id[:], err
}

func readEnd(rows pgx.Rows) (it store.Item, next []byte, err error) {
	var at int64
	var id [16]byte
	var rec []byte
	if err := rows.Scan(&at, &id, &rec); err != nil {
		return it, nil, err
	}
	end, err := decodeEnd(rec)
	if err != nil {
		return it, nil, err
	}
	next = binary.BigEndian.AppendUint64(nil, uint64(at)) // #nosec G115 -- read by afterEnd
	return record.EndItem(end), append(next, id[:]...), nil
}

// PutItems writes items that the store does not have, and a note, in one batch, and returns when that
// is durable.
func (s *Store) PutItems(ctx context.Context, items []store.Item, n store.Note) error {
	size := len(n.Value)
	for i := range items {
		size += len(items[i].Value) + len(items[i].Body)
	}
	note := store.Note{Name: n.Name, Value: bytes.Clone(n.Value)}
	return s.do(context.WithoutCancel(ctx), size, func(t *txn) error {
		t.putNote(&note)
		for i := range items {
			if err := t.putItem(&items[i]); err != nil {
				return fmt.Errorf("%w: %w", errDefect, err)
			}
		}
		return nil
	})
}

// putItem writes one item.
func (t *txn) putItem(it *store.Item) error {
	switch it.Kind {
	case store.ItemSecret:
		copy(t.s.secret[:], it.Value)
		_, err := t.exec("put secret", it.Value)
		return err
	case store.ItemNote:
		t.putNote(&store.Note{Name: string(it.Key), Value: append([]byte{}, it.Value...)})
	case store.ItemTally:
		job, n, err := record.ReadTally(it)
		*t.second.tally(job) = n
		return err
	case store.ItemSource:
		return t.copySource(it)
	case store.ItemInvocation:
		inv, err := record.ReadInvocation(it)
		if err != nil {
			return err
		}
		t.insert(newRow(&store.Accept{Inv: inv, Raw: it.Body}))
	case store.ItemKey:
		k, err := record.ReadKey(it)
		t.writeClaim(&claim{Key: store.Key{Hash: k.Hash, Expires: unstamp(k.Expires)}, print: k.Fingerprint, id: k.ID, callID: k.CallID})
		return err
	case store.ItemResult:
		r, err := record.ReadResult(it)
		if err != nil {
			return err
		}
		t.putResult(&outgoing{Result: *r, id: r.Inv.ID, written: it.Value})
	case store.ItemEnd:
		return t.copyEnd(it)
	default:
		return fmt.Errorf("items of kind %d are not known", it.Kind)
	}
	return nil
}

// copySource writes a dedup record. However long the copy takes, no table is emptied.
func (t *txn) copySource(it *store.Item) error {
	m, err := record.ReadSource(it)
	if err != nil {
		return err
	}
	if !t.dedupTurned {
		t.dedupTurned, t.dedup = true, dedup{generation: t.s.dedup.generation, began: t.now, named: t.s.dedup.named}
		if _, err := t.exec("turn dedup", t.dedup.generation, stamp(t.now)); err != nil {
			return err
		}
	}
	t.nameSource(&m)
	t.second.sources = append(t.second.sources, sourceOf(&m))
	return nil
}

func (t *txn) copyEnd(it *store.Item) error {
	end, err := record.ReadEnd(it)
	if err != nil {
		return err
	}
	t.second.finished = append(t.second.finished, finished{end.Inv.ID, stamp(end.At), hash64(end.Inv.CallID), it.Value})
	t.delta.ends++
	t.delta.endBytes += int64(len(it.Value))
	return nil
}
