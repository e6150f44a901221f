package admin_test

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

	"queue-worker/pkg/api/apitest"
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
	"queue-worker/pkg/store/embedded"
	"queue-worker/pkg/wire"
)

func TestReplayAndDropTakeOneLetterAndSayWho(t *testing.T) {
	t.Parallel()
	r := newRig(t, apitest.WithBasicAuth(t))
	r.Bury(t, 3)
	operator := apitest.As(apitest.TestUser, apitest.TestPassword)

	got := r.Ask(t, http.MethodPost, "/v1/dead_set/"+apitest.IDOf(1).String()+"/replay", operator)
	if got.Status != http.StatusOK {
		t.Fatalf("replay answers %d %s, want %d", got.Status, got.Body, http.StatusOK)
	}
	apitest.Golden(t, "replay.json", got.Body)
	switch inv, err := r.Store.Get(t.Context(), apitest.IDOf(1)); {
	case err != nil:
		t.Errorf("after the replay the store has %+v, %v, want no error", inv, err)
	case inv.State != invocation.Pending:
		t.Errorf("after the replay the store has %+v, %v, want state %v", inv, err, invocation.Pending)
	case inv.Replays != 1:
		t.Errorf("after the replay the store has %+v, %v, want replays 1", inv, err)
	}

	got = r.Ask(t, http.MethodDelete, "/v1/dead_set/"+apitest.IDOf(2).String(), operator)
	if got.Status != http.StatusOK {
		t.Fatalf("drop answers %d %s, want %d", got.Status, got.Body, http.StatusOK)
	}
	apitest.Golden(t, "drop.json", got.Body)
	if _, err := r.Store.Get(t.Context(), apitest.IDOf(2)); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("after the drop the store says %v, want %v", err, store.ErrNotFound)
	}

	var left []string
	for line := range strings.Lines(r.Logs.String()) {
		if strings.Contains(line, "dead set changed") {
			left = append(left, line)
		}
	}
	for i, want := range []string{"act=replay id=" + apitest.IDOf(1).String() + " by=admin peer=127.0.0.1:", "act=drop id=" + apitest.IDOf(2).String() + " by=admin peer=127.0.0.1:"} {
		if len(left) != 2 || !strings.Contains(left[i], want) {
			t.Errorf("the log lines are %q, want %q", left, want)
		}
	}
}

func TestASupersededCallbackIsReplayedWithForceOnly(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	letter := apitest.DeadAt(0)
	letter.Kind, letter.Origin, letter.URL, letter.Superseded = invocation.KindCallback, apitest.IDOf(9), "http://h/x", true
	r.Put(t, letter, nil)
	path := "/v1/dead_set/" + apitest.IDOf(0).String() + "/replay"
	got := r.Ask(t, http.MethodPost, path)
	if got.Status != http.StatusConflict || got.ReasonOf(t) != wire.Superseded {
		t.Errorf("without force: got %d %s, want %d %s", got.Status, got.Body, http.StatusConflict, wire.Superseded)
	}
	if got = r.Ask(t, http.MethodPost, path+"?force=true"); got.Status != http.StatusOK {
		t.Errorf("with force: got %d %s, want %d", got.Status, got.Body, http.StatusOK)
	}
}

func TestWithoutBasicAuthTheLogSaysFromWhere(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		open bool
		want string
	}{{false, "by=loopback"}, {true, "by=anyone"}} {
		r := newRig(t, func(o *apitest.Options) { o.API.AdminOpen = tt.open })
		r.Bury(t, 1)
		r.Ask(t, http.MethodDelete, "/v1/dead_set/"+apitest.IDOf(0).String())
		if !strings.Contains(r.Logs.String(), tt.want) {
			t.Errorf("admin_open=%v: the log is\n%s, want %q in it", tt.open, r.Logs, tt.want)
		}
	}
}

func TestWhatIsNotDeadCannotBeReplayedOrDropped(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	waiting := apitest.DeadAt(0)
	waiting.State = invocation.Pending
	r.Put(t, waiting, nil)
	for _, tt := range []struct {
		id     invocation.ID
		status int
		want   wire.Reason
	}{{apitest.IDOf(0), http.StatusConflict, wire.NotDead}, {apitest.IDOf(1), http.StatusNotFound, wire.NotFound}} {
		path := "/v1/dead_set/" + tt.id.String()
		switch got := r.Ask(t, http.MethodPost, path+"/replay"); {
		case got.Status != tt.status:
			t.Errorf("replay answers %d %s, want status %v", got.Status, got.Body, tt.status)
		case got.ReasonOf(t) != tt.want:
			t.Errorf("replay answers %d %s, want reason %v", got.Status, got.Body, tt.want)
		}
		switch got := r.Ask(t, http.MethodDelete, path); {
		case got.Status != tt.status:
			t.Errorf("drop answers %d %s, want status %v", got.Status, got.Body, tt.status)
		case got.ReasonOf(t) != tt.want:
			t.Errorf("drop answers %d %s, want reason %v", got.Status, got.Body, tt.want)
		}
		switch got := r.Ask(t, http.MethodGet, path); {
		case got.Status != http.StatusNotFound:
			t.Errorf("show answers %d %s, want status %d", got.Status, got.Body, http.StatusNotFound)
		case got.ReasonOf(t) != wire.NotFound:
			t.Errorf("show answers %d %s, want reason %v", got.Status, got.Body, wire.NotFound)
		}
	}
	if strings.Contains(r.Logs.String(), "changed") {
		t.Errorf("got log lines about changes:\n%s, want no \"changed\" in it", r.Logs)
	}
}

// Twenty operators do the same to the same letters, others look on meanwhile. Every
// letter is taken exactly once.
func TestManyActAtOnceAndEachLetterIsTakenOnce(t *testing.T) {
	t.Parallel()
	const letters, operators = 10, 20
	r := newRig(t)
	r.Bury(t, letters)
	var taken [letters]atomic.Int32
	var wg sync.WaitGroup
	for p := range operators {
		wg.Go(func() {
			for i := range letters {
				path := "/v1/dead_set/" + apitest.IDOf(i).String()
				var got apitest.Answer
				switch p % 4 {
				case 0:
					got = r.Ask(t, http.MethodPost, path+"/replay")
				case 1:
					got = r.Ask(t, http.MethodDelete, path)
				case 2:
					r.Ask(t, http.MethodGet, path+"?body=true")
					continue
				default:
					r.readAll(t, 3)
					continue
				}
				switch got.Status {
				case http.StatusOK:
					taken[i].Add(1)
				case http.StatusConflict, http.StatusNotFound:
				default:
					t.Errorf("letter %d answers %d %s", i, got.Status, got.Body)
				}
			}
		})
	}
	wg.Wait()
	for i := range taken {
		if n := taken[i].Load(); n != 1 {
			t.Errorf("letter %d was taken %d times, want 1", i, n)
		}
	}
	switch st := r.Store.Stats(); {
	case st.Dead != 0:
		t.Errorf("the store counts %+v, want dead 0", st)
	case st.Difference() != 0:
		t.Errorf("the store counts %+v, want difference 0", st)
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
	r := newRigOn(t, apitest.OpenStore(t, embedded.Options{Dir: "/data", FS: disk, Slots: 1}))
	r.SetWait(time.Second)
	r.Bury(t, 2)
	full.Store(true)
	t.Cleanup(func() { full.Store(false) })

	path := "/v1/dead_set/" + apitest.IDOf(0).String()
	got := r.Ask(t, http.MethodPost, path+"/replay")
	switch {
	case got.Status != http.StatusServiceUnavailable:
		t.Errorf("replay answers %d %v %s, want status %d", got.Status, got.Header, got.Body, http.StatusServiceUnavailable)
	case got.ReasonOf(t) != wire.Stalled:
		t.Errorf("replay answers %d %v %s, want reason %v", got.Status, got.Header, got.Body, wire.Stalled)
	case got.Header.Get("Retry-After") != "10":
		t.Errorf(`replay answers %d %v %s, want Retry-After "10"`, got.Status, got.Header, got.Body)
	}
	if !strings.Contains(r.Logs.String(), "act=replay id="+apitest.IDOf(0).String()+" by=loopback") {
		t.Errorf("the log does not tell of an act that may come:\n%s, want %q in it", r.Logs, "act=replay id="+apitest.IDOf(0).String()+" by=loopback")
	}
	if got := r.Ask(t, http.MethodGet, "/v1/dead_set/"+apitest.IDOf(1).String()); got.Status != http.StatusOK {
		t.Errorf("looking answers %d %s, want %d", got.Status, got.Body, http.StatusOK)
	}
	full.Store(false)
	r.SetWait(time.Minute)
	if got := r.Ask(t, http.MethodDelete, path); got.Status != http.StatusConflict {
		t.Errorf("afterwards it has not been replayed: %d %s, want %d", got.Status, got.Body, http.StatusConflict)
	}
}

func TestAStoreThatFailedOrClosedIsA503(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err  error
		want wire.Reason
	}{{store.ErrFailed, wire.Unhealthy}, {store.ErrClosed, wire.Busy}} {
		r := newRig(t, func(o *apitest.Options) { o.Admin.Store = brokenStore{err: fmt.Errorf("%w: details", tt.err)} })
		for _, line := range []string{"GET /v1/dead_set", "GET /v1/dead_set/" + apitest.IDOf(0).String(), "POST /v1/dead_set/" + apitest.IDOf(0).String() + "/replay"} {
			method, path, _ := strings.Cut(line, " ")
			got := r.Ask(t, method, path)
			switch {
			case got.Status != http.StatusServiceUnavailable:
				t.Errorf("%v: %s answers %d %s, want status %d", tt.err, line, got.Status, got.Body, http.StatusServiceUnavailable)
			case got.ReasonOf(t) != tt.want:
				t.Errorf("%v: %s answers %d %s, want reason %v", tt.err, line, got.Status, got.Body, tt.want)
			case strings.Contains(got.Body, "details"):
				t.Errorf(`%v: %s answers %d %s, want no "details" in it`, tt.err, line, got.Status, got.Body)
			}
		}
	}
}
