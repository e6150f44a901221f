package e2e

// Bulk acts over HTTP: replay, drop and purge, planned first.

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func TestABulkReplayIsPlannedAndCarriedOutAtItsRate(t *testing.T) {
	t.Parallel()
	s := newStand(t, "max_retry_attempts=0")
	w := s.worker()
	all := w.fill(t, 30)
	w.fill2(t, "fn2", 3)
	j := w.plan(t, `{"act":"replay","filter":{"function":"fn1"}}`)
	if j.State != "planned" || j.Plan.Count != 30 || j.Plan.Duration != "3s" || j.Rate != 10 || j.By != "loopback" ||
		len(j.Plan.Groups) != 1 || j.Plan.Groups[0].Count != 30 || j.Plan.Groups[0].Function != "fn1.openfaas-fn" {
		t.Errorf("the plan is %+v", j)
	}
	if n := len(s.gateway.calls()); n != 0 {
		t.Errorf("the plan made %d calls", n)
	}
	w.steer(t, j, "apply")
	j = w.wantJob(t, j, 30, 0)
	if took := j.Finished.Sub(j.Applied); took < 2800*time.Millisecond {
		t.Errorf("it took %s, at 10 a second", took)
	}
	w.idle(t)
	for _, c := range all {
		if n := s.gateway.byCall()[c.CallID]; n != 1 {
			t.Errorf("a letter was called %d times", n)
		}
	}
	if got := w.metrics(t); got.sum("queue_worker_replayed_total") != 30 || got.sum("queue_worker_jobs", "state", "done") != 1 {
		t.Errorf("the metrics count %v replays and %v jobs", got.sum("queue_worker_replayed_total"), got.sum("queue_worker_jobs", "state", "done"))
	}
	if c := w.counts(t); c.dead != 3 || c.done != 30 {
		t.Errorf("the counts are %+v", c)
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
		t.Errorf("the replay is answered %d", code)
	}
	eventually(t, "it to be dead again", func() bool { return w.counts(t).dead == 11 })
	w.steer(t, j, "apply")
	w.wantJob(t, j, 7, 1)
	left := w.kept(t)
	for _, c := range []string{all[0].CallID, all[8].CallID, all[9].CallID, id(late[0])} {
		if _, is := left[c]; !is {
			t.Errorf("one that was not in the plan is gone")
		}
	}
	if c := w.idle(t); c.dropped != 7 || c.dead != 4 {
		t.Errorf("the counts are %+v", c)
	}
	if n := w.metrics(t).sum("queue_worker_job_dropped_total", "act", "drop"); n != 7 {
		t.Errorf("%v drops are counted", n)
	}
	for _, again := range []string{"apply", "pause", "resume", "cancel"} {
		if code, body := w.ask(t, http.MethodPost, "/v1/jobs/"+j.ID+"/"+again); code != http.StatusConflict || !strings.Contains(body, `"hint"`) {
			t.Errorf("%s of what is done is answered %d %s", again, code, body)
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
		t.Errorf("paused it is %+v", j)
	}
	j = w.job(t, j) // a step that had begun has ended
	w.kill()
	w = s.worker()
	w.idle(t)
	if got := w.job(t, j); got.State != "paused" || got.Done != j.Done || int(w.counts(t).dead) != 300-j.Done {
		t.Errorf("after the restart it is %+v, before %+v", got, j)
	}
	w.steer(t, j, "resume")
	w.awaitJob(t, j, "further", func(g job) bool { return g.Done >= j.Done+5 })
	j = w.steer(t, j, "cancel")
	w.idle(t)
	j = w.awaitState(t, j, "cancelled")
	if int(w.counts(t).dead) != 300-j.Done || len(s.gateway.calls()) < j.Done {
		t.Errorf("cancelled it is %+v, the counts are %+v", j, w.counts(t))
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
		if left[c.CallID].Replays != 1 || calls[c.CallID] < 1 {
			t.Fatalf("a letter was replayed %d times and called %d times", left[c.CallID].Replays, calls[c.CallID])
		}
		total += calls[c.CallID]
	}
	if total > letters+kills*slots {
		t.Errorf("there were %d calls of %d dead letters", total, letters)
	}
	if c := w.counts(t); c.dead != letters {
		t.Errorf("the counts are %+v", c)
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
	if j.Done != 1 || j.FailedAgain != 1 || !strings.Contains(j.Why, "failed again") {
		t.Errorf("the job is %+v", j)
	}
	w.event(t, "the stop", func(e entry) bool { return e.message() == "job stopped" && e.text("level") == "WARN" })
	if n := len(s.gateway.calls()); n != 1 {
		t.Errorf("there were %d calls", n)
	}
	s.gateway.tell(always(answer{}))
	w.steer(t, j, "resume")
	w.wantJob(t, j, 40, 0)
	if c := w.idle(t); c.dead != 1 || c.done != 39 { // the one that failed again died after the plan
		t.Errorf("the counts are %+v", c)
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
	if j.Plan.Count != 6 || j.Plan.NeedsForce != 2 {
		t.Errorf("the plan is %+v", j)
	}
	w.wantJob(t, j, 4, 2)
	if left := w.kept(t); len(left) != 2 || left[all[0].CallID].Replays != 3 {
		t.Errorf("%d are left", len(left))
	}
	j = w.begin(t, `{"act":"replay","filter":{"reason":"attempts_exhausted"},"force":true}`)
	w.wantJob(t, j, 2, 0)
	if c := w.idle(t); c.dead != 0 || c.done != 6 {
		t.Errorf("the counts are %+v", c)
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
	eventually(t, "all to be taken in", func() bool { return w.counts(t).accepted == 20 })
	j := w.planAt(t, "/v1/functions/fn1.openfaas-fn/purge", `{"state":"all"}`)
	if j.Act != "purge" || j.Plan.Count != 20 || w.counts(t).dropped != 0 {
		t.Errorf("the plan is %+v", j)
	}
	other := call("fn2", "")
	w.steer(t, j, "apply")
	w.wantJob(t, j, 18, 2)
	release()
	s.broker.publish(t, other)
	w.next(t, other, "done")
	if c := w.idle(t); c.dropped != 18 || c.done != 3 {
		t.Errorf("the counts are %+v", c)
	}
	if n := w.metrics(t).sum("queue_worker_job_dropped_total", "act", "purge"); n != 18 {
		t.Errorf("%v purges are counted", n)
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
		t.Errorf("the jobs have done %d and skipped %d of %d", done, skipped, len(all))
	}
	replays := 0
	for _, c := range w.kept(t) {
		replays += c.Replays
	}
	// A single replay takes a letter whenever it is dead, also again.
	if replays != done+single || len(s.gateway.calls()) != replays {
		t.Errorf("there were %d replays and %d calls, %d by jobs and %d single", replays, len(s.gateway.calls()), done, single)
	}
	for _, c := range all[:450] {
		if n := s.gateway.byCall()[c.CallID]; n != 1 {
			t.Fatalf("a letter was called %d times", n)
		}
	}
}

func TestAJobHoldsWhileLiveWorkWaits(t *testing.T) {
	t.Parallel()
	s := newStand(t, "max_inflight=2")
	tell, release := held("fn1")
	s.gateway.tell(tell)
	w := s.worker()
	w.fill(t, 10)
	for range 6 {
		s.broker.publish(t, call("fn1", "live"))
	}
	eventually(t, "all to be taken in", func() bool { return w.counts(t).accepted == 16 })
	s.gateway.await(t, 2)
	j := w.begin(t, `{"act":"replay","all":true,"rate":1000}`)
	j = w.awaitState(t, j, "waiting")
	if j.Done != 0 || !strings.Contains(j.Why, "live work") {
		t.Errorf("the job is %+v", j)
	}
	release()
	w.wantJob(t, j, 10, 0)
	w.idle(t)
	bodies := callIDs(s.gateway.calls(), func(a asked) string { return string(a.Body) })
	if last := slices.Index(bodies, "live"); last < 0 || slices.Contains(bodies[:4], "0") {
		t.Errorf("the calls were of %q", bodies)
	}
}

func TestAWorkerThatStoodStillContinuesAtTheRate(t *testing.T) {
	t.Parallel()
	s := newStand(t, "max_retry_attempts=0")
	w := s.worker()
	w.fill(t, 40)
	j := w.begin(t, `{"act":"replay","all":true,"rate":10}`)
	w.awaitJob(t, j, "begun", func(j job) bool { return j.Done >= 5 })
	w.signal(t, syscall.SIGSTOP)
	time.Sleep(2 * time.Second) // in which the rate would have had twenty
	before := len(s.gateway.calls())
	woken := time.Now()
	w.signal(t, syscall.SIGCONT)
	w.wantJob(t, j, 40, 0)
	w.idle(t)
	calls := s.gateway.calls()
	for i, c := range calls[before:] {
		if least := time.Duration(i-4) * 100 * time.Millisecond; c.At.Sub(woken) < least {
			t.Errorf("call %d after it woke came after %s", i, c.At.Sub(woken))
		}
	}
	if len(calls) != 40 {
		t.Errorf("there were %d calls", len(calls))
	}
}
