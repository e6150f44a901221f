package postgres

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"

	"queue-worker/internal/pgtest"
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// cutter breaks a connection after some bytes of what the server answers.
type cutter struct {
	mu    sync.Mutex
	left  int // bytes until then, when armed
	armed bool
}

var errCut = errors.New("cut by the test")

// arm breaks the connection after n bytes.
func (c *cutter) arm(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.left, c.armed = n, true
}

// disarm reports whether the connection was broken.
func (c *cutter) disarm() (cut bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	cut, c.armed = !c.armed, false
	return cut
}

// allow is how many of n bytes come through.
func (c *cutter) allow(n int) (allowed int, cut bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.armed {
		return n, false
	}
	if n <= c.left {
		c.left -= n
		return n, false
	}
	c.armed = false
	return c.left, true
}

type cutConn struct {
	net.Conn
	cutter *cutter
}

func (c cutConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	allowed, cut := c.cutter.allow(n)
	if cut {
		_ = c.Close()
		return allowed, errCut
	}
	return n, err
}

// cuttable opens a store whose committer's connection can be broken.
func cuttable(t *testing.T, url string) (*Store, *cutter) {
	t.Helper()
	s, err := newStore(Options{URL: url, Name: t.Name()})
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{}
	s.commit.config = s.config.Copy()
	dial := s.commit.config.DialFunc
	s.commit.config.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		return cutConn{conn, c}, err
	}
	if err := s.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s, c
}

func TestBatchHappensOnceWhereverItsAnswerIsCut(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	s, c := cuttable(t, url)
	if _, err := finish(s, accepted(t, s)); err != nil { // prepares the statements
		t.Fatal(err)
	}
	settled := 1
	for n, cut := 0, true; cut; n += everyByte() {
		inv := accepted(t, s)
		c.arm(n)
		if _, err := finish(s, inv); err != nil {
			t.Fatalf("cut after %d bytes: got %v, want no error", n, err)
		}
		settled++
		cut = c.disarm()
		if _, err := finish(s, inv); !errors.Is(err, store.ErrNotFound) {
			t.Fatalf("cut after %d bytes, settled again: got %v, want ErrNotFound", n, err)
		}
	}
	want := store.Stats{Accepted: uint64(2 * settled), Done: uint64(settled), Ready: settled}
	got := s.Stats()
	if got.Bytes = 0; got != want {
		t.Errorf("counts: got %+v, want %+v", got, want)
	}
	if err := s.Close(); err != nil {
		t.Errorf("close: got %v, want no error", err)
	}
	if got := opened(t, url).Stats().Ready; got != settled {
		t.Errorf("callbacks that are stored: got %d, want %d", got, settled)
	}
}

func TestAcceptIsStoredWhereverItsAnswerIsCut(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	s, c := cuttable(t, url)
	accepted(t, s)
	confirmed := 1
	for n, cut := 0, true; cut; n += everyByte() {
		inv := newInvocation(s, "fn")
		c.arm(n)
		err := accept(s, inv)
		cut = c.disarm()
		if _, missing := s.Get(t.Context(), inv.ID); err != nil || missing != nil {
			t.Fatalf("cut after %d bytes: answer is %v, the store has it: %v, want no error of either", n, err, missing)
		}
		confirmed++
	}
	if got := s.Stats().Ready; got != confirmed {
		t.Errorf("ready: got %d, want %d", got, confirmed)
	}
}

// everyByte is by how many bytes two cuts are apart.
func everyByte() int {
	if testing.Short() {
		return 11
	}
	return 1
}

func TestStatementThatIsRefusedRefusesNoOther(t *testing.T) {
	t.Parallel()
	s := opened(t, pgtest.Database(t))
	known := accepted(t, s)
	good := []*invocation.Invocation{newInvocation(s, "fn"), newInvocation(s, "fn")}
	again := newInvocation(s, "fn")
	again.ID = known.ID
	answers := make(chan error, 3)
	for _, inv := range []*invocation.Invocation{good[0], again, good[1]} {
		s.Accept(store.Accept{Inv: inv, Raw: []byte("request")}, func(err error) { answers <- err })
	}
	var seen int
	for range cap(answers) {
		switch err := <-answers; {
		case errors.Is(err, store.ErrSeen):
			seen++
		case err != nil:
			t.Errorf("accept: got %v, want no error", err)
		}
	}
	if seen != 1 {
		t.Errorf("refused: got %d, want 1", seen)
	}
	if got := s.Stats(); got.Ready != 3 || got.Difference() != 0 {
		t.Errorf("counts: got %+v, want 3 ready and no difference", got)
	}
}
