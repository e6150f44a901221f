// File observe.go waits for what becomes of dead letters that were replayed one by one.

package command

import (
	"context"
	"errors"
	"fmt"
	"time"

	"queue-worker/pkg/client"
	"queue-worker/pkg/wire"
)

// observed counts the final outcomes of replayed invocations.
type observed struct{ replayed, succeeded, failedAgain, others, unknown, pending int }

// observe waits until the outcomes of invocations are known or were waited for long enough, and
// says how they ended.
func (s *session) observe(ctx context.Context, ids []string, asked time.Duration) error {
	end := time.Now().Add(s.observation(ctx, ids, asked))
	o := observed{replayed: len(ids)}
	for _, id := range ids {
		all, err := s.await(ctx, id, max(time.Until(end), time.Millisecond))
		switch {
		case errors.Is(err, errNotOver):
			o.pending++
		case client.IsNotFound(err):
			o.unknown++
		case ctx.Err() != nil:
			return partlyError{errors.New("interrupted")}
		case err != nil:
			return partlyError{err}
		default:
			o.count(all, id)
		}
	}
	if err := s.sayOutcomes(o.String()); err != nil {
		return err
	}
	return o.err()
}

// sayOutcomes writes beside the documents where there are any.
func (s *session) sayOutcomes(text string) error {
	if s.JSON {
		s.Tell("%s", text)
		return nil
	}
	return s.Say("%s", text)
}

// observation is how long the outcomes are waited for: as long as was asked for, or the longest first
// wait of them and a while for their calls.
func (s *session) observation(ctx context.Context, ids []string, asked time.Duration) (longest time.Duration) {
	if asked > 0 {
		return asked
	}
	for _, id := range ids {
		all, err := s.Invocation(ctx, id, 0)
		if err != nil {
			continue // the wait for its outcome says why
		}
		for _, i := range all.Invocations {
			if i.Policy != nil && len(i.Policy.Schedule) > 0 {
				first, _ := time.ParseDuration(i.Policy.Schedule[0]) // 0 when it is no duration
				longest = max(longest, first)
			}
		}
	}
	return longest + observeMore
}

func (o *observed) count(all *client.Invocations, id string) {
	for _, i := range all.Invocations {
		switch {
		case i.ID != id:
		case i.State == wire.StateDone:
			o.succeeded++
		case i.State == wire.StateDead:
			o.failedAgain++
		default:
			o.others++
		}
	}
}

// String is the counts as a bulk replay has them.
func (o *observed) String() string {
	text := fmt.Sprintf("replayed %d, succeeded %d, failed again %d", o.replayed, o.succeeded, o.failedAgain)
	if o.others > 0 {
		text += fmt.Sprintf(", dropped or cancelled %d", o.others)
	}
	if o.unknown > 0 {
		text += fmt.Sprintf(", not known %d", o.unknown)
	}
	return text + fmt.Sprintf(", pending %d", o.pending)
}

func (o *observed) err() error {
	if o.succeeded == o.replayed {
		return nil
	}
	return partlyError{fmt.Errorf("%d of %d have not succeeded", o.replayed-o.succeeded, o.replayed)}
}
