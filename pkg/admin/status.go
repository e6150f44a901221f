// File status.go shows the state of the worker and of its store: GET /v1/status.

package admin

import (
	"context"
	"net/http"
	"time"

	"queue-worker/pkg/console"
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/jobs"
	"queue-worker/pkg/respond"
	"queue-worker/pkg/wire"
	"queue-worker/pkg/worker"
)

// ShowStatus is GET /v1/status.
func (a *Admin) ShowStatus(w http.ResponseWriter, r *http.Request) error {
	if _, err := readParams(r); err != nil {
		return err
	}
	s, _ := a.status(r.Context(), a.snapshot())
	return respond.JSON(w, http.StatusOK, s)
}

// status is the state with its summary, and the functions that the summary is made from, by
// name.
func (a *Admin) status(ctx context.Context, of *snapshot) (wire.Status, []wire.Function) {
	s, all := a.State(), of.all(ctx)
	minutes, rate := a.Worker.Total()
	s.At, s.Worker.Rate, s.Worker.History = of.now.UTC(), rate, historyOf(minutes, of.now, a.Started)
	s.Summary = console.Summarize(console.State{Status: s, Functions: all, Jobs: a.troubledJobs()})
	return s, all
}

// troubledJobs are the jobs that have stopped by themselves or are waiting.
func (a *Admin) troubledJobs() (all []wire.Job) {
	for _, j := range a.Jobs.List() {
		if j.State == jobs.Stopped || j.State == jobs.Waiting {
			all = append(all, a.jobView(j))
		}
	}
	return all
}

// paramHistory asks for the history of functions.
const paramHistory = "history"

// hour reports whether a history is asked for. There is one length.
func (p params) hour() (bool, error) {
	switch {
	case !p.has(paramHistory):
		return false, nil
	case p.text(paramHistory) == "1h":
		return true, nil
	}
	return false, respond.Refuse("history is not a length that is kept", "1h, or leave it out")
}

// history is what happened in a lane in the last hour.
func (a *Admin) history(lane invocation.Lane, now time.Time) wire.History {
	minutes := a.Worker.History(lane)
	if minutes == nil {
		minutes = make([]worker.Minute, worker.HistoryMinutes)
	}
	return historyOf(minutes, now, a.Started)
}

// historyOf are the minutes of an hour since the start of the worker.
func historyOf(minutes []worker.Minute, now, started time.Time) wire.History {
	from := now.Add(-time.Duration(len(minutes)-1) * time.Minute).Truncate(time.Minute)
	if begun := started.Truncate(time.Minute); begun.After(from) {
		skip := min(int(begun.Sub(from)/time.Minute), len(minutes))
		minutes, from = minutes[skip:], begun
	}
	h := wire.History{From: from.UTC(), Step: int(time.Minute / time.Second), Done: []uint32{}, Retried: []uint32{}, GivenUp: []uint32{}}
	for _, m := range minutes {
		h.Done, h.Retried, h.GivenUp = append(h.Done, m.Done), append(h.Retried, m.Retried), append(h.GivenUp, m.GivenUp)
	}
	return h
}
