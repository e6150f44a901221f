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

// ask refuses early a command that would need an answer without a terminal.
func (b *bulk) ask(s *session) error {
	if b.yes || b.dryRun || s.Asking {
		return nil
	}
	return usageError{term.ErrNotTerminal}
}

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
	if b.noWait {
		return s.begun(job)
	}
	return s.watch(ctx, job)
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

// watch shows a job until it has finished, and prints its outcome.
func (s *session) watch(ctx context.Context, job *client.Job) error {
	p := s.Count(job.Act, int64(job.Plan.Count))
	defer p.End()
	tick := time.NewTicker(pollPeriod)
	defer tick.Stop()
	answered := time.Now()
	for !job.Over() {
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
	if job.FailedAgain > 0 {
		note = join(note, fmt.Sprintf("%d failed again", job.FailedAgain))
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
	text := fmt.Sprintf("%s %s: %d of %d done, %d skipped, %d failed again", job.Act, job.State, job.Done, job.Plan.Count, job.Skipped, job.FailedAgain)
	if job.StateReason != "" {
		text += " (" + job.StateReason + ")"
	}
	return text
}

// jobError is nil for a job that has done all of its plan with success.
func jobError(job *client.Job) error {
	switch {
	case job.State == wire.JobDone && job.Skipped == 0 && job.FailedAgain == 0:
		return nil
	case job.Done == 0:
		return errors.New("nothing was done")
	case job.State == wire.JobDone:
		return partlyError{fmt.Errorf("%d skipped, %d failed again", job.Skipped, job.FailedAgain)}
	}
	return partlyError{fmt.Errorf("job %s after %d of %d", job.State, job.Done, job.Plan.Count)}
}
