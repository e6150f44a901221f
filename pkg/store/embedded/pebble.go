// File pebble.go configures Pebble.

package embedded

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"

	"queue-worker/pkg/descriptor"
)

// Memory of Pebble. A memtable holds some thousand small invocations between their
// acceptance and their end; larger ones cost memory and save nothing. The cache serves
// reads of tables. Pebble subtracts the memtables, up to two of them, from its size, so it
// is larger than their sum.
const (
	memtableBytes = 4 << 20
	cacheBytes    = 10 << 20
)

// Numbers of overlapping tables. Beginning at more than Pebble's 4 lets more
// deletions meet what they delete in one compaction. The number at which writes wait for
// compaction is out of reach of a healthy store: where a damaged table cannot be compacted,
// writes have to continue.
const (
	beginCompaction = 16
	stopWrites      = 1000
)

// Forms of tables. Blocks hold a few QueueRequests; an index has one level; the
// filters answer for absent keys, as those of most dedup records are.
const (
	blockBytes = 16 << 10
	indexBytes = 256 << 10
	bloomBits  = 10
)

// oneKind keeps the kinds of keys in tables of their own. What grows at its end,
// as dedup records do, is then never compacted with what came before.
func oneKind(first []byte) (p pebble.SpanPolicy, end []byte, err error) {
	return p, []byte{first[0] + 1}, nil
}

// misused is called by Pebble when a key was set twice before it was deleted.
func (s *Store) misused(i pebble.PossibleAPIMisuseInfo) {
	if i.Kind == pebble.NondeterministicSingleDelete {
		_ = s.damaged(fmt.Errorf("key %q was set twice", i.UserKey))
	}
}

// corrupt is called by Pebble when a table could not be read.
func (s *Store) corrupt(i pebble.DataCorruptionInfo) {
	s.disk.suspects.Store(s.raw.PathBase(i.Path), true)
	_ = s.damaged(i.Details)
}

func (s *Store) pebbleOptions() *pebble.Options {
	pace := &pacer{stop: s.stop}
	o := &pebble.Options{
		FS: s.fs, Lock: s.lock, Logger: pebbleLog{s},
		FormatMajorVersion:    pebble.FormatNewest,
		DisableWAL:            !s.durable,
		MemTableSize:          memtableBytes,
		CacheSize:             cacheBytes,
		MaxOpenFiles:          descriptor.Tables(descriptor.Limit()),
		L0CompactionThreshold: beginCompaction,
		L0StopWritesThreshold: stopWrites,
		EventListener: &pebble.EventListener{
			BackgroundError:   func(err error) { _ = s.damaged(err); pace.failed.Store(true) },
			DataCorruption:    s.corrupt,
			PossibleAPIMisuse: s.misused,
		},
	}
	for i := range o.Levels {
		o.Levels[i].BlockSize = blockBytes
		o.Levels[i].IndexBlockSize = indexBytes
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(bloomBits)
	}
	o.Experimental.CompactionScheduler = pace
	o.Experimental.SpanPolicyFunc = oneKind
	if s.opts.tune != nil {
		s.opts.tune(o)
	}
	return o
}

// Rests after compactions that failed: the first, doubled up to the longest.
const (
	firstRest   = time.Second
	longestRest = time.Minute
)

// pacer runs one compaction at a time, and lets some time pass after one that
// failed: Pebble would begin it again at once, for ever, when a table is damaged.
type pacer struct {
	db     pebble.DBForCompaction
	stop   <-chan struct{} // ends a rest
	failed atomic.Bool     // the compaction that runs has failed

	mu      sync.Mutex
	running bool
	calls   sync.WaitGroup // into db
	closed  bool
	rest    time.Duration
}

var _ pebble.CompactionScheduler = (*pacer)(nil)

// Register is called once, before anything else.
func (p *pacer) Register(_ int, db pebble.DBForCompaction) { p.db = db }

// Unregister returns when no call into db is running, and none starts after it.
func (p *pacer) Unregister() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.calls.Wait()
}

// TrySchedule lets the caller compact if no compaction is running.
func (p *pacer) TrySchedule() (bool, pebble.CompactionGrantHandle) {
	if !p.claim() {
		return false, nil
	}
	return true, p
}

func (p *pacer) claim() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running || p.closed {
		return false
	}
	p.running = true
	return true
}

// UpdateGetAllowedWithoutPermission has no meaning where the limit is one.
func (p *pacer) UpdateGetAllowedWithoutPermission() {}

// Started, MeasureCPU and CumulativeStats are of no interest here.
func (p *pacer) Started()                                            {}
func (p *pacer) MeasureCPU(pebble.CompactionGoroutineKind)           {}
func (p *pacer) CumulativeStats(_ pebble.CompactionGrantHandleStats) {}

// Done ends a compaction, after a rest when it failed, and begins the next one.
// Pebble holds no lock meanwhile.
func (p *pacer) Done() {
	p.pause()
	p.mu.Lock()
	p.running = false
	if p.closed {
		p.mu.Unlock()
		return
	}
	p.calls.Add(1)
	p.mu.Unlock()
	defer p.calls.Done()
	for {
		if waiting, _ := p.db.GetWaitingCompaction(); !waiting || !p.claim() || p.db.Schedule(p) {
			return
		}
		p.release() // and look again: another may have been refused meanwhile
	}
}

func (p *pacer) release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running = false
}

func (p *pacer) pause() {
	if !p.failed.Swap(false) {
		p.rest = 0
		return
	}
	p.rest = min(max(2*p.rest, firstRest), longestRest)
	t := time.NewTimer(p.rest)
	defer t.Stop()
	select {
	case <-t.C:
	case <-p.stop:
	}
}

// pebbleLog takes what Pebble has to say. Fatalf must not return, and must not
// end the process: calls are in flight whose callers deserve an answer. After
// an error of the disk Pebble does not get here; see disk.
type pebbleLog struct{ s *Store }

func (l pebbleLog) Infof(format string, args ...any) {
	l.s.log.Debug("pebble", "message", fmt.Sprintf(format, args...))
}

func (l pebbleLog) Errorf(format string, args ...any) {
	l.s.log.Warn("pebble", "message", fmt.Sprintf(format, args...))
}

func (l pebbleLog) Fatalf(format string, args ...any) {
	_ = l.s.fail(fmt.Errorf(format, args...))
	select {} // Pebble holds locks here; nothing may continue behind it
}
