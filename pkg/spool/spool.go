// Package spool holds the bodies of long answers: in memory while all of them together fit into a
// budget, in files of a folder otherwise, and cut where there is no folder.
//
//	bytes arrive --> room in the budget? --yes--> memory
//	                       | no
//	                       +--> folder? --yes--> a file, with what was in memory
//	                                 | no
//	                                 +--> cut
//
// Room is taken piece by piece as bytes arrive, and never waited for: a sender that is slow keeps
// what it has sent and delays no other. What is to be committed or sent is needed in memory whole, and
// waits for a part of the budget that arriving bodies do not use.
//
// A file has no name once it is open, where the system allows that, so a crash leaves none; one that a
// crash has left is removed by New. The package knows nothing of HTTP and of the store.
package spool

import (
	"context"
	"io/fs"
	"math"
	"os"
	"path"
	"strconv"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/semaphore"

	"queue-worker/pkg/datadir"
)

// settlingPart is the part of the budget, one in so many, for what is committed or sent. Without a folder the
// store is in memory too, and holds what was committed: then arriving bodies have all.
const settlingPart = 2

// manyBytes of bodies in memory are many.
const manyBytes = 8 << 20

// mostFiles bounds the files that are open, each with a descriptor. What is beyond is cut.
const mostFiles = 256

// Options say how much memory bodies have, and where the others go.
type Options struct {
	Memory int64  // for all bodies together, beside the beginning of each
	Dir    string // data_dir; "" for no files
	// Full returns why no file may grow, nil while it may: the store needs what is left of the volume. Nil: it
	// always may.
	Full func() error
	// Many is called with true when many bytes come to be in memory, and with false when they no longer are. It must
	// not call the spool. Nil: it is not called.
	Many func(bool)
}

// Spool is the room for long bodies. It is safe for use by many goroutines.
type Spool struct {
	root *os.Root // of data_dir; nil without files
	full func() error
	many func(bool)

	mu     sync.Mutex
	free   int64 // bytes that arriving bodies may still take
	isMany bool

	settling *semaphore.Weighted // nil for no bound
	most     int64               // that settling has

	held    atomic.Int64 // bytes in memory
	onDisk  atomic.Int64 // bytes in files
	files   atomic.Int64 // that are open
	numbers atomic.Uint64
}

// New makes a spool, and removes the files that a crash has left in its folder.
func New(o Options) (*Spool, error) {
	s := &Spool{free: o.Memory, full: o.Full, many: o.Many}
	if s.many == nil {
		s.many = func(bool) {}
	}
	if s.full == nil {
		s.full = func() error { return nil }
	}
	if o.Dir == "" {
		return s, nil
	}
	s.most = max(o.Memory/settlingPart, 1)
	s.free, s.settling = o.Memory-s.most, semaphore.NewWeighted(s.most)
	var err error
	if s.root, err = os.OpenRoot(o.Dir); err != nil {
		return nil, err
	}
	return s, s.clean()
}

// InMemory is a spool without a bound and without files.
func InMemory() *Spool {
	return &Spool{free: math.MaxInt64, full: func() error { return nil }, many: func(bool) {}}
}

// clean makes an empty folder of its own. It follows no link out of data_dir.
func (s *Spool) clean() error {
	if err := s.root.RemoveAll(datadir.Spool); err != nil {
		return err
	}
	return s.root.Mkdir(datadir.Spool, 0o700)
}

// Close closes the folder. Bodies that are open stay so.
func (s *Spool) Close() error {
	if s.root == nil {
		return nil
	}
	return s.root.Close()
}

// Held returns the bytes of bodies that are in memory, and in files.
func (s *Spool) Held() (memory, files int64) { return s.held.Load(), s.onDisk.Load() }

// Settle waits for memory for n bytes that are to be committed or sent. More than there is waits until
// all of it is free. The caller calls release once; after an error there is nothing to release.
func (s *Spool) Settle(ctx context.Context, n int64) (release func(), err error) {
	if s.settling == nil {
		return func() {}, nil
	}
	n = min(n, s.most)
	if err := s.settling.Acquire(ctx, n); err != nil {
		return func() {}, err
	}
	return sync.OnceFunc(func() { s.settling.Release(n) }), nil
}

// take takes n bytes of the budget, if they are free.
func (s *Spool) take(n int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.free < n {
		return false
	}
	s.free -= n
	s.count(n)
	return true
}

func (s *Spool) giveBack(n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free += n
	s.count(-n)
}

// count adds n to the bytes in memory. What is many for a moment stays it for a while.
func (s *Spool) count(n int64) {
	held := s.held.Add(n)
	if is := held >= manyBytes || s.isMany && held >= manyBytes/2; is != s.isMany {
		s.isMany = is
		s.many(is)
	}
}

// create opens a new file. It has no name any more, where the system allows that; name is "" then.
func (s *Spool) create() (f *os.File, name string, err error) {
	if s.root == nil {
		return nil, "", fs.ErrNotExist
	}
	if err := s.full(); err != nil {
		return nil, "", err
	}
	if s.files.Add(1) > mostFiles {
		s.files.Add(-1)
		return nil, "", fs.ErrInvalid
	}
	defer func() {
		if err != nil {
			s.files.Add(-1)
		}
	}()
	name = path.Join(datadir.Spool, "answer-"+strconv.FormatUint(s.numbers.Add(1), 10))
	f, err = s.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, "", err
	}
	if s.root.Remove(name) == nil {
		name = ""
	}
	return f, name, nil
}
