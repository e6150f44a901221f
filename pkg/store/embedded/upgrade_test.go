// File upgrade_test.go opens a store that commit bb45a35 has written, the last one of layout
// 1. testdata/layout1.tar.gz is its folder as a kill left it: pending, delayed and dead
// invocations, callbacks, results, idempotency keys, dedup records, tables and a log.
// testdata/layout1.json is what that program read from it.

package embedded

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// layout1 is what the store of layout 1 holds.
type layout1 struct {
	Now         time.Time `json:"now"`
	Invocations []struct {
		ID       string `json:"id"`
		CallID   string `json:"call_id"`
		Place    string `json:"place"`
		Reason   string `json:"reason"`
		Retries  int    `json:"retries"`
		Attempts int    `json:"attempts"`
		URL      string `json:"url"`
		Size     int    `json:"size"`
		Sum      string `json:"sum"` // the first bytes of the request's SHA-256
	} `json:"invocations"`
	Messages []store.Source    `json:"messages"`
	Keys     map[string]string `json:"keys"` // idempotency keys, with the invocation of each
	Results  []struct{ ID, Outcome, Body string }
}

// readLayout1 unpacks the store into data/store of a file system.
func readLayout1(t *testing.T, to vfs.FS) (l layout1) {
	t.Helper()
	b, err := os.ReadFile("testdata/layout1.json")
	if err == nil {
		err = json.Unmarshal(b, &l)
	}
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open("testdata/layout1.tar.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	if err := to.MkdirAll("data/store", 0o700); err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			unpack(t, to, "data/"+h.Name, r)
		}
	}
	for _, dir := range []string{"data/store", "data", ""} {
		if err := syncFolder(to, dir); err != nil {
			t.Fatal(err)
		}
	}
	return l
}

func unpack(t *testing.T, to vfs.FS, name string, from io.Reader) {
	t.Helper()
	f, err := to.Create(name, vfs.WriteCategoryUnspecified)
	if err == nil {
		_, err = io.Copy(f, from) // #nosec G110 -- our own file
	}
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		t.Fatal(err)
	}
}

// verify compares an open store with what it held before the upgrade.
func (l *layout1) verify(s *Store) (err error) {
	places := map[string]int{}
	for _, want := range l.Invocations {
		places[want.Place]++
		id, parseErr := invocation.ParseID(want.ID)
		inv, raw, loadErr := s.Load(context.Background(), id)
		if wrong := errors.Join(parseErr, loadErr); wrong != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", want.ID, wrong))
			continue
		}
		sum := sha256.Sum256(raw)
		if inv.CallID != want.CallID || string(inv.Reason) != want.Reason || inv.Retries != want.Retries || inv.Calls() != want.Attempts ||
			inv.URL != want.URL || inv.Size != want.Size || len(raw) != want.Size || hex.EncodeToString(sum[:8]) != want.Sum {
			err = errors.Join(err, fmt.Errorf("got %+v, want %+v", inv, want))
		}
	}
	st := s.Stats()
	if st.Ready != places["ready"] || st.Delayed != places["delayed"] || st.Dead != places["dead"] || st.Keys != len(l.Keys) || st.Difference() != 0 {
		err = errors.Join(err, fmt.Errorf("counts are %+v, want %v", st, places))
	}
	for _, want := range l.Results {
		id, parseErr := invocation.ParseID(want.ID)
		r, resultErr := s.Result(context.Background(), id, true)
		if wrong := errors.Join(parseErr, resultErr); wrong != nil || string(r.Outcome) != want.Outcome || string(r.Body) != want.Body {
			err = errors.Join(err, fmt.Errorf("result of %s: %v, %w", want.ID, r, wrong))
		}
	}
	return errors.Join(err, l.verifyKnown(s))
}

// verifyKnown sends all messages again, and submits something under each idempotency key.
func (l *layout1) verifyKnown(s *Store) (err error) {
	again := func(d *store.Source, k *store.Key) error {
		inv := &invocation.Invocation{ID: invocation.NewID(l.Now), Lane: invocation.Lane{Queue: "q", Name: "again"}, Since: l.Now}
		done := make(chan error, 1)
		s.Accept(store.Accept{Inv: inv, Raw: []byte("again"), Source: d, Key: k}, func(err error) { done <- err })
		return <-done
	}
	for _, d := range l.Messages {
		if got := again(&d, nil); !errors.Is(got, store.ErrSeen) {
			err = errors.Join(err, fmt.Errorf("message %+v gives %w, want ErrSeen", d, got))
		}
	}
	for hash, id := range l.Keys {
		k := store.Key{Expires: l.Now.Add(time.Hour)}
		if _, hexErr := hex.Decode(k.Hash[:], []byte(hash)); hexErr != nil {
			return hexErr
		}
		if known, ok := errors.AsType[*store.KeyError](again(nil, &k)); !ok || known.ID.String() != id {
			err = errors.Join(err, fmt.Errorf("idempotency key %s gives %v, want that of %s", hash, known, id))
		}
	}
	return err
}

func (l *layout1) options(fsys vfs.FS) Options {
	return Options{Dir: "data", Slots: 4, FS: fsys, Now: func() time.Time { return l.Now }, tune: small}
}

// finish takes every invocation to its end: in place, or after a replay or a retry. Callbacks of
// what is replayed have theirs by that.
func (l *layout1) finish(ctx context.Context, s *Store) (err error) {
	superseded := map[invocation.ID]bool{}
	for _, want := range l.Invocations {
		id, parseErr := invocation.ParseID(want.ID)
		if superseded[id] {
			continue
		}
		if err = errors.Join(err, parseErr); want.Place == "delayed" {
			_, cancelErr := s.Cancel(ctx, id)
			err = errors.Join(err, cancelErr)
			continue
		}
		if want.Place == "dead" {
			taken, actErr := s.Act(ctx, store.Batch{Verb: store.ActReplay, IDs: []invocation.ID{id}, Force: true})
			if err = errors.Join(err, actErr); actErr == nil {
				err = errors.Join(err, taken[0].Err)
				for _, callback := range taken[0].Superseded {
					superseded[callback.ID] = true
				}
			}
		}
		err = errors.Join(err, s.call(ctx, id, invocation.OutcomeRetry), s.call(ctx, id, invocation.OutcomeDone))
	}
	return err
}

func TestAStoreOfLayout1IsUpgraded(t *testing.T) {
	t.Parallel()
	mem := vfs.NewMem()
	l := readLayout1(t, mem)
	checked := func(invocations int) {
		t.Helper()
		r, err := check(t.Context(), l.options(mem), nil)
		if err != nil || !r.OK() || r.Invocations != invocations || r.Marks < len(l.Messages) || r.Results != len(l.Results) {
			t.Errorf("check: got %+v, %v, want %d invocations", r, err, invocations)
		}
	}
	checked(len(l.Invocations))
	var log strings.Builder
	o := l.options(mem)
	o.Logger = slog.New(slog.NewTextHandler(&log, nil))
	for range 2 {
		s, err := Open(o)
		if err != nil {
			t.Fatal(err)
		}
		found, err := s.layout()
		switch err := errors.Join(err, l.verify(s), s.Close()); {
		case err != nil:
			t.Fatalf("layout %d, %v, want no error", found, err)
		case found != layoutVersion:
			t.Fatalf("layout %d, %v, want found %v", found, err, layoutVersion)
		}
	}
	if n := strings.Count(log.String(), `msg="store upgraded" from_layout=1 to_layout=4`); n != 1 {
		t.Errorf("the upgrade is logged %d times, want once:\n%s", n, log.String())
	}
	checked(len(l.Invocations))
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(l.finish(t.Context(), s), l.verifyKnown(s), s.Close()); err != nil {
		t.Fatal(err)
	}
	checked(0)
}

// TestPowerCutOfAnUpgrade cuts the power before every write of an upgrade and of what
// follows it.
func TestPowerCutOfAnUpgrade(t *testing.T) {
	t.Parallel()
	mem := vfs.NewCrashableMem()
	l := readLayout1(t, mem)
	var mu sync.Mutex
	cuts, changed := 0, false
	cut := errorfs.InjectorFunc(func(op errorfs.Op) error {
		mu.Lock()
		defer mu.Unlock()
		if op.Kind.ReadOrWrite() == errorfs.OpIsRead || changed {
			return nil
		}
		if cuts++; cuts%everyWithShort(5) != 0 {
			return nil
		}
		o := l.options(mem.CrashClone(vfs.CrashCloneCfg{}))
		s, err := Open(o)
		if err == nil {
			err = errors.Join(l.verify(s), s.Close())
		}
		if err != nil {
			t.Errorf("before %v of %s: %v, want no error", op.Kind, op.Path, err)
		}
		return nil
	})
	o := l.options(errorfs.Wrap(mem, cut))
	o.patient = true // each write takes as long as a store takes to be opened and verified
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.verify(s); err != nil {
		t.Error(err)
	}
	mu.Lock()
	changed = true
	mu.Unlock()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if cuts < 5 {
		t.Errorf("only %d cuts, want at least 5", cuts)
	}
	after := l.options(mem.CrashClone(vfs.CrashCloneCfg{}))
	if s, err = Open(after); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(l.verify(s), l.finish(t.Context(), s), s.Close()); err != nil {
		t.Error(err)
	}
}
