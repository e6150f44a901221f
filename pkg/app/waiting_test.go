package app

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"queue-worker/pkg/api"
	"queue-worker/pkg/config"
	"queue-worker/pkg/store"
)

// waiter is a worker that waits for its folder for a minute, and its log.
func waiter(wait time.Duration) (*App, *bytes.Buffer) {
	var log bytes.Buffer
	return &App{log: slog.New(slog.NewTextHandler(&log, nil)), Options: Options{Config: &config.Config{DataDir: "/data", DataDirWait: wait}}}, &log
}

var errHeld = &store.LockedError{Holder: "queue-worker-abc, process 7"}

// saysInUse reports whether /readyz names the folder as the reason.
func saysInUse(o *api.Opening) bool {
	w := httptest.NewRecorder()
	o.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/readyz", nil))
	return w.Code == http.StatusServiceUnavailable && strings.Contains(w.Body.String(), "in use by another process")
}

func TestAFolderInUseIsWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, log := waiter(time.Minute)
		var state api.Opening
		free := time.Now().Add(30 * time.Second)
		_, err := a.onceFree(t.Context(), &state, func() (store.Store, error) {
			if time.Now().Before(free) {
				return nil, errHeld
			}
			if !saysInUse(&state) {
				t.Error("the state does not say that the folder is in use")
			}
			return nil, nil
		})
		if err != nil {
			t.Errorf("error is %v, want nil", err)
		}
		if late := time.Since(free); late > time.Second {
			t.Errorf("it is opened %s after its release, want at most 1s", late)
		}
		if n := strings.Count(log.String(), "data_dir in use, waiting for it"); n != 1 {
			t.Errorf("the wait is logged %d times, want once:\n%s", n, log)
		}
		if !strings.Contains(log.String(), errHeld.Holder) {
			t.Errorf("the log does not name the holder:\n%s", log)
		}
		if saysInUse(&state) {
			t.Error("the state still says that the folder is in use")
		}
	})
}

func TestTheWaitForAFolderEnds(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		stopped bool
		wait    time.Duration
		want    error
		took    time.Duration
		text    string
	}{
		"after data_dir_wait":   {false, time.Minute, store.ErrLocked, time.Minute, "data_dir_wait (1m) has passed"},
		"at once with no wait":  {false, 0, store.ErrLocked, 0, "queue-worker-abc"},
		"at once with a signal": {true, time.Minute, context.Canceled, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				if tt.stopped {
					stop()
				}
				a, _ := waiter(tt.wait)
				begun := time.Now()
				_, err := a.onceFree(ctx, &api.Opening{}, func() (store.Store, error) { return nil, errHeld })
				if !errors.Is(err, tt.want) {
					t.Errorf("error is %v, want %v", err, tt.want)
				}
				if err != nil && !strings.Contains(err.Error(), tt.text) {
					t.Errorf("error is %q, want %q in it", err, tt.text)
				}
				if took := time.Since(begun); took != tt.took {
					t.Errorf("it took %s, want %s", took, tt.took)
				}
			})
		})
	}
}
