// File footprint_test.go measures what one small invocation costs the disk from its
// acceptance to its end.

package embedded

import (
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	walrecord "github.com/cockroachdb/pebble/v2/record"
	"github.com/cockroachdb/pebble/v2/vfs"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// BenchmarkFootprint accepts and settles invocations in batches. It reports keys, bytes of
// the log and all bytes that reach the file system per invocation.
func BenchmarkFootprint(b *testing.B) {
	for _, load := range []footprint{{"256 bytes", 64, 256}, {"200 KiB", 32, 200 << 10}} {
		b.Run(load.name, func(b *testing.B) {
			fsys := &countingFS{FS: vfs.NewMem()}
			s, err := Open(Options{Dir: "data", FS: fsys})
			if err != nil {
				b.Fatal(err)
			}
			start, log, n := fsys.written.Load(), s.db.Metrics().WAL.BytesWritten, 0
			for b.Loop() {
				load.pass(b, s, n)
				n += load.batch
			}
			log = s.db.Metrics().WAL.BytesWritten - log
			if err := errors.Join(s.db.Flush(), s.Close()); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(fsys.written.Load()-start)/float64(n), "fs-B/inv")
			b.ReportMetric(float64(log)/float64(n), "log-B/inv")
			if load.size < 1<<10 { // larger ones fill logs that are gone by the time they are read
				b.ReportMetric(load.keys(b), "keys/inv")
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// footprint is a load: so many invocations in a batch, with so many bytes each.
type footprint struct {
	name        string
	batch, size int
}

// keys counts the keys that are set and deleted for one invocation.
func (p footprint) keys(tb testing.TB) float64 {
	tb.Helper()
	const batches = 4
	mem := vfs.NewMem()
	s, err := Open(Options{Dir: "data", FS: mem})
	if err != nil {
		tb.Fatal(err)
	}
	before := keysInLog(tb, mem)
	for n := range batches {
		p.pass(tb, s, n*p.batch)
	}
	keys := keysInLog(tb, mem) - before
	if err := s.Close(); err != nil {
		tb.Fatal(err)
	}
	return float64(keys) / float64(batches*p.batch)
}

// pass accepts one batch of invocations through the same channel and settles it.
func (p footprint) pass(tb testing.TB, s *Store, first int) {
	tb.Helper()
	now, noise := time.Now(), rand.NewChaCha8([32]byte{})
	invs := make([]*invocation.Invocation, p.batch)
	inOneBatch(tb, s, p.batch, func(n int, answer func(error)) {
		seq := first + n + 1
		invs[n] = &invocation.Invocation{
			ID: invocation.NewID(now), CallID: "9d8aaa1a-0000-4000-8000-" + strconv.Itoa(seq), Function: "figlet",
			Lane: invocation.Lane{Queue: "faas-request", Name: "figlet"}, Accepted: now, Since: now,
		}
		raw := make([]byte, p.size)
		_, _ = noise.Read(raw)                                                                                                                   // never fails
		source := &store.Source{Cluster: "faas-cluster", Channel: "faas-request", Sequence: uint64(seq), Timestamp: now.UnixNano() + int64(seq)} // #nosec G115 -- small
		s.Accept(store.Accept{Inv: invs[n], Raw: raw, Source: source}, answer)
	})
	inOneBatch(tb, s, p.batch, func(n int, answer func(error)) {
		at := store.Ready{Lane: invs[n].Lane, Since: invs[n].Since, ID: invs[n].ID}
		o := &answeredOp{op: &settleOp{Settlement: store.Settlement{At: at, Outcome: invocation.OutcomeDone, Inv: invs[n]}}, answer: answer}
		if err := s.submit(tb.Context(), o); err != nil {
			answer(err)
		}
	})
}

// inOneBatch submits operations while the committer stands still, so that they share a batch.
func inOneBatch(tb testing.TB, s *Store, operations int, submit func(n int, answer func(error))) {
	tb.Helper()
	gate := &gateOp{call: make(call, 1), staged: make(chan struct{}), open: make(chan struct{})}
	if err := s.submit(tb.Context(), gate); err != nil {
		tb.Fatal(err)
	}
	<-gate.staged
	answers := make(chan error, operations)
	for n := range operations {
		submit(n, func(err error) { answers <- err })
	}
	close(gate.open)
	for range operations {
		if err := <-answers; err != nil {
			tb.Fatal(err)
		}
	}
}

// gateOp holds the committer in a batch until it is opened.
type gateOp struct {
	call
	staged, open chan struct{}
}

func (o *gateOp) size() int { return 0 }

func (o *gateOp) stage(*txn) error {
	close(o.staged)
	<-o.open
	return nil
}

// answeredOp is an operation whose answer goes to a function.
type answeredOp struct {
	op
	answer func(error)
}

func (o *answeredOp) done(err error) { o.answer(err) }

// keysInLog counts the keys in the write-ahead logs of a store.
func keysInLog(tb testing.TB, fsys vfs.FS) (keys int) {
	tb.Helper()
	names, err := fsys.List(filepath.Join("data", storeFolder))
	if err != nil {
		tb.Fatal(err)
	}
	for _, name := range names {
		number, isLog := strings.CutSuffix(name, ".log")
		if !isLog {
			continue
		}
		n, err := strconv.ParseUint(number, 10, 64)
		if err != nil {
			tb.Fatal(err)
		}
		f, err := fsys.Open(filepath.Join("data", storeFolder, name))
		if err != nil {
			tb.Fatal(err)
		}
		defer func() { _ = f.Close() }()
		for r := readLog(walrecord.NewReader, f, n); ; {
			batch, err := r.Next()
			if err != nil {
				break // the end: the log is written on
			}
			b, err := io.ReadAll(batch)
			if err != nil {
				tb.Fatal(err)
			}
			keys += int(binary.LittleEndian.Uint32(b[8:])) // after the sequence number
		}
	}
	return keys
}

// readLog converts the number of a log to Pebble's type for it, which has no exported name.
func readLog[N ~uint64](open func(io.Reader, N) *walrecord.Reader, f io.Reader, number uint64) *walrecord.Reader {
	return open(f, N(number))
}

// countingFS counts the bytes that are written to files.
type countingFS struct {
	vfs.FS
	written atomic.Int64
}

func (f *countingFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := f.FS.Create(name, c)
	return countingFile{file, &f.written}, err
}

func (f *countingFS) OpenReadWrite(name string, c vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	file, err := f.FS.OpenReadWrite(name, c, o...)
	return countingFile{file, &f.written}, err
}

type countingFile struct {
	vfs.File
	written *atomic.Int64
}

func (f countingFile) Write(b []byte) (int, error) {
	f.written.Add(int64(len(b)))
	return f.File.Write(b)
}
