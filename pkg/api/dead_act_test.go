package api

// Replay and drop.

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
	"queue-worker/pkg/store/embedded"
)

func TestReplayAndDropTakeOneLetterAndSayWho(t *testing.T) {
	t.Parallel()
	r := newRig(t, withBasicAuth(t))
	r.bury(t, 3)
	admin := as(testUser, testPassword)

	got := r.ask(t, http.MethodPost, "/v1/dead_set/"+idOf(1).String()+"/replay", admin)
	if got.status != http.StatusOK {
		t.Fatalf("replay answers %d %s", got.status, got.body)
	}
	golden(t, "replay.json", got.body)
	if inv, err := r.store.Get(idOf(1)); err != nil || inv.State != invocation.Pending || inv.Replays != 1 {
		t.Errorf("after the replay the store has %+v, %v", inv, err)
	}

	got = r.ask(t, http.MethodDelete, "/v1/dead_set/"+idOf(2).String(), admin)
	if got.status != http.StatusOK {
		t.Fatalf("drop answers %d %s", got.status, got.body)
	}
	golden(t, "drop.json", got.body)
	if _, err := r.store.Get(idOf(2)); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("after the drop the store says %v", err)
	}

	var left []string
	for line := range strings.Lines(r.logs.String()) {
		if strings.Contains(line, "dead set changed") {
			left = append(left, line)
		}
	}
	for i, want := range []string{"act=replay id=" + idOf(1).String() + " by=admin peer=127.0.0.1:", "act=drop id=" + idOf(2).String() + " by=admin peer=127.0.0.1:"} {
		if len(left) != 2 || !strings.Contains(left[i], want) {
			t.Errorf("the log lines are %q, want %q", left, want)
		}
	}
}

func TestWithoutBasicAuthTheLogSaysFromWhere(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		open bool
		want string
	}{{false, "by=loopback"}, {true, "by=anyone"}} {
		r := newRig(t, func(o *Options) { o.AdminOpen = tt.open })
		r.bury(t, 1)
		r.ask(t, http.MethodDelete, "/v1/dead_set/"+idOf(0).String())
		if !strings.Contains(r.logs.String(), tt.want) {
			t.Errorf("admin_open=%v: the log is\n%s", tt.open, r.logs)
		}
	}
}

func TestWhatIsNotDeadCannotBeReplayedOrDropped(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	waiting := deadAt(0)
	waiting.State = invocation.Pending
	r.put(t, waiting, nil)
	for _, tt := range []struct {
		id     invocation.ID
		status int
		want   reason
	}{{idOf(0), http.StatusConflict, notDead}, {idOf(1), http.StatusNotFound, notFound}} {
		path := "/v1/dead_set/" + tt.id.String()
		if got := r.ask(t, http.MethodPost, path+"/replay"); got.status != tt.status || got.reasonOf(t) != tt.want {
			t.Errorf("replay answers %d %s", got.status, got.body)
		}
		if got := r.ask(t, http.MethodDelete, path); got.status != tt.status || got.reasonOf(t) != tt.want {
			t.Errorf("drop answers %d %s", got.status, got.body)
		}
		if got := r.ask(t, http.MethodGet, path); got.status != http.StatusNotFound || got.reasonOf(t) != notFound {
			t.Errorf("show answers %d %s", got.status, got.body)
		}
	}
	if strings.Contains(r.logs.String(), "changed") {
		t.Errorf("the log tells of changes:\n%s", r.logs)
	}
}

// Twenty people do the same to the same letters, others look on meanwhile. Every
// letter is taken exactly once.
func TestManyActAtOnceAndEachLetterIsTakenOnce(t *testing.T) {
	t.Parallel()
	const letters, people = 10, 20
	r := newRig(t)
	r.bury(t, letters)
	var taken [letters]atomic.Int32
	var wg sync.WaitGroup
	for p := range people {
		wg.Go(func() {
			for i := range letters {
				path := "/v1/dead_set/" + idOf(i).String()
				var got answer
				switch p % 4 {
				case 0:
					got = r.ask(t, http.MethodPost, path+"/replay")
				case 1:
					got = r.ask(t, http.MethodDelete, path)
				case 2:
					r.ask(t, http.MethodGet, path+"?body=true")
					continue
				default:
					r.readAll(t, 3)
					continue
				}
				switch got.status {
				case http.StatusOK:
					taken[i].Add(1)
				case http.StatusConflict, http.StatusNotFound:
				default:
					t.Errorf("letter %d answers %d %s", i, got.status, got.body)
				}
			}
		})
	}
	wg.Wait()
	for i := range taken {
		if n := taken[i].Load(); n != 1 {
			t.Errorf("letter %d was taken %d times", i, n)
		}
	}
	if st := r.store.Stats(); st.Dead != 0 || st.Difference() != 0 {
		t.Errorf("the store counts %+v", st)
	}
}

func TestAFullDiskIsA503AndTheActComesLater(t *testing.T) {
	t.Parallel()
	var full atomic.Bool
	disk := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if full.Load() && op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
			return fmt.Errorf("%s: %w", op.Path, syscall.ENOSPC)
		}
		return nil
	}))
	r := newRigOn(t, openStore(t, embedded.Options{Dir: "/data", FS: disk, Slots: 1}))
	r.api.wait = time.Second
	r.bury(t, 2)
	full.Store(true)
	t.Cleanup(func() { full.Store(false) })

	path := "/v1/dead_set/" + idOf(0).String()
	got := r.ask(t, http.MethodPost, path+"/replay")
	if got.status != http.StatusServiceUnavailable || got.reasonOf(t) != stalled || got.header.Get("Retry-After") != "10" {
		t.Errorf("replay answers %d %v %s", got.status, got.header, got.body)
	}
	if !strings.Contains(r.logs.String(), "act=replay id="+idOf(0).String()+" by=loopback") {
		t.Errorf("the log does not tell of an act that may come:\n%s", r.logs)
	}
	if got := r.ask(t, http.MethodGet, "/v1/dead_set/"+idOf(1).String()); got.status != http.StatusOK {
		t.Errorf("looking answers %d %s", got.status, got.body)
	}
	full.Store(false)
	r.api.wait = time.Minute
	if got := r.ask(t, http.MethodDelete, path); got.status != http.StatusConflict {
		t.Errorf("afterwards it has not been replayed: %d %s", got.status, got.body)
	}
}

func TestAStoreThatFailedOrClosedIsA503(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err  error
		want reason
	}{{store.ErrFailed, unhealthy}, {store.ErrClosed, busy}} {
		r := newRig(t, func(o *Options) { o.Store = brokenStore{err: fmt.Errorf("%w: details", tt.err)} })
		for _, line := range []string{"GET /v1/dead_set", "GET /v1/dead_set/" + idOf(0).String(), "POST /v1/dead_set/" + idOf(0).String() + "/replay"} {
			method, path, _ := strings.Cut(line, " ")
			got := r.ask(t, method, path)
			if got.status != http.StatusServiceUnavailable || got.reasonOf(t) != tt.want || strings.Contains(got.body, "details") {
				t.Errorf("%v: %s answers %d %s", tt.err, line, got.status, got.body)
			}
		}
	}
}
