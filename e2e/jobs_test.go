package e2e

// Bulk acts over HTTP: replay, drop and purge, planned first.

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"queue-worker/internal/testkit"
)

func TestABulkReplayIsPlannedAndCarriedOutAtItsRate(t *testing.T) {
	t.Parallel()
	s := newStand(t, "max_retry_attempts=0")
	w := s.worker()
	all := w.fill(t, 30)
	w.fill2(t, "fn2", 3)
	j := w.plan(t, `{"act":"replay","filter":{"function":"fn1"}}`)
	switch {
	case j.State != "planned":
		t.Errorf(`the plan is %+v, want state "planned"`, j)
	case j.Plan.Count != 30:
		t.Errorf("the plan is %+v, want count 30", j)
	case j.Plan.Duration != "3s":
		t.Errorf(`the plan is %+v, want duration "3s"`, j)
	case j.Rate != 10:
		t.Errorf("the plan is %+v, want rate 10", j)
	case j.By != "loopback":
		t.Errorf(`the plan is %+v, want by "loopback"`, j)
	case len(j.Plan.Groups) != 1:
		t.Errorf("the plan is %+v, want 1 group", j)
	case j.Plan.Groups[0].Count != 30:
		t.Errorf("the plan is %+v, want count 30", j)
	case j.Plan.Groups[0].Function != "fn1.openfaas-fn":
		t.Errorf(`the plan is %+v, want function "fn1.openfaas-fn"`, j)
	}
	if n := len(s.gateway.calls()); n != 0 {
		t.Errorf("the plan made %d calls, want 0", n)
	}
	w.steer(t, j, "apply")
	j = w.wantJob(t, j, 30, 0)
	if took := j.Finished.Sub(j.Applied); took < 2800*time.Millisecond {
		t.Errorf("it took %s, at 10 a second, want at least %v", took, 2800*time.Millisecond)
	}
	w.idle(t)
	for _, c := range all {
		if n := s.gateway.byCall()[c.CallID]; n != 1 {
			t.Errorf("a letter was called %d times, want 1", n)
		}
	}
	switch got := w.metrics(t); {
	case got.sum("queue_worker_replayed_total") != 30:
		t.Errorf(`the metrics count %v replays and %v jobs, want queue_worker_replayed_total 30`, got.sum("queue_worker_replayed_total"), got.sum("queue_worker_jobs", "state", "done"))
	case got.sum("queue_worker_jobs", "state", "done") != 1:
		t.Errorf(`the metrics count %v replays and %v jobs, want got.sum("queue_worker_jobs", "state", "done") 1`, got.sum("queue_worker_replayed_total"), got.sum("queue_worker_jobs", "state", "done"))
	}
	switch c := w.counts(t); {
	case c.dead != 3:
		t.Errorf("the counts are %+v, want dead 3", c)
	case c.done != 30:
		t.Errorf("the counts are %+v, want done 30", c)
	}
	w.event(t, "the end of the job", func(e entry) bool { return e.message() == "job done" && e.text("job") == j.ID })
}

// fill2 imports n letters of another function.
func (w *worker) fill2(t testing.TB, function string, n int) {
	t.Helper()
	w.fill(t, n, func(c *corpse) {
		c.ID = strings.Replace(c.ID, "01990000-", "01990001-", 1)
		c.Topic, c.Function = function, function
		c.Request = []byte(encode(t, call(function, "")))
	})
}

func TestABulkActTakesNoMoreThanItsPlan(t *testing.T) {
	t.Parallel()
	s := newStand(t, "max_retry_attempts=0")
	s.gateway.tell(always(status(500)))
	w := s.worker()
	all := w.fill(t, 10)
	j := w.plan(t, `{"act":"drop","all":true,"limit":8}`)
	late := s.bury(w, "fn1", "late")
	if code, _ := w.ask(t, http.MethodPost, "/v1/dead_set/"+all[0].ID+"/replay"); code != http.StatusOK { // and is dead again
		t.Errorf("the replay is answered %d, want %d", code, http.StatusOK)
	}
	testkit.Eventually(t, "it to be dead again", func() bool { return w.counts(t).dead == 11 })
	w.steer(t, j, "apply")
	w.wantJob(t, j, 7, 1)
	left := w.kept(t)
	for _, c := range []string{all[0].CallID, all[8].CallID, all[9].CallID, id(late[0])} {
		if _, is := left[c]; !is {
			t.Error("one that was not in the plan is gone, want is")
		}
	}
	switch c := w.idle(t); {
	case c.dropped != 7:
		t.Errorf("the counts are %+v, want dropped 7", c)
	case c.dead != 4:
		t.Errorf("the counts are %+v, want dead 4", c)
	}
	if n := w.metrics(t).sum("queue_worker_job_dropped_total", "act", "drop"); n != 7 {
		t.Errorf("%v drops are counted, want 7", n)
	}
	for _, again := range []string{"apply", "pause", "resume", "cancel"} {
		switch code, body := w.ask(t, http.MethodPost, "/v1/jobs/"+j.ID+"/"+again); {
		case code != http.StatusConflict:
			t.Errorf("%s of what is done is answered %d %s, want code %d", again, code, body, http.StatusConflict)
		case !strings.Contains(body, `"hint"`):
			t.Errorf(`%s of what is done is answered %d %s, want "hint" in it`, again, code, body)
		}
	}
}

func TestAJobIsPausedOverARestartResumedAndCancelled(t *testing.T) {
	t.Parallel()
	s := newStand(t, "max_retry_attempts=0")
	w := s.worker()
	w.fill(t, 300)
	j := w.begin(t, `{"act":"replay","all":true,"rate":20}`)
	w.awaitJob(t, j, "some way", func(j job) bool { return j.Done >= 5 })
	j = w.steer(t, j, "pause")
	if j.State != "paused" {
		t.Errorf(`paused it is %+v, want state "paused"`, j)
	}
	j = w.job(t, j) // a step that had begun has ended
	w.kill()
	w = s.worker()
	w.idle(t)
	switch got := w.job(t, j); {
	case got.State != "paused":
		t.Errorf(`after the restart it is %+v, before %+v, want state "paused"`, got, j)
	case got.Done != j.Done:
		t.Errorf("after the restart it is %+v, before %+v, want done %v", got, j, j.Done)
	case int(w.counts(t).dead) != 300-j.Done:
		t.Errorf("after the restart it is %+v, before %+v, want int(w.counts(t).dead) %v", got, j, 300-j.Done)
	}
	w.steer(t, j, "resume")
	w.awaitJob(t, j, "further", func(g job) bool { return g.Done >= j.Done+5 })
	j = w.steer(t, j, "cancel")
	w.idle(t)
	j = w.awaitState(t, j, "cancelled")
	switch {
	case int(w.counts(t).dead) != 300-j.Done:
		t.Errorf("cancelled it is %+v, the counts are %+v, want int(w.counts(t).dead) %v", j, w.counts(t), 300-j.Done)
	case len(s.gateway.calls()) < j.Done:
		t.Errorf("cancelled it is %+v, the counts are %+v, want at least %d calls", j, w.counts(t), j.Done)
	}
}

func TestAKillInTheMiddleOfAJobNeitherRepeatsNorForgetsALetter(t *testing.T) {
	t.Parallel()
	const letters, kills, slots = 3000, 4, 20
	s := newStand(t, "max_retry_attempts=0", "max_inflight=20")
	s.gateway.tell(always(status(500)))
	w := s.worker()
	all := w.fill(t, letters)
	j := w.begin(t, `{"act":"replay","all":true,"rate":2000}`)
	for n := range kills {
		w.awaitJob(t, j, "further", func(j job) bool { return j.Done > (n+1)*letters/(kills+2) || j.State == "done" })
		w.kill()
		w = s.worker()
	}
	w.wantJob(t, j, letters, 0)
	w.idle(t)
	left, calls := w.kept(t), s.gateway.byCall()
	total := 0
	for _, c := range all {
		switch {
		case left[c.CallID].Replays != 1:
			t.Fatalf("a letter was replayed %d times and called %d times, want replays 1", left[c.CallID].Replays, calls[c.CallID])
		case calls[c.CallID] < 1:
			t.Fatalf("a letter was replayed %d times and called %d times, want calls[c.CallID] at least 1", left[c.CallID].Replays, calls[c.CallID])
		}
		total += calls[c.CallID]
	}
	if total > letters+kills*slots {
		t.Errorf("there were %d calls of %d dead letters, want at most %v", total, letters, letters+kills*slots)
	}
	if c := w.counts(t); c.dead != letters {
		t.Errorf("the counts are %+v, want dead %v", c, letters)
	}
	if got, want := w.job(t, j).jobOutcomes, (jobOutcomes{Replayed: letters, FailedAgain: letters}); got != want {
		t.Errorf("the outcomes after %d kills: got %+v, want %+v", kills, got, want)
	}
}

// TestACrashMiscountsNoReplay kills the worker between the end of a call and its settlement, and
// just after that.
func TestACrashMiscountsNoReplay(t *testing.T) {
	t.Parallel()
	for _, point := range []string{"before-settle", "after-settle"} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			s := newStand(t, "max_retry_attempts=0")
			s.gateway.tell(always(status(400)))
			w := s.worker()
			s.bury(w, "fn1", "a", "b", "c", "d", "e", "f", "g")
			w.kill()
			w = s.crasher(point, 4).ready(t)
			s.gateway.tell(func(a asked) answer {
				if string(a.Body) < "d" {
					return status(200)
				}
				return status(400)
			})
			j := w.begin(t, `{"act":"replay","all":true,"rate":1000}`)
			w.crashed(t)
			w = s.worker()
			w.awaitJob(t, j, "every outcome", func(j job) bool { return j.State == "done" && j.Pending == 0 })
			if got, want := w.job(t, j).jobOutcomes, (jobOutcomes{Replayed: 7, Succeeded: 3, FailedAgain: 4}); got != want {
				t.Errorf("outcomes: got %+v, want %+v", got, want)
			}
		})
	}
}

func TestACanaryStopsAndIsResumedWhenTheFunctionIsHealed(t *testing.T) {
	t.Parallel()
	s := newStand(t, "max_retry_attempts=0")
	s.gateway.tell(always(status(500)))
	w := s.worker()
	w.fill(t, 40)
	j := w.begin(t, `{"act":"replay","all":true,"canary":true,"rate":1000}`)
	j = w.awaitState(t, j, "stopped")
	switch {
	case j.Done != 1:
		t.Errorf("the job is %+v, want done 1", j)
	case j.FailedAgain != 1:
		t.Errorf("the job is %+v, want FailedAgain 1", j)
	case !strings.Contains(j.Why, "failed again"):
		t.Errorf(`the job is %+v, want "failed again" in Why`, j)
	}
	w.event(t, "the stop", func(e entry) bool { return e.message() == "job stopped" && e.text("level") == "WARN" })
	if n := len(s.gateway.calls()); n != 1 {
		t.Errorf("there were %d calls, want 1", n)
	}
	s.gateway.tell(always(answer{}))
	w.steer(t, j, "resume")
	w.wantJob(t, j, 40, 0)
	switch c := w.idle(t); { // the one that failed again died after the plan
	case c.dead != 1:
		t.Errorf("the counts are %+v, want dead 1", c)
	case c.done != 39:
		t.Errorf("the counts are %+v, want done 39", c)
	}
}

func TestALetterThatWasReplayedThreeTimesNeedsForce(t *testing.T) {
	t.Parallel()
	s := newStand(t, "max_retry_attempts=0")
	w := s.worker()
	all := w.fill(t, 6, func(c *corpse) {
		if c.ID[35] < '2' {
			c.Replays = 3
		}
	})
	j := w.begin(t, `{"act":"replay","all":true,"rate":1000}`)
	switch {
	case j.Plan.Count != 6:
		t.Errorf("the plan is %+v, want count 6", j)
	case j.Plan.NeedsForce != 2:
		t.Errorf("the plan is %+v, want NeedsForce 2", j)
	}
	w.wantJob(t, j, 4, 2)
	switch left := w.kept(t); {
	case len(left) != 2:
		t.Errorf("%d are left, want 2 left", len(left))
	case left[all[0].CallID].Replays != 3:
		t.Errorf("%d are left, want replays 3", len(left))
	}
	j = w.begin(t, `{"act":"replay","filter":{"reason":"attempts_exhausted"},"force":true}`)
	w.wantJob(t, j, 2, 0)
	switch c := w.idle(t); {
	case c.dead != 0:
		t.Errorf("the counts are %+v, want dead 0", c)
	case c.done != 6:
		t.Errorf("the counts are %+v, want done 6", c)
	}
}

func TestAPurgeTakesWhatWaitsAndNotWhatIsCalled(t *testing.T) {
	t.Parallel()
	s := newStand(t, "max_inflight=2", "initial_retry_wait=1h", "max_retry_wait=1h")
	tell, release := held("fn1")
	s.gateway.tell(tell)
	w := s.worker()
	for range 20 {
		s.broker.publish(t, call("fn1", ""))
	}
	s.gateway.await(t, 2)
	testkit.Eventually(t, "all to be taken in", func() bool { return w.counts(t).accepted == 20 })
	j := w.planAt(t, "/v1/functions/fn1.openfaas-fn/purge", `{"state":"all"}`)
	switch {
	case j.Act != "purge":
		t.Errorf(`the plan is %+v, want act "purge"`, j)
	case j.Plan.Count != 20:
		t.Errorf("the plan is %+v, want count 20", j)
	case w.counts(t).dropped != 0:
		t.Errorf("the plan is %+v, want dropped 0", j)
	}
	other := call("fn2", "")
	w.steer(t, j, "apply")
	w.wantJob(t, j, 18, 2)
	release()
	s.broker.publish(t, other)
	w.next(t, other, "done")
	switch c := w.idle(t); {
	case c.dropped != 18:
		t.Errorf("the counts are %+v, want dropped 18", c)
	case c.done != 3:
		t.Errorf("the counts are %+v, want done 3", c)
	}
	if n := w.metrics(t).sum("queue_worker_job_dropped_total", "act", "purge"); n != 18 {
		t.Errorf("%v purges are counted, want 18", n)
	}
}

func TestTwoPeopleReplayTheSameAtOnceAndEachLetterIsCalledOnce(t *testing.T) {
	t.Parallel()
	s := newStand(t, "max_retry_attempts=0")
	s.gateway.tell(always(status(500)))
	w := s.worker()
	all := w.fill(t, 500)
	jobs := make([]job, 2)
	for i := range jobs {
		jobs[i] = w.plan(t, `{"act":"replay","all":true,"rate":5000}`)
	}
	codes := make([][]int, 2) // of two people who replay single letters meanwhile
	var wg sync.WaitGroup
	for i := range jobs {
		wg.Go(func() { w.steer(t, jobs[i], "apply") })
		wg.Go(func() {
			for _, c := range all[450:] {
				code, _, err := try(http.MethodPost, w.base+"/v1/dead_set/"+c.ID+"/replay")
				if err != nil {
					t.Error(err)
				}
				codes[i] = append(codes[i], code)
			}
		})
	}
	wg.Wait()
	done, skipped, single := 0, 0, 0
	for i, j := range jobs {
		j = w.awaitState(t, j, "done")
		done, skipped = done+j.Done, skipped+j.Skipped
		for _, code := range codes[i] {
			switch code {
			case http.StatusOK:
				single++
			case http.StatusConflict, http.StatusNotFound:
			default:
				t.Errorf("a replay is answered %d", code)
			}
		}
	}
	w.idle(t)
	if done+skipped != 2*len(all) {
		t.Errorf("the jobs have done %d and skipped %d of %d, want done+skipped %v", done, skipped, len(all), 2*len(all))
	}
	replays := 0
	for _, c := range w.kept(t) {
		replays += c.Replays
	}
	// A single replay takes a letter whenever it is dead, also again.
	switch {
	case replays != done+single:
		t.Errorf("there were %d replays and %d calls, %d by jobs and %d single, want replays %v", replays, len(s.gateway.calls()), done, single, done+single)
	case len(s.gateway.calls()) != replays:
		t.Errorf("there were %d replays and %d calls, %d by jobs and %d single, want %d calls", replays, len(s.gateway.calls()), done, single, replays)
	}
	for _, c := range all[:450] {
		if n := s.gateway.byCall()[c.CallID]; n != 1 {
			t.Fatalf("a letter was called %d times, want 1", n)
		}
	}
}
