package admin_test

// A call id that is looked up while its invocations finish.

import (
	"context"
	"slices"
	"testing"
	"time"

	"queue-worker/pkg/api/apitest"
	"queue-worker/pkg/finished"
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// finishing is a store that is read just before all that it has finishes.
type finishing struct {
	apitest.EmptyStore
	inv    *invocation.Invocation
	finish func()
}

func (s *finishing) FindCall(context.Context, string, int) ([]*invocation.Invocation, []*store.Result, error) {
	if s.inv == nil {
		return nil, nil, nil
	}
	found := []*invocation.Invocation{s.inv}
	s.inv = nil
	s.finish()
	return found, nil, nil
}

func TestACallThatFinishesMeanwhileIsShownWithItsCallback(t *testing.T) {
	t.Parallel()
	watch := finished.New()
	call, callback := endAt(0, "call", invocation.OutcomeDone), endAt(1, "call", invocation.OutcomeDone)
	callback.Inv.Kind, callback.Inv.Origin = invocation.KindCallback, call.Inv.ID
	s := &finishing{inv: call.Inv, finish: func() {
		call.At, callback.At = time.Now(), time.Now()
		watch.Ended(call)
		watch.Ended(callback)
	}}
	r := newRig(t, func(o *apitest.Options) { o.Admin.Store, o.Admin.Watch = s, watch })
	var got shown
	r.Get(t, "/v1/invocations/call", &got)
	if want := []string{num(1) + " done", num(0) + " done"}; !slices.Equal(got.states(), want) {
		t.Errorf("got %q, want %q", got.states(), want)
	}
}
