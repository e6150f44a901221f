// File bulk.go shows the plan of a job, asks for confirmation, and watches the job.

package command

import (
	"context"
	"errors"
	"fmt"
	"time"

	"queue-worker/pkg/client"
	"queue-worker/pkg/term"
	"queue-worker/pkg/wire"
)

// carryOut shows a plan, asks, begins and watches.
func (s *session) carryOut(ctx context.Context, job *client.Job, b *bulk) error {
	if !s.JSON {
		if err := showPlan(s.OnErr(), job); err != nil {
			return err
		}
	}
	if job.Plan.Count == 0 || b.dryRun {
		return errors.Join(s.leave(ctx, job), matched(job))
	}
	if !b.yes && !s.Asking {
		return errors.Join(s.forget(ctx, job), usageError{term.ErrNotTerminal})
	}
	if !b.yes {
		ok, err := s.Confirm(fmt.Sprintf("%s %d?", job.Act, job.Plan.Count))
		if err != nil || !ok {
			return errors.Join(err, s.forget(ctx, job), errDeclined)
		}
	}
	job, err := s.Apply(ctx, job.ID)
	if err != nil {
		return err
	}
	if b.detach {
		return s.begun(job)
	}
	return s.watch(ctx, job, b.observe)
}

var errDeclined = errors.New("nothing was done")

// matched is an error when a filter matches nothing, which may be a typing error. An empty dead set is none.
func matched(job *client.Job) error {
	filter, _ := job.Filter.(map[string]any)
	switch {
	case job.Plan.Count > 0 || len(filter) == 0:
		return nil
	case job.Act == wire.ActPurge:
		return errors.New("no pending invocations match")
	}
	return errors.New("no dead letters match")
}

// leave ends with a plan that is not carried out.
func (s *session) leave(ctx context.Context, job *client.Job) error {
	if s.JSON {
		if err := s.Document(job.JSON()); err != nil {
			return err
		}
	}
	return s.forget(ctx, job)
}

// forget takes a plan back. It would expire by itself.
func (s *session) forget(ctx context.Context, job *client.Job) error {
	_, err := s.CancelJob(context.WithoutCancel(ctx), job.ID)
	if client.IsNotFound(err) || client.IsConflict(err) {
		return nil
	}
	return err
}

// begun says that the job continues in the worker.
func (s *session) begun(job *client.Job) error {
	if job.Act == wire.ActReplay {
		s.Tell("not observed: what becomes of the invocations is counted by the worker")
	}
	s.Tell("the job continues in the worker; show it:  queue-worker job status %s --watch", job.ID)
	if s.JSON {
		return s.Document(job.JSON())
	}
	return s.Say("%s", job.ID)
}

// How a job is watched.
const (
	pollPeriod = 500 * time.Millisecond
	// patience is how long the worker may be away while a job is watched. It goes
	// on after a restart.
	patience = 5 * time.Minute
)

// observeMore is added to the longest first wait: the calls take their time, too.
const observeMore = 30 * time.Second

// jobObservation is how long the outcomes of a replay are waited for.
func jobObservation(job *client.Job, asked time.Duration) time.Duration {
	if asked > 0 {
		return asked
	}
	first, _ := time.ParseDuration(job.Plan.FirstWait) // 0 when it is not known
	return first + observeMore
}

// watch shows a job until it has finished, and of a replay until each outcome is known or was
// observed for long enough, and prints what came of it.
func (s *session) watch(ctx context.Context, job *client.Job, observe time.Duration) error {
	p := s.Count(job.Act, int64(job.Plan.Count))
	defer p.End()
	tick := time.NewTicker(pollPeriod)
	defer tick.Stop()
	answered, over := time.Now(), time.Time{}
	for !isSettled(job) {
		if job.Over() && over.IsZero() {
			over = time.Now()
		}
		if !over.IsZero() && time.Since(over) >= jobObservation(job, observe) {
			break
		}
		p.Set(int64(job.Done+job.Skipped), stateNote(job))
		select {
		case <-ctx.Done():
			p.End()
			return s.interrupted(job)
		case <-tick.C:
		}
		now, err := s.Job(ctx, job.ID)
		switch {
		case err == nil:
			job, answered = now, time.Now()
		case ctx.Err() != nil:
		case !client.IsPassing(err) || time.Since(answered) > patience:
			return err
		default:
			p.Set(int64(job.Done+job.Skipped), "the worker does not answer, waiting")
		}
	}
	p.End()
	if job.State == wire.JobStopped {
		s.Tell("it has stopped because of failures\n  resume: queue-worker job resume %s\n  cancel: queue-worker job cancel %s", job.ID, job.ID)
	}
	return s.ended(job)
}

// isSettled reports whether a job makes no more progress and no outcome of it is pending.
func isSettled(job *client.Job) bool {
	return job.Over() && (job.State != wire.JobDone || !job.Known() || *job.Pending == 0)
}

// interrupted says what has become of a job that is no longer watched.
func (s *session) interrupted(job *client.Job) error {
	s.Tell("the job continues in the worker\n  show it:    queue-worker job status %s --watch\n  cancel it:  queue-worker job cancel %s", job.ID, job.ID)
	if s.JSON {
		if err := s.Document(job.JSON()); err != nil {
			return err
		}
	}
	return errors.New("interrupted")
}

// stateNote is what a progress says beside the numbers.
func stateNote(job *client.Job) string {
	note := ""
	if job.State != wire.JobRunning {
		note = job.State
	}
	if job.StateReason != "" {
		note = join(note, job.StateReason)
	}
	if job.Known() {
		note = join(note, outcomes(job))
	}
	return note
}

func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + ", " + b
}

// ended says how a job ended, and whether that is a success.
func (s *session) ended(job *client.Job) error {
	var err error
	if s.JSON {
		err = s.Document(job.JSON())
	} else {
		err = s.Say("%s", outcome(job))
	}
	return errors.Join(err, jobError(job))
}

// outcome is a sentence about a job.
func outcome(job *client.Job) string {
	text := fmt.Sprintf("%s %s: %d of %d done, %d skipped", job.Act, job.State, job.Done, job.Plan.Count, job.Skipped)
	switch {
	case job.Known() && job.State == wire.JobDone && job.Skipped == 0:
		text = outcomes(job)
	case job.Known():
		text += "; " + outcomes(job)
	case job.Act == wire.ActReplay:
		text += "; what became of them is not known"
	}
	if job.StateReason != "" {
		text += " (" + job.StateReason + ")"
	}
	return text
}

// outcomes are the counts of a replay, where they are known.
func outcomes(job *client.Job) string {
	text := fmt.Sprintf("replayed %d, succeeded %d, failed again %d", *job.Replayed, *job.Succeeded, *job.FailedAgain)
	if *job.Dropped > 0 {
		text += fmt.Sprintf(", dropped %d", *job.Dropped)
	}
	if *job.Cancelled > 0 {
		text += fmt.Sprintf(", cancelled %d", *job.Cancelled)
	}
	return text + fmt.Sprintf(", pending %d", *job.Pending)
}

// jobError is nil for a job that has done all of its plan with success: of a replay, that all
// invocations have succeeded.
func jobError(job *client.Job) error {
	switch {
	case job.Done == 0:
		return errors.New("nothing was done")
	case job.State != wire.JobDone:
		return partlyError{fmt.Errorf("job %s after %d of %d", job.State, job.Done, job.Plan.Count)}
	case job.Skipped > 0:
		return partlyError{fmt.Errorf("%d skipped", job.Skipped)}
	case job.Act != wire.ActReplay:
		return nil
	case !job.Known():
		return partlyError{errors.New("what became of the invocations is not known")}
	case *job.Succeeded < *job.Replayed:
		return partlyError{fmt.Errorf("%d of %d have not succeeded", *job.Replayed-*job.Succeeded, *job.Replayed)}
	}
	return nil
}
