// File damaged_test.go damages every file of a store in every way, and holds that the check
// and the start end, whatever they find.

package embedded

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"path"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// endsWithin bounds one check or start. Nothing but a loop without an end comes near it.
const endsWithin = 2 * time.Minute

// folder is the files of a store, by name.
type folder map[string][]byte

func (f folder) names() []string {
	var names []string
	for name := range f {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// onto writes the files to a file system in memory.
func (f folder) onto(t testing.TB) *vfs.MemFS {
	t.Helper()
	mem := vfs.NewMem()
	if err := mem.MkdirAll("data/store", 0o700); err != nil {
		t.Fatal(err)
	}
	for name, b := range f {
		file, err := mem.Create("data/store/"+name, vfs.WriteCategoryUnspecified)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := file.Write(bytes.Clone(b)); err != nil {
			t.Fatal(err)
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return mem
}

// readFolder reads the files of a file system.
func readFolder(fsys vfs.FS) (folder, error) {
	names, err := fsys.List("data/store")
	f := folder{}
	for _, name := range names {
		file, openErr := fsys.Open("data/store/" + name)
		if openErr != nil {
			return nil, openErr
		}
		b, readErr := io.ReadAll(file)
		f[name], err = b, errors.Join(err, readErr, file.Close())
	}
	return f, err
}

// killed is a store as a kill leaves it: tables of all kinds of keys, some of them twice, a
// log that was not flushed, and in-flight markers.
var killed = sync.OnceValue(func() folder {
	mem := vfs.NewMem()
	p := newPlayer(nil)
	s, err := Open(Options{Dir: "data", Slots: 4, FS: mem, Now: p.time, EndTTL: 24 * time.Hour})
	succeed(err)
	p.Store = s
	seq := uint64(0)
	fill := func(n int) {
		var all []*invocation.Invocation
		for i := range n {
			inv, _ := p.make(0)
			seq++
			inv.ID = invocation.ID{byte(seq >> 8), byte(seq), 1}
			if i%4 == 0 {
				inv.Since = p.time().Add(time.Hour)
			}
			done := make(chan error, 1)
			p.Accept(store.Accept{Inv: inv, Raw: noise(uint64(i), 100+i*3), Source: &store.Source{Sequence: seq, Timestamp: int64(seq)}}, func(err error) { done <- err }) // #nosec G115 -- small
			succeed(<-done)
			all = append(all, inv)
		}
		for _, inv := range all[:n/4] {
			if inv.Since.After(p.time()) {
				continue
			}
			succeed(p.finish(context.Background(), inv, invocation.OutcomeDead, "an answer"))
		}
		if n >= 200 {
			_, err := p.Act(context.Background(), store.Batch{IDs: []invocation.ID{all[1].ID}, Job: invocation.ID{byte(n)}})
			succeed(err)
		}
		for _, inv := range all[n-n/10:] {
			if n >= 200 && !inv.Since.After(p.time()) {
				succeed(p.finish(context.Background(), inv, invocation.OutcomeDone, ""))
			}
		}
		succeed(p.PutNote(context.Background(), store.Note{Name: string(rune('a' + len(p.Notes("")))), Value: []byte("x")}))
	}
	fill(300)
	succeed(p.db.Flush())
	fill(200)
	succeed(p.db.Flush())
	fill(60)
	succeed(p.writeParts(context.Background(), appendBytesKey(nil, invocation.ID{0xfe}), noise(1, 100))) // of a settlement that the kill cut off
	succeed(p.PutNote(context.Background(), store.Note{Name: "last", Value: []byte("x")}))
	p.Hold(1, invocation.ID{byte(seq >> 8), byte(seq), 1})
	f, err := readFolder(mem)
	succeed(errors.Join(err, p.Close()))
	return f
})

func succeed(err error) {
	if err != nil {
		panic(err)
	}
}

// checkAndOpen checks a damaged store and opens it. Both have to end, and the check to leave
// everything as it was.
func checkAndOpen(t testing.TB, f folder) Report {
	t.Helper()
	mem := f.onto(t)
	ctx, cancel := context.WithTimeout(context.Background(), endsWithin)
	defer cancel()
	r, err := check(ctx, Options{Dir: "data", FS: mem}, nil)
	if errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("the check does not end: got %v, want another error than %v", err, context.DeadlineExceeded)
	}
	if err != nil {
		r.Findings = append(r.Findings, err.Error())
	}
	after, err := readFolder(mem)
	if err != nil {
		t.Fatal(err)
	}
	delete(after, "LOCK")
	for name, b := range f {
		if name != "LOCK" && !bytes.Equal(after[name], b) || len(after) > len(f) {
			t.Errorf("the check has changed the folder: %s", name)
		}
	}
	opened := make(chan struct{})
	go func() {
		defer close(opened)
		useAll(f.onto(t))
	}()
	select {
	case <-opened:
	case <-ctx.Done():
		t.Fatal("the start does not end")
	}
	return r
}

// mostFailures is how many invocations of a lane are read in vain before the next lane.
const mostFailures = 5

// useAll opens a store and reads everything that a worker reads, whatever comes of it.
func useAll(fsys vfs.FS) {
	s, err := Open(Options{Dir: "data", FS: fsys, Slots: 4})
	if err != nil {
		return
	}
	defer func() { _ = s.Close() }()
	ctx := context.Background()
	lanes, _ := s.ReadyLanes(context.Background(), invocation.Lane{}, false, 1000)
	for _, lane := range lanes {
		ready, _ := s.Take(context.Background(), lane, store.Ready{}, math.MaxInt)
		failures := 0
		for _, r := range ready {
			if _, _, err := s.Load(context.Background(), r.ID); err != nil {
				failures++
			}
			if failures == mostFailures { // the others fail in the same table
				break
			}
		}
	}
	_, _ = s.Letters(ctx, store.Filter{}, "", 1000)
	_, _ = s.MoveDue(ctx)
	_, _ = s.Sweep(ctx)
}

// damage is one thing that can be wrong with a file. It takes a copy.
type damage struct {
	name string
	do   func(b []byte) []byte
}

var damages = []damage{
	{"first block zeroed", func(b []byte) []byte { clear(b[:min(16<<10, len(b))]); return b }},
	{"first sector zeroed", func(b []byte) []byte { clear(b[:min(512, len(b))]); return b }},
	{"last sector zeroed", func(b []byte) []byte { clear(b[max(0, len(b)-512):]); return b }},
	{"middle zeroed", func(b []byte) []byte { clear(b[len(b)/3 : 2*len(b)/3]); return b }},
	{"all zeroed", func(b []byte) []byte { clear(b); return b }},
	{"first bit flipped", func(b []byte) []byte { return flip(b, 0) }},
	{"bit in the middle flipped", func(b []byte) []byte { return flip(b, len(b)/2) }},
	{"last bit flipped", func(b []byte) []byte { return flip(b, len(b)-1) }},
	{"a bit in every KiB flipped", func(b []byte) []byte {
		for i := 0; i < len(b); i += 1 << 10 {
			flip(b, i)
		}
		return b
	}},
	{"cut off in the middle", func(b []byte) []byte { return b[:len(b)/2] }},
	{"cut off by one byte", func(b []byte) []byte { return b[:max(0, len(b)-1)] }},
	{"empty", func([]byte) []byte { return nil }},
	{"longer", func(b []byte) []byte { return append(b, noise(9, 5000)...) }},
	{"noise", func(b []byte) []byte { return noise(7, len(b)) }},
	{"turned round", func(b []byte) []byte { slices.Reverse(b); return b }},
}

// everyWithShort is n with -short, and otherwise 1: of a row of cases every n-th is enough for
// the race detector, which makes each ten times as expensive; the run without it has all.
func everyWithShort(n int) int {
	if testing.Short() {
		return n
	}
	return 1
}

func flip(b []byte, at int) []byte {
	if at >= 0 && at < len(b) {
		b[at] ^= 1
	}
	return b
}

func TestCheckAndStartEndOnEveryDamage(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("one goroutine at a time: the run without the race detector has it")
	}
	base := killed()
	switch r := checkAndOpen(t, base); {
	case !r.OK():
		t.Fatalf("undamaged: %+v, want OK", r)
	case r.Invocations < 500:
		t.Fatalf("undamaged: %+v, want invocations at least 500", r)
	case r.Tables < 10:
		t.Fatalf("undamaged: %+v, want tables at least 10", r)
	case r.InFlight != 1:
		t.Fatalf("undamaged: %+v, want InFlight 1", r)
	}
	for _, name := range base.names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, d := range damages {
				f := copyOf(base)
				f[name] = d.do(bytes.Clone(base[name]))
				r := checkAndOpen(t, f)
				if isTable(name) && r.OK() && !bytes.Equal(f[name], base[name]) {
					t.Errorf("%s: nothing is found", d.name)
				}
			}
			f := copyOf(base)
			delete(f, name)
			checkAndOpen(t, f)
			f = copyOf(base)
			other := neighbour(base, name)
			f[name], f[other] = f[other], f[name]
			checkAndOpen(t, f)
		})
	}
}

// neighbour is the file that comes after name and has the same ending, or else before it.
func neighbour(f folder, name string) string {
	found := name
	for _, other := range f.names() {
		if path.Ext(other) != path.Ext(name) || other == name {
			continue
		}
		if found = other; other > name {
			break
		}
	}
	return found
}

func copyOf(f folder) folder {
	c := folder{}
	for name, b := range f {
		c[name] = b
	}
	return c
}

// FuzzCheckDamaged damages one file of a store: some bytes at an offset, and where it is cut
// off. The store itself is that of killed.
func FuzzCheckDamaged(f *testing.F) {
	base := killed()
	names := base.names()
	for i := range names {
		if i%everyWithShort(16) > 0 {
			continue
		}
		f.Add(uint8(i), uint32(0), make([]byte, 64), uint32(math.MaxUint32)) // #nosec G115 -- few files
		f.Add(uint8(i), uint32(0), []byte{}, uint32(len(base[names[i]])/2))  // #nosec G115 -- small files
	}
	f.Fuzz(func(t *testing.T, file uint8, at uint32, with []byte, cut uint32) {
		name := names[int(file)%len(names)]
		b := bytes.Clone(base[name])
		if len(b) > 0 {
			copy(b[int(at)%len(b):], with)
		}
		damaged := copyOf(base)
		damaged[name] = b[:min(len(b), int(cut))]
		checkAndOpen(t, damaged)
	})
}
