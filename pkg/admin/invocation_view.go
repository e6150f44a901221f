// File invocation_view.go has the JSON of an invocation.

package admin

import (
	"context"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/wire"
)

// viewOf is what was found, as JSON.
func viewOf(f *found) wire.Invocation {
	inv := f.inv
	l := letterOf(inv)
	v := wire.Invocation{
		ID: inv.ID.String(), CallID: inv.CallID, Kind: l.Kind, Source: inv.Source().String(), Queue: l.Queue,
		Function: l.Function, Topic: l.Topic, Target: l.Target, Origin: l.Origin, Sequence: l.Sequence, State: f.state,
		First: l.First, Retries: l.Retries, Attempts: l.Attempts, Omitted: l.Omitted, Replays: l.Replays,
		Size: l.Size, Status: l.Status, Finished: utc(f.ended), Expires: utc(inv.Expires()), HasResult: f.hasResult, Truncated: f.truncated,
	}
	if inv.Terms != nil {
		v.DelayIgnored = string(inv.Terms.DelayIgnored)
	}
	if inv.Terms != nil && !inv.Terms.Repeats.IsZero() {
		v.Repeats = inv.Terms.Repeats.String()
	}
	if f.state == wire.StateDelayed {
		v.Due = utc(inv.Since)
	}
	if inv.Reason == invocation.Superseded {
		v.Reason, v.Detail = string(inv.Reason), inv.Detail
	}
	v.Running = utc(f.since)
	if inv.State == invocation.Dead { // given up, be it kept or not
		v.Reason, v.Detail, v.Died = string(inv.Reason), inv.Detail, l.Died
	}
	return v
}

// detailedViews are views with the policies in force, for which requests are read.
func (a *Admin) detailedViews(ctx context.Context, all []found) ([]wire.Invocation, error) {
	views := make([]wire.Invocation, len(all))
	for i := range all {
		f := &all[i]
		views[i] = viewOf(f)
		if !f.isPending() && f.state != wire.StateDead {
			continue
		}
		err := a.withRoom(ctx, int64(f.inv.Size), func() error {
			views[i].Policy = policyViewOf(a.Worker.PolicyOf(f.inv))
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
