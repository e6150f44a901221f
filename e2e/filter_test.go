package e2e

// The dead set beyond ziggurat: filters, pages, groups, export and import.

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"queue-worker/internal/testkit"
)

func TestFiltersFindWhatTheySay(t *testing.T) {
	t.Parallel()
	s := newStand(t, "max_retry_attempts=0", "faas_nats_channel=faas-request,q1")
	w := s.worker()
	began := time.Now()
	edits := []func(*corpse){
		func(*corpse) {},
		func(c *corpse) { c.Topic, c.Function = "fn2.staging", "fn2.staging" },
		func(c *corpse) { c.Queue = "q1"; c.attempt(429) },
		func(c *corpse) { c.Reason = "non_retryable"; c.attempt(404) },
		func(c *corpse) { c.Reason, c.Attempts = "poison", c.Attempts[:0] },
		func(c *corpse) { c.Died = began.Add(-49 * time.Hour); c.attempt(503) },
		func(c *corpse) { c.CallID = "the call" },
	}
	var all []*corpse
	for n, edit := range edits {
		all = append(all, corpseAt(t, began, n, edit))
	}
	if got := w.load(t, linesOf(t, all...)); got.Imported != len(all) {
		t.Fatalf("the import is answered %+v, want imported %d", got, len(all))
	}
	for query, want := range map[string][]int{
		"limit=2":               {5, 0, 1, 2, 3, 4, 6},
		"function=fn1":          {5, 0, 2, 3, 4, 6},
		"function=fn1&queue=q1": {2},
		"function=fn2.staging":  {1},
		"function=fn1.openfaas-fn&queue=faas-request": {5, 0, 3, 4, 6},
		"queue=nope":                  {},
		"reason=poison":               {4},
		"reason=poison,non_retryable": {3, 4},
		"status=429":                  {2},
		"status=4xx":                  {2, 3},
		"status=0,503":                {5, 4},
		"since=2h":                    {0, 1, 2, 3, 4, 6},
		"until=2d":                    {5},
		"since=50h&until=2h":          {5},
		"since=" + url.QueryEscape(all[2].Died.Format(time.RFC3339Nano)) + "&until=" + url.QueryEscape(all[4].Died.Format(time.RFC3339Nano)): {2, 3},
		"call_id=the+call":                                           {6},
		"header=x-tenant:tenant-1":                                   {1, 4},
		"header=X-Tenant:+tenant-1&reason=poison":                    {4},
		"header=X-Tenant:+tenant":                                    {},
		"header=X-Tenant:tenant-0&header=X-Call-Id:" + all[3].CallID: {3},
	} {
		got, _ := w.listed(t, query)
		wanted := []string{}
		for _, n := range want {
			wanted = append(wanted, all[n].ID)
		}
		if ids := callIDs(got, func(l letter) string { return l.ID }); !slices.Equal(ids, wanted) && len(ids)+len(wanted) > 0 {
			t.Errorf("%s has %q, want %q", query, ids, wanted)
		}
		q := strings.ReplaceAll(query, "limit=2", "")
		if n := strings.Count(w.export(t, "?"+q), "\n"); n != len(want) {
			t.Errorf("the export of %s has %d lines, want %d", q, n, len(want))
		}
	}
}

func TestGroupsCountTheSameCauses(t *testing.T) {
	t.Parallel()
	w := newStand(t).worker()
	began := time.Now()
	var all []*corpse
	for n := range 60 {
		all = append(all, corpseAt(t, began, n, func(c *corpse) {
			if n%3 == 0 {
				c.attempt(502)
			}
			if n == 59 {
				c.Topic, c.Reason = "", "malformed"
				c.Attempts = c.Attempts[:0]
			}
		}))
	}
	w.load(t, linesOf(t, all...))
	code, body := w.ask(t, http.MethodGet, "/v1/dead_set/groups?since=2h")
	var got struct {
		Groups []struct {
			Function string    `json:"function"`
			Topic    string    `json:"topic-entity"`
			Queue    string    `json:"queue"`
			Reason   string    `json:"reason"`
			Status   int       `json:"status"`
			Count    int       `json:"count"`
			Bytes    int       `json:"bytes"`
			First    time.Time `json:"first_died"`
			Last     time.Time `json:"last_died"`
		} `json:"groups"`
		Total int `json:"total"`
	}
	switch err := json.Unmarshal([]byte(body), &got); {
	case err != nil:
		t.Fatalf("it is answered %d %s: got %v, want no error", code, body, err)
	case code != http.StatusOK:
		t.Fatalf("it is answered %d %s, want code %d", code, body, http.StatusOK)
	case got.Total != 60:
		t.Fatalf("it is answered %d %s: got total %v, want 60", code, body, got.Total)
	case len(got.Groups) != 3:
		t.Fatalf("it is answered %d %s: got %v, want 3 groups", code, body, len(got.Groups))
	}
	for i, want := range []struct {
		function, topic, reason string
		status, count           int
		first, last             int
	}{
		{"fn1.openfaas-fn", "fn1", "attempts_exhausted", 500, 39, 1, 58},
		{"fn1.openfaas-fn", "fn1", "attempts_exhausted", 502, 20, 0, 57},
		{"", "", "malformed", 0, 1, 59, 59},
	} {
		g := got.Groups[i]
		if g.Function != want.function || g.Topic != want.topic || g.Reason != want.reason || g.Status != want.status || g.Count != want.count ||
			!g.First.Equal(all[want.first].Died) || !g.Last.Equal(all[want.last].Died) || g.Bytes <= 0 || g.Queue != defaultQueue {
			t.Errorf("group %d is %+v, want %+v", i, g, want)
		}
	}
}

// While somebody pages through, letters are dropped and others come, before and
// after where the reader is.
func TestPagesAreExactWhileLettersComeAndGo(t *testing.T) {
	t.Parallel()
	const many = 4000
	w := newStand(t).worker()
	began := time.Now()
	var all []*corpse
	for n := range many {
		all = append(all, corpseAt(t, began, 2*n))
	}
	if got := w.load(t, linesOf(t, all...)); got.Imported != many {
		t.Fatalf("the import is answered %+v, want imported %v", got, many)
	}
	gone, later := map[string]bool{}, map[string]bool{}
	seen := map[string]int{}
	var order []string
	for cursor, page := "", 0; ; page++ {
		code, body := w.ask(t, http.MethodGet, "/v1/dead_set?limit=97&function=fn1"+after(cursor))
		var got struct {
			Messages letters `json:"messages"`
			Next     string  `json:"next"`
		}
		switch err := json.Unmarshal([]byte(body), &got); {
		case err != nil:
			t.Fatalf("page %d is answered %d %.500s: got %v, want no error", page, code, body, err)
		case code != http.StatusOK:
			t.Fatalf("page %d is answered %d %.500s, want code %d", page, code, body, http.StatusOK)
		}
		for _, l := range got.Messages {
			seen[l.ID]++
			order = append(order, l.ID)
			if gone[l.ID] {
				t.Errorf("%s is listed after it was dropped", l.ID)
			}
		}
		if cursor = got.Next; cursor == "" {
			break
		}
		// One is dropped that was seen, and one that was not; one comes before here, and one after.
		for _, n := range []int{page * 90, many - 1 - page*3} {
			if code := (letter{ID: all[n].ID}).drop(t, w); code != http.StatusOK {
				t.Fatalf("the drop is answered %d, want %d", code, http.StatusOK)
			}
			gone[all[n].ID] = true
		}
		before, behind := corpseAt(t, began, 100_000+page, func(c *corpse) { c.Died = all[0].Died.Add(time.Microsecond) }), corpseAt(t, began, 200_000+page)
		later[behind.ID] = true
		if got := w.load(t, linesOf(t, before, behind)); got.Imported != 2 {
			t.Fatalf("the import is answered %+v, want imported 2", got)
		}
	}
	for _, c := range all {
		if n := seen[c.ID]; n > 1 || n == 0 && !gone[c.ID] {
			t.Errorf("%s is listed %d times", c.ID, n)
		}
	}
	for id := range later {
		if seen[id] != 1 {
			t.Errorf("%s, which came at the end meanwhile, is listed %d times, want 1", id, seen[id])
		}
	}
	if len(order) < many-len(gone) {
		t.Errorf("%d letters were listed, want at least %d order", len(order), many-len(gone))
	}
}

func TestWhatIsExportedDroppedAndImportedIsListedAsBefore(t *testing.T) {
	t.Parallel()
	s := newStand(t, "max_retry_attempts=1", "initial_retry_wait=10ms")
	s.gateway.tell(byRetry(status(500), answer{Hangup: true}))
	w := s.worker()
	s.bury(w, "fn1", "a", strings.Repeat("\x00\xff", 100_000), "")
	s.bury(w, "fn2.staging", "b")
	s.broker.publishRaw(t, "not JSON", `{"Function":"../x","Body":"aGk="}`)
	callback := call("fn1", "c", with("X-Callback-Url", s.gateway.url()+"/hook?token=CANARY"))
	s.gateway.tell(func(a asked) answer {
		if a.Function != "" {
			return answer{Body: "result"}
		}
		return status(503)
	})
	s.broker.publish(t, callback)
	testkit.Eventually(t, "seven to be dead", func() bool { return len(w.deadSet(t)) == 7 })
	w.deadSet(t)[0].replay(t, w) // so that one has a history
	w.idle(t)

	before, text := w.listed(t, "limit=3")
	lines := w.export(t, "")
	switch n := strings.Count(lines, "\n"); {
	case n != len(before):
		t.Fatalf("the export has %d lines of %d, want %d", n, len(before), len(before))
	case !strings.Contains(lines, "CANARY"):
		t.Fatalf(`the export has %d lines of %d: got %q, want "CANARY" in lines`, n, len(before), lines)
	}
	switch got := w.load(t, lines); {
	case got.Skipped != len(before):
		t.Errorf("while all are there the import is answered %+v, want skipped %d", got, len(before))
	case got.Imported+got.Total != 0:
		t.Errorf("while all are there the import is answered %+v, want got.Imported+got.Total 0", got)
	}
	for _, l := range before {
		l.drop(t, w)
	}
	w.kill()
	w = s.worker()
	switch got := w.load(t, lines); {
	case got.Imported != len(before):
		t.Errorf("the import is answered %+v, want imported %d", got, len(before))
	case got.Skipped+got.Total != 0:
		t.Errorf("the import is answered %+v, want got.Skipped+got.Total 0", got)
	}
	if _, again := w.listed(t, "limit=3"); again != text {
		t.Errorf("it is listed as\n%s\nbefore as\n%s, want %v", again, text, text)
	}
	if again := w.export(t, ""); again != lines {
		t.Errorf("the second export differs from the first: got again %v, want %v", again, lines)
	}
	elsewhere := newStand(t)
	other := elsewhere.worker()
	if got := other.load(t, lines); got.Imported != len(before) {
		t.Errorf("another worker answers %+v, want imported %d", got, len(before))
	}
	code, body := other.ask(t, http.MethodPost, "/v1/dead_set/replay", asJSON(`{"count":10,"topic_entity":"fn2.staging"}`))
	checkTriggered(t, code, body, textReplayed)
	switch calls := elsewhere.gateway.await(t, 1); {
	case calls[0].body() != "b":
		t.Errorf(`what was imported is called as %+v, want "b"`, calls)
	case calls[0].Function != "fn2.staging":
		t.Errorf(`what was imported is called as %+v, want function "fn2.staging"`, calls)
	}
}

func TestAnImportKeepsTheGoodLinesAndSurvivesAKill(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	w := s.worker()
	good := linesOf(t, corpseAt(t, time.Now(), 1))
	got := w.load(t, "x\n"+good+strings.Repeat("[", 1<<20)+"\n"+`{"id":7}`+"\n\n"+good)
	switch {
	case got.Imported != 1:
		t.Errorf("it is answered %+v, want imported 1", got)
	case got.Skipped != 1:
		t.Errorf("it is answered %+v, want skipped 1", got)
	case got.Total != 3:
		t.Errorf("it is answered %+v, want total 3", got)
	case len(got.Failed) != 3:
		t.Errorf("it is answered %+v, want 3 failed", got)
	case got.Failed[0].Line != 1:
		t.Errorf("it is answered %+v, want line 1", got)
	case got.Failed[1].Line != 3:
		t.Errorf("it is answered %+v, want line 3", got)
	case got.Failed[2].Line != 4:
		t.Errorf("it is answered %+v, want line 4", got)
	}
	for _, f := range got.Failed {
		if f.Error == "" {
			t.Errorf("line %d has no error text, want error not empty", f.Line)
		}
	}
	w.kill()
	if n := len(s.worker().deadSet(t)); n != 1 {
		t.Errorf("after a kill %d are there, want 1", n)
	}
}

func TestO2_O3_PathsAndMethodsOfTheDeadSet(t *testing.T) {
	t.Parallel()
	w := newStand(t).worker()
	w.load(t, linesOf(t, corpseAt(t, time.Now(), 1)))
	for _, path := range []string{"/v1/dead_set/", "/v1/dead_set/groups/", "/v1/dead_set/export/x", "/v1/dead_set/import/", "/v1//dead_set", "/v1/dead_sets", "/v1/dead_set/replay/x"} {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
			if code, body := w.ask(t, method, path); code != http.StatusNotFound {
				t.Errorf("%s %s is answered %d %s, want %d", method, path, code, body, http.StatusNotFound)
			}
		}
	}
	for _, line := range []string{
		"PUT /v1/dead_set", "POST /v1/dead_set", "PATCH /v1/dead_set", "POST /v1/dead_set/groups", "DELETE /v1/dead_set/groups", "POST /v1/dead_set/export",
		"DELETE /v1/dead_set/export", "GET /v1/dead_set/import", "PUT /v1/dead_set/import", "DELETE /v1/dead_set/import", "GET /v1/dead_set/replay",
		"DELETE /v1/dead_set/replay", "PUT /v1/dead_set/replay",
	} {
		method, path, _ := strings.Cut(line, " ")
		if code, body := w.ask(t, method, path+"?count=1&topic-entity=fn1"); code != http.StatusMethodNotAllowed {
			t.Errorf("%s is answered %d %s, want %d", line, code, body, http.StatusMethodNotAllowed)
		}
	}
	if n := len(w.deadSet(t)); n != 1 {
		t.Errorf("a wrong path or method has left %d, want 1", n)
	}
}

func TestHostileRequestsToTheDeadSetChangeNothing(t *testing.T) {
	t.Parallel()
	w := newStand(t).worker()
	w.load(t, linesOf(t, corpseAt(t, time.Now(), 1)))
	gone := "/v1/dead_set/01990000-0000-7000-8000-00000000ffff"
	for line, want := range map[string]int{
		"GET /v1/dead_set?limit=0": 400, "GET /v1/dead_set?limit=99999999999999999999": 400, "GET /v1/dead_set?limit=abc": 400, "GET /v1/dead_set?cursor=abc": 400,
		"GET /v1/dead_set?cursor=" + strings.Repeat("f", 5000): 400, "GET /v1/dead_set?function=": 400, "GET /v1/dead_set?function=a%2F..%2Fb": 400,
		"GET /v1/dead_set?reason=nope": 400, "GET /v1/dead_set?status=6": 400, "GET /v1/dead_set?status=5xx,": 400, "GET /v1/dead_set?since=tomorrow": 400,
		"GET /v1/dead_set?since=1h&until=2h": 400, "GET /v1/dead_set?header=x": 400, "GET /v1/dead_set?header=a%0d:b": 400, "GET /v1/dead_set?functoin=fn1": 400,
		"GET /v1/dead_set?function=a&function=b": 400, "GET /v1/dead_set?%zz": 400, "GET /v1/dead_set/groups?limit=1": 400, "GET /v1/dead_set/groups?status=x": 400,
		"GET /v1/dead_set/export?cursor=00": 400, "GET /v1/dead_set/export?reason=": 400, "POST /v1/dead_set/import?force=true": 400,
		"DELETE /v1/dead_set": 400, "DELETE /v1/dead_set?function=fn1": 400, "DELETE /v1/dead_set?all=true": 400, "POST /v1/dead_set/replay": 400,
		"POST /v1/dead_set/replay?count=1": 400, "DELETE /v1/dead_set?count=1&topic-entity=fn1&status=500": 400,
		"GET /v1/dead_set/x": 400, "DELETE /v1/dead_set/x": 400, "POST /v1/dead_set/x/replay": 400, "GET " + gone: 404, "DELETE " + gone: 404, "POST " + gone + "/replay": 404,
	} {
		method, path, _ := strings.Cut(line, " ")
		switch code, body := w.ask(t, method, path); {
		case code != want:
			t.Errorf("%s is answered %d %s, want code %v", line, code, body, want)
		case errorOf(t, body) == "":
			t.Errorf("%s is answered %d %s, want errorOf(t, body) not empty", line, code, body)
		case !strings.Contains(body, `"hint":"`):
			t.Errorf(`%s is answered %d %s, want "hint":" in it`, line, code, body)
		}
	}
	if n := len(w.deadSet(t)); n != 1 {
		t.Errorf("%d are left, want 1", n)
	}
	if _, text := w.listed(t, "header="+url.QueryEscape("X-Tenant: tenant-1")); !strings.Contains(text, `"durable":true`) {
		t.Errorf(`it is listed as %s, want "durable":true in it`, text)
	}
}
