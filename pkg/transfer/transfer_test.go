package transfer_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"queue-worker/internal/pgtest"
	"queue-worker/pkg/store"
	"queue-worker/pkg/store/embedded"
	"queue-worker/pkg/store/postgres"
	"queue-worker/pkg/store/storetest"
	"queue-worker/pkg/transfer"
)

func TestMain(m *testing.M) {
	code := m.Run()
	pgtest.Stop()
	os.Exit(code)
}

// place opens a store again and again.
type place func(testing.TB) store.Store

func opened(t testing.TB, open func() (store.Store, error)) store.Store {
	t.Helper()
	s, err := open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func folder(t testing.TB) place {
	dir := t.TempDir()
	return func(t testing.TB) store.Store {
		return opened(t, func() (store.Store, error) { return embedded.Open(embedded.Options{Dir: dir, EndTTL: math.MaxInt64}) })
	}
}

func database(t testing.TB) place {
	url := pgtest.Database(t)
	return func(t testing.TB) store.Store {
		return opened(t, func() (store.Store, error) {
			return postgres.Open(context.Background(), postgres.Options{URL: url, Name: t.Name(), EndTTL: math.MaxInt64})
		})
	}
}

// mustCopy copies, and returns what was counted.
func mustCopy(t *testing.T, source, target store.Store) transfer.Report {
	t.Helper()
	r, err := transfer.Copy(t.Context(), source, target, transfer.Options{})
	if err != nil || !r.Equal() {
		t.Fatalf("copy: got %v, %+v, want equal stores", err, r)
	}
	return r
}

// sums is a report without the name of its source and target.
func sums(r transfer.Report) (text string) {
	for _, l := range r {
		text += fmt.Sprintf("%s %d %d %s\n", l.Kind, l.Target.Items, l.Target.Bytes, l.Target.Digest)
	}
	return text
}

func TestEverythingComesBackFromTheOtherEngine(t *testing.T) {
	t.Parallel()
	first, second, third := folder(t)(t), database(t)(t), folder(t)(t)
	storetest.Fill(t, first, 4)
	there, back := mustCopy(t, first, second), mustCopy(t, second, third)
	if sums(there) != sums(back) {
		t.Errorf("sums after the way back: got\n%swant\n%s", sums(back), sums(there))
	}
	for _, l := range there {
		if l.Source.Items == 0 {
			t.Errorf("%s: got none, want some that were copied", l.Kind)
		}
	}
	if got, want := third.Stats(), first.Stats(); got.Ready != want.Ready || got.Delayed != want.Delayed || got.Dead != want.Dead {
		t.Errorf("counts: got %+v, want %+v", got, want)
	}
}

// dying is a target that dies after so many batches.
type dying struct {
	store.Store
	left int
	late bool // the last batch is written nevertheless
}

var errDied = errors.New("died")

func (d *dying) PutItems(ctx context.Context, items []store.Item, n store.Note) error {
	if d.left--; d.left >= 0 {
		return d.Store.PutItems(ctx, items, n)
	}
	if d.late {
		_ = d.Store.PutItems(ctx, items, n)
	}
	return errDied
}

func TestACopyContinuesAfterAnyBatch(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ source, target place }{
		"to PostgreSQL":   {folder(t), database(t)},
		"from PostgreSQL": {database(t), folder(t)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			source := tt.source(t)
			storetest.Fill(t, source, 2)
			target := tt.target(t)
			runs := 0
			for ; ; runs++ {
				_, err := transfer.Copy(t.Context(), source, &dying{target, 1, runs%2 == 0}, transfer.Options{})
				if err == nil {
					break
				}
				if !errors.Is(err, errDied) {
					t.Fatalf("run %d: got %v, want it to die or to end", runs, err)
				}
				// The last batch may be the one that was written late: then the source is moved.
				if store.CheckCopied(target) == nil && store.CheckCopied(source) == nil {
					t.Fatalf("workers after run %d: got both stores usable, want one at most", runs)
				}
				_ = target.Close()
				target = tt.target(t)
			}
			if runs < 5 {
				t.Errorf("runs that died: got %d, want one for each kind or so", runs)
			}
			mustCopy(t, source, target)
		})
	}
}

func TestWorkersUseTheTargetAndNotTheSource(t *testing.T) {
	t.Parallel()
	source, target := folder(t)(t), folder(t)(t)
	storetest.Fill(t, source, 1)
	mustCopy(t, source, target)
	if err := store.CheckCopied(target); err != nil {
		t.Errorf("a worker on the target: got %v, want nil", err)
	}
	if err := store.CheckCopied(source); !errors.Is(err, store.ErrCopied) {
		t.Errorf("a worker on the source: got %v, want ErrCopied", err)
	}
	kept, trial := folder(t)(t), folder(t)(t)
	if _, err := transfer.Copy(t.Context(), kept, trial, transfer.Options{KeepSource: true}); err != nil {
		t.Fatal(err)
	}
	if err := store.CheckCopied(kept); err != nil {
		t.Errorf("a worker on a source that is kept: got %v, want nil", err)
	}
}

func TestATargetThatHasSomethingIsRefused(t *testing.T) {
	t.Parallel()
	source, other, target := folder(t)(t), folder(t)(t), folder(t)(t)
	storetest.Fill(t, other, 1)
	if _, err := transfer.Copy(t.Context(), source, other, transfer.Options{}); !errors.Is(err, transfer.ErrTarget) || !strings.Contains(err.Error(), "it has notes") {
		t.Errorf("to a store with something: got %v, want ErrTarget with what it has", err)
	}
	mustCopy(t, source, target)
	if _, err := transfer.Copy(t.Context(), other, target, transfer.Options{}); !errors.Is(err, transfer.ErrTarget) {
		t.Errorf("to the copy of another store: got %v, want ErrTarget", err)
	}
}

func TestStoresThatDifferAreReported(t *testing.T) {
	t.Parallel()
	source, target := folder(t)(t), folder(t)(t)
	storetest.Fill(t, source, 1)
	mustCopy(t, source, target)
	if err := target.PutNote(t.Context(), store.Note{Name: "pause/fn", Value: []byte("of later")}); err != nil {
		t.Fatal(err)
	}
	r, err := transfer.Copy(t.Context(), source, target, transfer.Options{})
	if !errors.Is(err, transfer.ErrDiffers) {
		t.Fatalf("copy to a target that was used: got %v, want ErrDiffers", err)
	}
	if r.Equal() {
		t.Error("report: got equal stores, want a difference")
	}
	if st := target.Stats(); st.Difference() != 0 {
		t.Errorf("accepted minus stored minus finished: got %d, want 0", st.Difference())
	}
}
