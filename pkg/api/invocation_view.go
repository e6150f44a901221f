// File invocation_view.go has the JSON of an invocation.

package api

import (
	"context"
	"time"

	"queue-worker/pkg/invocation"
)

// invocationView is an invocation in any state.
type invocationView struct {
	ID       invocation.ID     `json:"id"`
	CallID   string            `json:"call_id"`
	Kind     string            `json:"kind"`   // function or callback
	Source   string            `json:"source"` // gateway, http, mailbox or producer
	Queue    string            `json:"queue"`
	Function string            `json:"function"`         // as the caller named it; of a callback, whose result it carries
	Topic    string            `json:"topic-entity"`     // the function's short name, or url:<host:port>
	Target   string            `json:"target,omitempty"` // of a callback: scheme://host:port
	Origin   string            `json:"origin,omitempty"` // of a callback: the id of the invocation whose result it carries
	State    string            `json:"state"`            // ready, running, delayed, done, dead, dropped or cancelled
	Due      time.Time         `json:"due,omitzero"`     // of a delayed one: when it is called
	First    time.Time         `json:"first_seen"`
	Retries  int               `json:"retry-count"` // since it was accepted or replayed
	Attempts []attempt         `json:"attempts"`    // oldest first
	Omitted  int               `json:"attempts_omitted"`
	Replays  int               `json:"replays"`
	Size     int               `json:"size"`             // bytes of the QueueRequest
	Expires  time.Time         `json:"expires,omitzero"` // no attempt begins after it
	Status   int               `json:"status"`           // of the last attempt, 0 without one
	Reason   invocation.Reason `json:"reason,omitempty"` // why it is dead
	Detail   string            `json:"detail,omitempty"`
	Died     time.Time         `json:"died_at,omitzero"`
	Finished time.Time         `json:"finished_at,omitzero"` // when it finished
	Result   bool              `json:"result,omitempty"`     // GET .../result has it
	Policy   *policyView       `json:"policy,omitempty"`     // in force, unless it has finished; not in lists
}

// viewOf is what was found, as JSON.
func viewOf(f *found) invocationView {
	inv := f.inv
	l := letterOf(inv)
	v := invocationView{
		ID: inv.ID, CallID: inv.CallID, Kind: l.Kind, Source: inv.Source().String(), Queue: l.Queue,
		Function: l.Function, Topic: l.Topic, Target: l.Target, Origin: l.Origin, State: f.state,
		First: l.First, Retries: l.Retries, Attempts: l.Attempts, Omitted: l.Omitted, Replays: l.Replays,
		Size: l.Size, Status: l.Status, Finished: utc(f.ended), Expires: utc(inv.Expires()), Result: f.hasResult,
	}
	if f.state == stateDelayed {
		v.Due = utc(inv.Since)
	}
	if inv.State == invocation.Dead { // given up, be it kept or not
		v.Reason, v.Detail, v.Died = inv.Reason, inv.Detail, l.Died
	}
	return v
}

// detailedViews are views with the policies in force, for which requests are read.
func (a *api) detailedViews(ctx context.Context, all []found) ([]invocationView, error) {
	views := make([]invocationView, len(all))
	for i := range all {
		f := &all[i]
		views[i] = viewOf(f)
		if !f.isPending() && f.state != stateDead {
			continue
		}
		err := a.withRoom(ctx, int64(f.inv.Size), func() error {
			views[i].Policy = policyViewOf(a.Policies.PolicyOf(f.inv))
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return views, nil
}

// utc is a time in UTC, and no time stays none.
func utc(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC()
}
