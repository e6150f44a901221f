package e2e

// Ziggurat's dead set: rows Z1 to Z27 that speak of a count and a topic entity.

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"queue-worker/internal/testkit"
)

// newMorgue is a stand with a worker whose function fn1 has failed with some
// bodies. A replay that waited for its turn as a retry does would wait an hour.
func newMorgue(t *testing.T, bodies ...string) (*stand, *worker, []*message) {
	t.Helper()
	s := newStand(t, "max_retry_attempts=0", "initial_retry_wait=1h", "max_retry_wait=1h")
	s.gateway.deploys(status(500), "fn1", "fn2")
	w := s.worker()
	return s, w, s.bury(w, "fn1", bodies...)
}

func TestZ1_Z2_Z3_APeekShowsTheOldestAndChangesNothing(t *testing.T) {
	t.Parallel()
	s, w, all := newMorgue(t, "a", "b", "c")
	first := w.peek(t, "count=10&topic-entity=fn1")
	if got := callIDs(first, letter.callID); !slices.Equal(got, callIDs(all, id)) {
		t.Errorf("got %q, want %q, oldest first", got, callIDs(all, id))
	}
	if again := w.peek(t, "count=10&topic-entity=fn1"); !slices.Equal(callIDs(again, letter.String), callIDs(first, letter.String)) {
		t.Errorf("a second time: got\n%v, want\n%v", again, first)
	}
	if two := w.peek(t, "count=2&topic-entity=fn1"); !slices.Equal(callIDs(two, letter.body), []string{"a", "b"}) {
		t.Errorf("count=2: got %v, want a and b", two)
	}
	if n := len(s.gateway.calls()); n != 3 {
		t.Errorf("got %d calls, want 3", n)
	}
}

func TestZ4_APeekHasWholeMessages(t *testing.T) {
	t.Parallel()
	body := strings.Repeat("\x00\xff&<", 20_000)
	_, w, all := newMorgue(t, body)
	_, text := w.ask(t, http.MethodGet, "/v1/dead_set?count=1&topic-entity=fn1")
	l := w.peek(t, "count=1&topic-entity=fn1").only(t)
	if got := l.body(); got != body {
		t.Errorf("got a message of %d bytes, want the %d that were sent", len(got), len(body))
	}
	if l.Topic != "fn1" || l.CallID != id(all[0]) || l.Retries != 0 || l.ID == "" {
		t.Errorf("got %.500s, want fn1 with its call id, an id and no retries", l)
	}
	if l.Reason != "attempts_exhausted" || l.Status != 500 || len(l.Attempts) != 1 {
		t.Errorf("got %.500s, want attempts_exhausted with status 500 and one attempt", l)
	}
	if l.DiedAt.IsZero() || l.FirstSeen.IsZero() {
		t.Errorf("got first_seen %s and died_at %s, want times", l.FirstSeen, l.DiedAt)
	}
	for _, key := range []string{`"message":"`, `"topic-entity":"fn1"`, `"retry-count":0`, `"metadata":{`} {
		if !strings.Contains(text, key) {
			t.Errorf("got %.500s, want it with %s", text, key)
		}
	}
}

func TestZ5_AReplayCallsAtOnceAndTheDeadSetEmpties(t *testing.T) {
	t.Parallel()
	s, w, all := newMorgue(t, "a", "b", "c")
	s.gateway.deploys(answer{}, "fn1")
	w.replayOldest(t, `{"count":"10","topic_entity":"fn1"}`)
	for _, m := range all {
		w.next(t, m, "done")
	}
	calls := s.gateway.calls()[3:]
	if got := callIDs(calls, asked.body); !slices.Equal(sorted(got), []string{"a", "b", "c"}) {
		t.Errorf("got replays of %q, want a, b and c", got)
	}
	if left := w.peek(t, "count=10&topic-entity=fn1"); len(left) != 0 {
		t.Errorf("got %v, want an empty dead set", left)
	}
}

func sorted(all []string) []string {
	all = slices.Clone(all)
	slices.Sort(all)
	return all
}

func TestZ6_AReplayOfOneTakesTheOldest(t *testing.T) {
	t.Parallel()
	s, w, all := newMorgue(t, "a", "b", "c")
	s.gateway.deploys(answer{}, "fn1")
	w.replayOldest(t, `{"count":"1","topic_entity":"fn1"}`)
	w.next(t, all[0], "done")
	w.idle(t)
	if left := callIDs(w.peek(t, "count=10&topic-entity=fn1"), letter.body); !slices.Equal(left, []string{"b", "c"}) {
		t.Errorf("got %q, want b and c to stay", left)
	}
	checkCalled(t, s, map[*message]int{all[0]: 2, all[1]: 1, all[2]: 1})
}

func TestZ7_AReplayOfACountThatFailsBacksOffAndIsDeadAgain(t *testing.T) {
	t.Parallel()
	s := newStand(t, "max_retry_attempts=2", "initial_retry_wait=50ms")
	s.gateway.tell(always(status(500)))
	w := s.worker()
	m := s.bury(w, "fn1", "a")[0]
	w.replayOldest(t, `{"count":"1","topic_entity":"fn1"}`)
	s.gateway.awaitDone(t, 6)
	testkit.Eventually(t, "it to be dead again", func() bool { return len(w.peek(t, "count=10&topic-entity=fn1")) == 1 })
	calls := s.gateway.of(m)
	if got := retries(calls); !slices.Equal(got, []int{0, 1, 2, 0, 1, 2}) {
		t.Errorf("got the retry numbers %v, want 0, 1, 2 twice", got)
	}
	checkWaits(t, calls[3:], 50*time.Millisecond, 100*time.Millisecond)
}

func TestZ8_AReplayOfMoreThanThereIsTakesWhatThereIs(t *testing.T) {
	t.Parallel()
	s, w, all := newMorgue(t, "a", "b", "c")
	s.gateway.deploys(answer{}, "fn1", "fn2")
	before := w.metrics(t).sum("process_cpu_seconds_total")
	w.replayOldest(t, `{"count":"1000000000","topic_entity":"fn1"}`)
	for _, m := range all {
		w.next(t, m, "done")
	}
	for range 5 { // now there is nothing
		w.replayOldest(t, `{"count":2147483647,"topic_entity":"fn2"}`)
		w.deleteOldest(t, "count=2147483647&topic-entity=fn2")
	}
	w.idle(t)
	if burnt := w.metrics(t).sum("process_cpu_seconds_total") - before; burnt > 3 {
		t.Errorf("got %v seconds of CPU, want no more than 3", burnt)
	}
	checkCalled(t, s, map[*message]int{all[0]: 2, all[1]: 2, all[2]: 2})
}

func TestZ9_ADeleteTakesTheOldestAndCallsNothing(t *testing.T) {
	t.Parallel()
	s, w, _ := newMorgue(t, "0", "1", "2", "3", "4", "5", "6", "7", "8", "9")
	w.deleteOldest(t, "count=8&topic-entity=fn1")
	testkit.Eventually(t, "two to be left", func() bool { return len(w.peek(t, "count=10&topic-entity=fn1")) == 2 })
	if left := callIDs(w.peek(t, "count=10&topic-entity=fn1"), letter.body); !slices.Equal(left, []string{"8", "9"}) {
		t.Errorf("got %q, want 8 and 9 to stay", left)
	}
	if n := len(s.gateway.calls()); n != 10 {
		t.Errorf("got %d calls, want 10", n)
	}
	testkit.Eventually(t, "the counts to follow", func() bool { c := w.counts(t); return c.dropped == 8 && c.dead == 2 })
}

func TestZ14_ACountOf0IsAnEmptyList(t *testing.T) {
	t.Parallel()
	_, w, _ := newMorgue(t, "a")
	if code, body := w.ask(t, http.MethodGet, "/v1/dead_set?count=0&topic-entity=fn1"); code != http.StatusOK || strings.TrimSpace(body) != `{"messages":[]}` {
		t.Errorf("a peek: got %d %s, want 200 and an empty list", code, body)
	}
	w.replayOldest(t, `{"count":"0","topic_entity":"fn1"}`)
	w.deleteOldest(t, "count=0&topic-entity=fn1")
	if left := w.peek(t, "count=10&topic-entity=fn1"); len(left) != 1 {
		t.Errorf("got %v, want the one to stay", left)
	}
}

func TestZ15_Z16_Z17_ParametersInEverySpellingAndAnywhere(t *testing.T) {
	t.Parallel()
	_, w, _ := newMorgue(t, "a", "b", "c")
	want := callIDs(w.peek(t, "count=2&topic-entity=fn1"), letter.String)
	for _, key := range []string{"topic-entity", "topic_entity", "topicEntity"} {
		for how, edit := range map[string]func(*http.Request){
			"query":         func(r *http.Request) { r.URL.RawQuery = url.Values{"count": {"2"}, key: {"fn1"}}.Encode() },
			"JSON":          asJSON(`{"count":"2","` + key + `":"fn1"}`),
			"number (Z15)":  asJSON(`{"count":2,"` + key + `":"fn1"}`),
			"some of each":  func(r *http.Request) { r.URL.RawQuery = "count=2"; asJSON(`{"` + key + `":"fn1"}`)(r) },
			"its namespace": func(r *http.Request) { r.URL.RawQuery = "count=2&" + key + "=fn1.openfaas-fn" },
		} {
			code, body := w.ask(t, http.MethodGet, "/v1/dead_set", edit)
			if n := strings.Count(body, `"call_id"`); code != http.StatusOK || n != len(want) {
				t.Errorf("%s in the %s: got %d with %d dead letters, want 200 with %d", key, how, code, n, len(want))
			}
		}
	}
	code, body := w.ask(t, http.MethodDelete, "/v1/dead_set", asJSON(`{"count":1,"topicEntity":"fn1"}`))
	checkTriggered(t, code, body, textDeleted)
	testkit.Eventually(t, "two to be left", func() bool { return len(w.peek(t, "count=9&topic-entity=fn1")) == 2 })
	code, body = w.ask(t, http.MethodPost, "/v1/dead_set/replay?count=3&topic-entity=fn1")
	checkTriggered(t, code, body, textReplayed)
	testkit.Eventually(t, "both to have been called again", func() bool { return w.metrics(t).sum("queue_worker_dead_letters_total") == 5 })
}

func TestZ20_Z21_AChannelIsAQueue(t *testing.T) {
	t.Parallel()
	s := newStand(t, "max_retry_attempts=0", "faas_nats_channel=faas-request,q1")
	s.gateway.deploys(status(500), "fn1")
	w := s.worker()
	other := call("fn1", "of q1")
	s.broker.publishOn(t, "q1", other)
	w.next(t, other, "dead")
	s.bury(w, "fn1", "main")
	for query, want := range map[string]string{"": "main", "&channel=faas-request": "main", "&channel=q1": "of q1"} {
		if got := w.peek(t, "count=10&topic-entity=fn1"+query).only(t); got.body() != want {
			t.Errorf("%s: got %s, want %s", query, got, want)
		}
	}
	checkRefused(
		t, w,
		refusal{"Z21", "count=1&topic-entity=fn1&channel=nope", "", "", 404, "Retry is not enabled"},
		refusal{"Z21: in JSON", "", "application/json", `{"count":1,"topic-entity":"fn1","channel":"nope"}`, 404, "Retry is not enabled"},
		refusal{"Z21: a number", "", "application/json", `{"count":1,"topic-entity":"fn1","channel":1}`, 404, "Retry is not enabled"},
	)
	w.deleteOldest(t, "count=10&topic-entity=fn1")
	testkit.Eventually(t, "only q1 to be left", func() bool { return len(w.deadSet(t)) == 1 })
	if l := w.deadSet(t).only(t); l.body() != "of q1" {
		t.Errorf("got %s, want that of q1 to stay", l)
	}
}

func TestZ22_EveryAnswerIsJSONWithItsCharset(t *testing.T) {
	t.Parallel()
	_, w, all := newMorgue(t, "a")
	const want = "application/json; charset=utf-8"
	for _, line := range []string{
		"GET /v1/dead_set", "GET /v1/dead_set?count=1&topic-entity=fn1", "GET /v1/dead_set?count=0&topic-entity=fn1", "GET /v1/dead_set?count=1",
		"GET /v1/dead_set?count=x&topic-entity=fn1", "GET /v1/dead_set?nope=1", "GET /v1/dead_set/groups", "GET /v1/dead_set/" + w.deadSet(t).only(t).ID,
		"GET /v1/dead_set/nope", "PUT /v1/dead_set", "GET /nope", "DELETE /v1/dead_set?count=0&topic-entity=fn1", "DELETE /v1/dead_set",
		"POST /v1/dead_set/replay?count=0&topic-entity=fn1", "POST /v1/dead_set/replay", "POST /v1/dead_set/import", "POST /v1/dead_set/" + id(all[0]) + "/replay",
	} {
		method, path, _ := strings.Cut(line, " ")
		req, err := http.NewRequest(method, w.base+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if got := res.Header.Get("Content-Type"); got != want {
			t.Errorf("%s: got %d as %q, want %q", line, res.StatusCode, got, want)
		}
	}
}

func TestZ24_APeekIsTheSameAfterAKill(t *testing.T) {
	t.Parallel()
	s, w, _ := newMorgue(t, "a", "b", "c")
	before := callIDs(w.peek(t, "count=10&topic-entity=fn1"), letter.String)
	w.kill()
	if after := callIDs(s.worker().peek(t, "count=10&topic-entity=fn1"), letter.String); len(after) != 3 || !slices.Equal(after, before) {
		t.Errorf("after the kill: got\n%q, want\n%q", after, before)
	}
}

// The store is the worker's own: it stops when the worker is killed. So is NATS
// Streaming, for good measure.
func TestZ25_AReplayDuringWhichEverythingIsKilledLosesNothing(t *testing.T) {
	t.Parallel()
	const many = 30
	var bodies []string
	for n := range many {
		bodies = append(bodies, strconv.Itoa(n))
	}
	s, w, all := newMorgue(t, bodies...)
	s.gateway.deploys(answer{Delay: 50 * time.Millisecond}, "fn1")
	w.replayOldest(t, `{"count":"30","topic_entity":"fn1"}`)
	for kill := range 3 {
		s.gateway.await(t, many+1+5*kill)
		w.kill()
		s.broker.restart(t)
		w = s.worker()
	}
	testkit.Eventually(t, "all to be called again, or dead", func() bool {
		c := w.counts(t)
		return c.pending() == 0 && c.dead == 0
	})
	for _, m := range all {
		if n := len(s.gateway.of(m)); n < 2 || n > 2+3 {
			t.Errorf("%s: got %d calls, want 2 to 5", m.Body, n)
		}
	}
}

func TestZ26_OneFunctionDoesNotSeeAnother(t *testing.T) {
	t.Parallel()
	_, w, _ := newMorgue(t, "a")
	if code, body := w.ask(t, http.MethodGet, "/v1/dead_set?count=10&topic-entity=fn2"); code != http.StatusOK || strings.TrimSpace(body) != `{"messages":[]}` {
		t.Errorf("got %d %s, want 200 and an empty list", code, body)
	}
}

func TestZ27_PeeksBesideReplaysHideNothingAndEachIsReplayedOnce(t *testing.T) {
	t.Parallel()
	s, w, all := newMorgue(t, "a", "b", "c", "d", "e", "f")
	s.gateway.deploys(answer{}, "fn1")
	var wg sync.WaitGroup
	for n := range 8 {
		wg.Go(func() {
			if n < 2 {
				w.replayOldest(t, `{"count":"10","topic_entity":"fn1"}`)
				return
			}
			for range 5 {
				if got := callIDs(w.peek(t, "count=10&topic-entity=fn1"), letter.body); !slices.IsSorted(got) {
					t.Errorf("a peek: got %q, want the oldest first", got)
				}
			}
		})
	}
	wg.Wait()
	for _, m := range all {
		w.next(t, m, "done")
	}
	w.idle(t)
	for _, m := range all {
		if n := len(s.gateway.of(m)); n != 2 {
			t.Errorf("%s: got %d calls, want 2", m.Body, n)
		}
	}
}
