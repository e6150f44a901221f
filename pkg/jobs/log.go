// File log.go logs that a job was planned or started, its progress, and its end. The API
// logs who pauses, resumes or cancels a job.

package jobs

import "time"

// Keys of log lines.
const (
	keyJob   = "job"
	keyAct   = "act"
	keyBy    = "by"
	keyError = "error"
)

// tellPeriod is how often the progress of one job is logged at most.
const tellPeriod = 10 * time.Second

func (j *Jobs) tellNew(b *job) {
	r := b.record()
	word := "job planned"
	if r.State == Running {
		word = "job started"
	}
	j.log.Info(word, keyJob, r.ID.String(), keyAct, string(r.Act), keyBy, r.By, "count", r.Plan.Count,
		"needs_force", r.Plan.NeedsForce, "rate", r.Rate, "canary", r.Canary, "force", r.Force)
}

// tellProgress logs how far a job is, from ten seconds after its start.
func (j *Jobs) tellProgress(b *job) {
	if b.logged.IsZero() {
		b.logged = time.Now()
	}
	if time.Since(b.logged) < tellPeriod {
		return
	}
	b.logged = time.Now()
	if r := b.record(); r.State == Running {
		j.log.Info("job progress", j.progress(&r)...)
	}
}

func (j *Jobs) tellEnd(b *job) {
	r := b.record()
	if r.State == Stopped {
		j.log.Warn("job stopped", append(j.progress(&r), "why", r.Reason, "hint", "Resume the job to continue, or cancel it.")...)
		return
	}
	j.log.Info("job done", append(j.progress(&r), "took", r.Finished.Sub(r.Applied).Round(time.Millisecond))...)
}

// progress are the attributes of a job's progress: of a replay with the outcomes so far.
func (j *Jobs) progress(r *record) []any {
	attrs := []any{keyJob, r.ID.String(), keyAct, string(r.Act), "count", r.Plan.Count, "done", r.Done, "skipped", r.Skipped}
	if t := j.outcomes(&r.Job); t != nil {
		attrs = append(attrs, "succeeded", t.Succeeded, "failed_again", t.FailedAgain, "pending", t.Pending())
	}
	return attrs
}
