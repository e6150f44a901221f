// File fake_test.go has the function and the callback receiver of the tests.

package worker

import (
	"context"
	"io"
	"sync"
	"time"

	"queue-worker/pkg/invoke"
)

// called is one call that a fake function got.
type called struct {
	invoke.Call
	target     string // the function, or the URL of a callback
	body       string
	begun, end time.Time
	canceled   bool
}

// fake stands for all functions and all callbacks' hosts. Its answer gets the
// number of the call, from 0, among those of the same target.
type fake struct {
	answer func(ctx context.Context, n int, c called) invoke.Result

	mu    sync.Mutex
	calls []*called
	many  map[string]int
	now   int // calls in flight
	most  int
}

func newFake(answer func(ctx context.Context, n int, c called) invoke.Result) *fake {
	return &fake{answer: answer, many: map[string]int{}}
}

func (f *fake) Function(ctx context.Context, c invoke.Call) invoke.Result {
	return f.call(ctx, c.Request.Function, c)
}

func (f *fake) Callback(ctx context.Context, url string, c invoke.Call) invoke.Result {
	return f.call(ctx, url, c)
}

func (f *fake) call(ctx context.Context, target string, c invoke.Call) invoke.Result {
	body, _ := io.ReadAll(c.Request.Body())
	rec := &called{Call: c, target: target, body: string(body), begun: time.Now()}
	f.mu.Lock()
	f.calls = append(f.calls, rec)
	n := f.many[target]
	f.many[target]++
	f.now++
	f.most = max(f.most, f.now)
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.now--
		rec.end = time.Now()
	}()
	res := f.answer(ctx, n, *rec)
	f.mu.Lock()
	rec.canceled = res.Canceled
	f.mu.Unlock()
	res.Duration = time.Since(rec.begun)
	return res
}

// of are the calls of a target so far, in the order in which they began.
func (f *fake) of(target string) []called {
	f.mu.Lock()
	defer f.mu.Unlock()
	var s []called
	for _, c := range f.calls {
		if c.target == target {
			s = append(s, *c)
		}
	}
	return s
}

// status answers with a status at once.
func status(code int) invoke.Result { return invoke.Result{Status: code} }

// statuses answers with one status after the other, and the last one for ever.
func statuses(codes ...int) func(context.Context, int, called) invoke.Result {
	return func(_ context.Context, n int, _ called) invoke.Result { return status(codes[min(n, len(codes)-1)]) }
}

// takes answers after a while, or with Canceled when the context ends first.
func takes(ctx context.Context, d time.Duration, then invoke.Result) invoke.Result {
	select {
	case <-time.After(d):
		return then
	case <-ctx.Done():
		return invoke.Result{Canceled: true}
	}
}
