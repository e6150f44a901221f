package descriptor

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestAnOperationIsRepeatedUntilADescriptorIsFree(t *testing.T) {
	t.Parallel()
	other := errors.New("other")
	for _, m := range []*Monitor{nil, NewMonitor(slog.New(slog.DiscardHandler))} {
		for _, want := range []error{nil, other} {
			synctest.Test(t, func(t *testing.T) {
				tries, begun := 0, time.Now()
				got := m.Await(nil, syscall.EMFILE, func() error {
					if tries++; tries < 5 {
						return fmt.Errorf("open: %w", syscall.ENFILE)
					}
					return want
				})
				switch took := time.Since(begun); {
				case !errors.Is(got, want):
					t.Errorf("%v after %d tries and %s: got = %v, want %v", got, tries, took, got, want)
				case tries != 5:
					t.Errorf("%v after %d tries and %s: tries = %d, want 5", got, tries, took, tries)
				case took != 5*retryEvery:
					t.Errorf("%v after %d tries and %s: took = %v, want %v", got, tries, took, took, 5*retryEvery)
				}
			})
		}
	}
}

func TestAwaitEndsWithItsStop(t *testing.T) {
	t.Parallel()
	stop := make(chan struct{})
	close(stop)
	err := NewMonitor(slog.New(slog.DiscardHandler)).Await(stop, syscall.ENOBUFS, func() error { return syscall.ENOBUFS })
	if !errors.Is(err, syscall.ENOBUFS) {
		t.Errorf("error is %v, want %v", err, syscall.ENOBUFS)
	}
}

func TestOneWarningAndOneEndForEachExhaustion(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		m := NewMonitor(slog.New(slog.NewTextHandler(&log, nil)))
		logged := func() string { // the end is logged by another goroutine
			m.mu.Lock()
			defer m.mu.Unlock()
			return log.String()
		}
		exhaust := func(d time.Duration) {
			var all sync.WaitGroup
			for n := range 20 {
				all.Go(func() {
					until := time.Now().Add(d - time.Duration(n)*time.Millisecond)
					_ = m.Await(nil, &secret{syscall.EMFILE}, func() error {
						if time.Now().Before(until) {
							return syscall.EMFILE
						}
						return nil
					})
				})
			}
			all.Wait()
		}
		exhaust(3 * time.Second)
		time.Sleep(calm / 2) // not ended yet
		m.Note(syscall.EMFILE)
		time.Sleep(calm / 2)
		exhaust(2 * time.Second)
		synctest.Wait()
		switch text := logged(); {
		case strings.Count(text, "\n") != 1:
			t.Errorf("log: strings.Count(text, \"\\n\") = %d, want 1\n%s", strings.Count(text, "\n"), text)
		case !strings.Contains(text, fmt.Sprintf("limit=%d", Limit())):
			t.Errorf("log, want %q in it\n%s", fmt.Sprintf("limit=%d", Limit()), text)
		case !strings.Contains(text, `error="too many open files"`):
			t.Errorf("log, want \"error=\\\"too many open files\\\"\" in it\n%s", text)
		case !strings.Contains(text, "hint="):
			t.Errorf("log, want \"hint=\" in it\n%s", text)
		}
		time.Sleep(calm)
		synctest.Wait()
		switch text := logged(); {
		case strings.Count(text, "\n") != 2:
			t.Errorf("log: strings.Count(text, \"\\n\") = %d, want 2\n%s", strings.Count(text, "\n"), text)
		case !strings.Contains(text, `msg="file descriptors are free again" waited=6s`):
			t.Errorf("log, want \"msg=\\\"file descriptors are free again\\\" waited=6s\" in it\n%s", text)
		}
		exhaust(time.Second)
		time.Sleep(calm)
		synctest.Wait()
		switch text := logged(); {
		case strings.Count(text, "level=WARN") != 2:
			t.Errorf("log: strings.Count(text, \"level=WARN\") = %d, want 2\n%s", strings.Count(text, "level=WARN"), text)
		case strings.Count(text, "waited=1s") != 1:
			t.Errorf("log: strings.Count(text, \"waited=1s\") = %d, want 1\n%s", strings.Count(text, "waited=1s"), text)
		case strings.Contains(text, "victim"):
			t.Errorf("log, want no \"victim\" in it\n%s", text)
		}
	})
}

// secret is an error whose text must not be logged.
type secret struct{ error }

func (s secret) Error() string { return "victim.example" }
func (s secret) Unwrap() error { return s.error }

// TestTheKindOfLackIsNamedWhileItLasts: one that follows another has a warning of its own.
func TestTheKindOfLackIsNamedWhileItLasts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		m := NewMonitor(slog.New(slog.NewTextHandler(&log, nil)))
		seen := []string{}
		errs := []error{syscall.EMFILE, syscall.ENOBUFS, &Lack{Ports, nil}, &Lack{Resolver, nil}, &Lack{Proxy, nil}, nil}
		err := m.Await(nil, errs[0], func() error {
			errs = errs[1:]
			time.Sleep(2 * calm) // the one before has ended by then
			seen = append(seen, m.Lacks().Error())
			return errs[0]
		})
		if err != nil {
			t.Errorf("got %v, want nil", err)
		}
		want := []string{}
		for kind := range kinds {
			want = append(want, kind.String())
		}
		if fmt.Sprint(seen) != fmt.Sprint(want) {
			t.Errorf("got %q, want %q", seen, want)
		}
		time.Sleep(2 * calm)
		synctest.Wait()
		if err := m.Lacks(); err != nil {
			t.Errorf("got %v after the end, want nil", err)
		}
		switch text := log.String(); {
		case strings.Count(text, "level=WARN") != len(want):
			t.Errorf("got\n%swant a warning and an end of each kind, want %d of \"level=WARN\"", text, len(want))
		case strings.Count(text, "level=INFO") != len(want):
			t.Errorf("got\n%swant a warning and an end of each kind, want %d of \"level=INFO\"", text, len(want))
		}
	})
}
