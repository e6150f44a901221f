package embedded

import (
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"queue-worker/pkg/store"
)

// through sends a message.
func (p *player) through(d store.Source) error {
	inv, raw := p.make(10)
	done := make(chan error, 1)
	p.Accept(store.Accept{Inv: inv, Raw: raw, Source: &d}, func(err error) { done <- err })
	return <-done
}

// TestMessagesOfABatchShareAKey: each of them is known when it comes again, and only these.
func TestMessagesOfABatchShareAKey(t *testing.T) {
	t.Parallel()
	const n = 64
	mem := vfs.NewMem()
	p := playerOn(t, mem)
	message := func(channel string, i int) store.Source {
		return store.Source{Cluster: "c", Channel: channel, Sequence: uint64(100 + i), Timestamp: int64(1000 * (i + 1))} // #nosec G115 -- small
	}
	send := func(channels ...string) {
		t.Helper()
		inOneBatch(t, p.Store, n, func(i int, answer func(error)) {
			inv, raw := p.make(10)
			d := message(channels[i%len(channels)], i)
			p.Accept(store.Accept{Inv: inv, Raw: raw, Source: &d}, answer)
		})
	}
	keys := func(prefix []byte) (count int) {
		t.Helper()
		if err := p.each(prefix, after(prefix), func(_, _ []byte) (bool, error) { count++; return true, nil }); err != nil {
			t.Fatal(err)
		}
		return count
	}
	send("one")
	send("two", "three")
	if got := keys(runPrefix); got != 3 || keys(seenPrefix) != 0 {
		t.Errorf("%d keys of runs and %d of single messages, want 3 and 0", got, keys(seenPrefix))
	}
	verify := func(when string) {
		t.Helper()
		for i := range n {
			for _, d := range []store.Source{message("one", i), message([]string{"two", "three"}[i%2], i)} {
				if err := p.through(d); !errors.Is(err, store.ErrSeen) {
					t.Errorf("%s: %+v gives %v, want ErrSeen", when, d, err)
				}
			}
		}
	}
	verify("at once")
	for _, change := range []func(*store.Source){
		func(d *store.Source) { d.Timestamp++ },
		func(d *store.Source) { d.Timestamp-- },
		func(d *store.Source) { d.Timestamp = 1 },
		func(d *store.Source) { d.Sequence++ },
		func(d *store.Source) { d.Cluster = "other" },
	} {
		d := message("one", n/2)
		change(&d)
		if err := p.through(d); err != nil {
			t.Errorf("%+v gives %v, it was never sent, want no error", d, err)
		}
		if err := p.through(d); !errors.Is(err, store.ErrSeen) {
			t.Errorf("%+v, sent out of order, gives %v, want ErrSeen", d, err)
		}
	}
	if got := keys(seenPrefix); got != 4 {
		t.Errorf("%d keys of messages out of order, want 4", got)
	}
	verify("beside messages out of order")
	reopen := func() {
		t.Helper()
		s, err := Open(Options{Dir: "data", Slots: 4, FS: mem, Now: p.time, tune: small})
		if err := errors.Join(err, p.Close()); err != nil && s == nil {
			t.Fatal(err)
		}
		p.Store = s
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	reopen()
	verify("after a restart")
	for i := range 2 {
		p.pass(seenGeneration)
		if err := p.through(message("four", i)); err != nil { // begins to age what the process has read
			t.Fatal(err)
		}
		p.pass(seenGeneration)
		if err := p.through(message("four", 10+i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.through(message("one", 3)); err != nil {
		t.Errorf("after two generations a message gives %v, want it forgotten", err)
	}
	if err := errors.Join(p.Health(), p.Close()); err != nil {
		t.Error(err)
	}
}

func TestRunsAreReadAsTheyWereWritten(t *testing.T) {
	t.Parallel()
	for _, run := range [][]position{
		{{1, 1}},
		{{0, 5}, {1, 4}, {math.MaxInt64, math.MaxUint64}},
		{{1, math.MaxUint64}, {2, 0}, {3, 1 << 63}},
	} {
		want := slices.Clone(run)
		slices.Reverse(want)
		var got []position
		key := run[len(run)-1].append([]byte("m/"))
		if err := eachOfRun(key, encodeRun(run), func(p position) bool { got = append(got, p); return true }); err != nil || !slices.Equal(got, want) {
			t.Errorf("read %v, %v; want %v", got, err, want)
		}
	}
}

// FuzzRun reads noise as a run: it ends, and what it reads is in order.
func FuzzRun(f *testing.F) {
	run := []position{{1, 1}, {5, 2}, {1_772_000_000_000_000_000, 3}}
	f.Add(run[2].append(nil), encodeRun(run))
	f.Add([]byte("short"), []byte{0})
	f.Add(position{9, 9}.append(nil), []byte{0x80})
	f.Fuzz(func(t *testing.T, key, value []byte) {
		var read []position
		err := eachOfRun(key, value, func(p position) bool { read = append(read, p); return true })
		if err != nil {
			return
		}
		slices.Reverse(read)
		for i := range read[1:] {
			if read[i].timestamp >= read[i+1].timestamp {
				t.Fatalf("out of order: %v, want timestamp below %v", read, read[i+1].timestamp)
			}
		}
	})
}
