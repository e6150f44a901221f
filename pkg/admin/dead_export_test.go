package admin_test

// Export and import: the round trip is exact, and bad input costs itself.

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/openfaas/faas-provider/types"

	"queue-worker/pkg/admin"
	"queue-worker/pkg/api"
	"queue-worker/pkg/api/apitest"
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
	"queue-worker/pkg/store/embedded"
	"queue-worker/pkg/wire"
)

// export is the whole dead set as lines.
func (r *rig) export(t testing.TB, query string) string {
	t.Helper()
	got := r.Ask(t, http.MethodGet, "/v1/dead_set/export"+query)
	switch {
	case got.Status != http.StatusOK:
		t.Fatalf("the export answers %d %v %s, want status %d", got.Status, got.Header, got.Body, http.StatusOK)
	case got.Header.Get("Content-Type") != wire.MediaLines:
		t.Fatalf("the export answers %d %v %s, want Content-Type %v", got.Status, got.Header, got.Body, wire.MediaLines)
	}
	return got.Body
}

// load imports lines and decodes the answer.
func (r *rig) load(t testing.TB, lines string) (wire.Imported, apitest.Answer) {
	t.Helper()
	got := r.Ask(t, http.MethodPost, "/v1/dead_set/import", func(req *http.Request) {
		req.Body = io.NopCloser(strings.NewReader(lines))
		req.ContentLength = int64(len(lines))
	})
	var so struct {
		Imported    int               `json:"imported"`
		Skipped     int               `json:"skipped"`
		Failed      []wire.FailedLine `json:"failed"`
		FailedTotal int               `json:"failed_total"`
	}
	apitest.Decode(t, got, &so)
	return wire.Imported{Imported: so.Imported, Skipped: so.Skipped, Failed: so.Failed, FailedTotal: so.FailedTotal}, got
}

func (r *rig) dropAll(t testing.TB) {
	t.Helper()
	ids, _ := r.readAll(t, 500)
	for _, id := range ids {
		if got := r.Ask(t, http.MethodDelete, "/v1/dead_set/"+id.String()); got.Status != http.StatusOK {
			t.Fatalf("the drop answers %d %s, want %d", got.Status, got.Body, http.StatusOK)
		}
	}
}

func TestWhatIsExportedDroppedAndImportedIsTheSameByteForByte(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	cast(t, r)
	for i := range 2*admin.StreamPage + 7 {
		inv := apitest.DeadAt(100 + i)
		inv.CallID = fmt.Sprintf("ü <&>\u2028 %d\x00", i)
		r.Put(t, inv, []byte(strings.Repeat("\x00\xff\n", i)))
	}
	large := apitest.DeadAt(1000)
	r.Put(t, large, apitest.Request(t, types.QueueRequest{Function: "figlet", Body: bytes.Repeat([]byte("a"), 2<<20)}))

	lines, before := r.export(t, ""), r.Ask(t, http.MethodGet, "/v1/dead_set?limit=500").Body
	whole := r.Ask(t, http.MethodGet, "/v1/dead_set/"+large.ID.String()+"?body=true").Body
	if n := strings.Count(lines, "\n"); n != 5+2*admin.StreamPage+7+1 {
		t.Fatalf("the export has %d lines, want %v", n, 5+2*admin.StreamPage+7+1)
	}
	switch so, got := r.load(t, lines); {
	case so.Skipped != strings.Count(lines, "\n"):
		t.Errorf("what is there already answers %s: got skipped %v, want %v", got.Body, so.Skipped, strings.Count(lines, "\n"))
	case so.Imported != 0:
		t.Errorf("what is there already answers %s: got imported %v, want 0", got.Body, so.Imported)
	case so.FailedTotal != 0:
		t.Errorf("what is there already answers %s: got FailedTotal %v, want 0", got.Body, so.FailedTotal)
	}
	r.dropAll(t)
	so, got := r.load(t, lines)
	switch {
	case got.Status != http.StatusOK:
		t.Errorf("the import answers %d %s, want status %d", got.Status, got.Body, http.StatusOK)
	case so.Imported != strings.Count(lines, "\n"):
		t.Errorf("the import answers %d %s: got imported %v, want %v", got.Status, got.Body, so.Imported, strings.Count(lines, "\n"))
	case so.Skipped != 0:
		t.Errorf("the import answers %d %s: got skipped %v, want 0", got.Status, got.Body, so.Skipped)
	case so.FailedTotal != 0:
		t.Errorf("the import answers %d %s: got FailedTotal %v, want 0", got.Status, got.Body, so.FailedTotal)
	}
	if d := cmp.Diff(before, r.Ask(t, http.MethodGet, "/v1/dead_set?limit=500").Body); d != "" {
		t.Errorf("the listing differs (-before +after):\n%s", d)
	}
	if again := r.export(t, ""); again != lines {
		t.Errorf("the second export differs from the first: got again %v, want %v", again, lines)
	}
	if r.Ask(t, http.MethodGet, "/v1/dead_set/"+large.ID.String()+"?body=true").Body != whole {
		t.Error("the large letter is not what it was")
	}
	for _, want := range []string{"dead set exported", "dead set imported", "by=loopback"} {
		if !strings.Contains(r.Logs.String(), want) {
			t.Errorf("the log does not have %q, want it", want)
		}
	}
	if st := r.Store.Stats(); st.Difference() != 0 {
		t.Errorf("the store counts %+v, want difference 0", st)
	}
}

func TestAnExportHasOnlyWhatPassesTheFilter(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	cast(t, r)
	switch lines := r.export(t, "?reason=malformed"); {
	case strings.Count(lines, "\n") != 3:
		t.Errorf("it is\n%s, want 3 of \"\\n\"", lines)
	case strings.Count(lines, `"reason":"malformed"`) != 3:
		t.Errorf("it is\n%s, want 3 of \"reason\":\"malformed\"", lines)
	}
	if lines := r.export(t, "?function=missing"); lines != "" {
		t.Errorf("of nothing it is\n%s, want empty", lines)
	}
	switch got := r.Ask(t, http.MethodHead, "/v1/dead_set/export"); {
	case got.Status != http.StatusOK:
		t.Errorf("HEAD answers %d %v, want status %d", got.Status, got.Header, http.StatusOK)
	case got.Header.Get("Content-Type") != wire.MediaLines:
		t.Errorf("HEAD answers %d %v, want Content-Type %v", got.Status, got.Header, wire.MediaLines)
	}
	switch got := r.Ask(t, http.MethodGet, "/v1/dead_set/export?limit=1"); {
	case got.Status != http.StatusBadRequest:
		t.Errorf("an unknown parameter answers %d %s, want status %d", got.Status, got.Body, http.StatusBadRequest)
	case got.ReasonOf(t) != wire.BadRequest:
		t.Errorf("an unknown parameter answers %d %s, want reason %v", got.Status, got.Body, wire.BadRequest)
	}
}

// A field that is added to an invocation must not be forgotten here.
func TestALineHasEveryFieldOfALetter(t *testing.T) {
	t.Parallel()
	inv := &invocation.Invocation{
		ID: apitest.IDOf(1), CallID: "call", Kind: invocation.KindCallback, Lane: invocation.Lane{Queue: "q", Name: "url:h:80"}, Function: "f",
		URL: "http://u:p@h/x", Origin: apitest.IDOf(2), Accepted: apitest.Begin, State: invocation.Dead, Since: apitest.Begin.Add(1),
		Retries: 3, Attempts: []invocation.Attempt{{At: apitest.Begin.Add(2), Duration: 123456789, Status: 503, Cause: invocation.CauseDNS}},
		Omitted: 4, Crashes: 5, Replays: 6,
		Terms:  &invocation.Terms{Source: invocation.SourceMailbox, MaxRetries: 7, Delay: 8, Expires: apitest.Begin.Add(9)},
		Trace:  &invocation.Trace{Parent: "00-p-01", State: "a=b", Last: "00-l-01"},
		Reason: invocation.Poison, Detail: "d", DiedAt: apitest.Begin.Add(10),
	}
	for _, v := range []any{*inv, inv.Attempts[0], *inv.Terms} {
		for i := range reflect.TypeOf(v).NumField() {
			if f := reflect.TypeOf(v).Field(i); f.Name != "Size" && reflect.ValueOf(v).Field(i).IsZero() {
				t.Errorf("this test does not fill %s", f.Name)
			}
		}
	}
	w := httptest.NewRecorder()
	out := admin.NewPaced(w)
	if err := errors.Join(admin.WriteLine(out, admin.RecordOf(inv), []byte("raw")), out.Flush()); err != nil {
		t.Fatal(err)
	}
	apitest.Golden(t, "export.json", w.Body.String())
	got, raw, err := admin.ReadRecord(w.Body.Bytes())
	if err != nil || string(raw) != "raw" || cmp.Diff(inv, got) != "" {
		t.Errorf("%q, %v, -want +got\n%s", raw, err, cmp.Diff(inv, got))
	}
}

func TestABadLineCostsOnlyItself(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Bury(t, 1)
	good := strings.TrimSuffix(r.export(t, ""), "\n")
	r.dropAll(t)
	edits := map[string]string{
		`"id":"0198f2a4-7c1e-7000-8000-000000000000"`:   `"id":"x" "id":7 "id":null "id":"00000000-0000-0000-0000-000000000000" "idd":1`,
		`"kind":"function"`:                             `"kind":"" "kind":"Function" "kind":0 "kind":"callback" "kind":null`,
		`"queue":"faas-request"`:                        `"queue":"" "queue":"a\u0000b" "queue":5 "queue":"ü" "queue":"a\nb"`,
		`"topic-entity":"figlet"`:                       `"topic-entity":"a/b" "topic-entity":"url:a\u0000:80" "topic-entity":[] "topic-entity":"../x"`,
		`"function":"figlet.openfaas-fn"`:               `"function":7 "function":{}`,
		`"first_seen":"2026-03-04T05:05:07.123456789Z"`: `"first_seen":"" "first_seen":0 "first_seen":"1969-12-31T23:59:59Z" "first_seen":"yesterday" "first_seen":null`,
		`"died_at":"2026-03-04T05:06:07.123456789Z"`:    `"died_at":"0001-01-01T00:00:00Z" "died_at":"9999-01-01T00:00:00Z" "died_at":1e9`,
		`"retry-count":0`:                               `"retry-count":-1 "retry-count":"0" "retry-count":1.5 "retry-count":99999999999999999999 "retry-count":2147483648`,
		`"attempts":[]`:                                 `"attempts":{} "attempts":[7] "attempts":[{}] "attempts":[{"at":"2026-03-04T05:06:07Z","duration_ns":-1,"status":1}] "attempts":[{"at":"2026-03-04T05:06:07Z","duration_ns":1,"status":1000}] "attempts":[{"at":"2026-03-04T05:06:07Z","duration_ns":1,"status":503,"cause":"magic"}]`,
		`"replays":0`:                                   `"replays":-1 "replays":true`,
		`"reason":"attempts_exhausted"`:                 `"reason":"" "reason":"tired" "reason":5`,
		`"detail":""`:                                   `"detail":"","terms":{"source":"moon","max_retries":0,"delay_ns":0} "detail":"","terms":{"source":"mailbox","max_retries":-2,"delay_ns":0} "detail":"","terms":{"source":"mailbox","max_retries":0,"delay_ns":-1} "detail":"","error":"x" "detail":"","url":"http://h/" "detail":"","id":"0198f2a4-7c1e-7000-8000-000000000001"`,
		`"request":"`:                                   `"request":"=" "request":7,"x":"`,
	}
	var bad []string
	for from, list := range edits {
		if !strings.Contains(good, from) {
			t.Fatalf("%s is not in %s, want it", from, good)
		}
		for _, to := range strings.Split(list, ` "`) {
			if !strings.HasPrefix(to, `"`) {
				to = `"` + to
			}
			bad = append(bad, strings.Replace(good, from, to, 1))
		}
	}
	bad = append(bad, "{", "[]", "null", "7", "CANARY", good+good, "\x00", `{"CANARY":1}`, strings.Repeat("[", 100_000), "\xff\xfe", "{}")
	so, got := r.load(t, strings.Join(bad, "\n")+"\n"+good+"\n\n \r\n"+strings.Join(bad, "\r\n"))
	switch {
	case so.Imported != 1:
		t.Fatalf("of %d bad lines and a good one it answers %d %s: got imported %v, want 1", 2*len(bad), got.Status, got.Body, so.Imported)
	case so.Skipped != 0:
		t.Fatalf("of %d bad lines and a good one it answers %d %s: got skipped %v, want 0", 2*len(bad), got.Status, got.Body, so.Skipped)
	case so.FailedTotal != 2*len(bad):
		t.Fatalf("of %d bad lines and a good one it answers %d %s, want FailedTotal %v", 2*len(bad), got.Status, got.Body, 2*len(bad))
	case len(so.Failed) != 2*len(bad):
		t.Fatalf("of %d bad lines and a good one it answers %d %s, want %d failed", 2*len(bad), got.Status, got.Body, 2*len(bad))
	case got.Status != http.StatusOK:
		t.Fatalf("of %d bad lines and a good one it answers %d %s, want status %d", 2*len(bad), got.Status, got.Body, http.StatusOK)
	}
	for i, f := range so.Failed {
		if want := i + 1; i < len(bad) && f.Line != want || f.Error == "" {
			t.Errorf("failure %d is %+v", i, f)
		}
	}
	if last := so.Failed[len(so.Failed)-1].Line; last != 2*len(bad)+3 {
		t.Errorf("the last failure is in line %d of %d, want %v", last, 2*len(bad)+3, 2*len(bad)+3)
	}
	if strings.Contains(got.Body, "CANARY") {
		t.Errorf(`what was sent is shown: %s, want no "CANARY" in it`, got.Body)
	}
	if r.export(t, "") != good+"\n" {
		t.Error("the good line is not what it was")
	}
}

func TestFailuresAreListedOneByOneUpToABound(t *testing.T) {
	t.Parallel()
	so, got := newRig(t).load(t, strings.Repeat("x\n", admin.MaxFailures+5))
	switch {
	case so.FailedTotal != admin.MaxFailures+5:
		t.Errorf("%d failures, %d are listed, want FailedTotal %v", so.FailedTotal, len(so.Failed), admin.MaxFailures+5)
	case len(so.Failed) != admin.MaxFailures:
		t.Errorf("%d failures, %d are listed, want %d failed", so.FailedTotal, len(so.Failed), admin.MaxFailures)
	case got.Status != http.StatusOK:
		t.Errorf("%d failures, %d are listed: got status %v, want %d", so.FailedTotal, len(so.Failed), got.Status, http.StatusOK)
	}
}

// announcing reports every dead letter that was accepted.
type announcing struct {
	*embedded.Store
	taken chan error
}

func (s announcing) Accept(a store.Accept, done func(error)) {
	s.Store.Accept(a, func(err error) {
		done(err)
		s.taken <- err
	})
}

func TestAnImportThatIsCutOffKeepsWhatWasConfirmed(t *testing.T) {
	t.Parallel()
	s := announcing{apitest.OpenStore(t, embedded.Options{}), make(chan error, 10)}
	r := newRigOn(t, s.Store, func(o *apitest.Options) { o.Admin.Store = s })
	r.Bury(t, 3)
	lines := r.export(t, "")
	r.dropAll(t)
	body, client := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.Base+"/v1/dead_set/import", body)
	if err != nil {
		t.Fatal(err)
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		if res, err := http.DefaultTransport.RoundTrip(req); err == nil {
			_ = res.Body.Close()
			t.Error("a client that went away got an answer")
		}
	}()
	_, _ = io.WriteString(client, lines[:strings.LastIndex(lines, `"kind"`)])
	for range 2 {
		if err := <-s.taken; err != nil {
			t.Error(err)
		}
	}
	_ = client.CloseWithError(errors.New("gone"))
	<-gone
	if err := r.AwaitImport(t.Context()); err != nil { // until the import has noticed
		t.Fatal(err)
	}
	r.EndImport()
	if ids, _ := r.readAll(t, 500); len(ids) != 2 {
		t.Errorf("%d letters are there, want 2", len(ids))
	}
	switch so, got := r.load(t, lines); {
	case so.Imported != 1:
		t.Errorf("sent again it answers %s: got imported %v, want 1", got.Body, so.Imported)
	case so.Skipped != 2:
		t.Errorf("sent again it answers %s: got skipped %v, want 2", got.Body, so.Skipped)
	}
}

func TestAFullStoreEndsAnImport(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Bury(t, 3)
	lines := r.export(t, "")
	full := newRigOn(t, apitest.OpenStore(t, embedded.Options{MaxBytes: 1}))
	full.Put(t, apitest.DeadAt(9), []byte("x"))
	so, got := full.load(t, lines)
	switch {
	case got.Status != http.StatusServiceUnavailable:
		t.Errorf("it answers %d %s, want status %d", got.Status, got.Body, http.StatusServiceUnavailable)
	case !strings.Contains(got.Body, `"reason":"store_full"`):
		t.Errorf(`it answers %d %s, want "reason":"store_full" in it`, got.Status, got.Body)
	case got.Header.Get("Retry-After") != "10":
		t.Errorf(`it answers %d %s, want Retry-After "10"`, got.Status, got.Body)
	}
	switch ids, _ := full.readAll(t, 500); {
	case len(ids) != 1:
		t.Errorf("%d are there, %d were reported, want 1", len(ids), so.Imported)
	case so.Imported != 0:
		t.Errorf("%d are there, %d were reported, want imported 0", len(ids), so.Imported)
	}
}

func TestOneImportAtATime(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	if !r.TryImport() {
		t.Fatal("an import is running")
	}
	switch got := r.Ask(t, http.MethodPost, "/v1/dead_set/import"); {
	case got.Status != http.StatusServiceUnavailable:
		t.Errorf("it answers %d %s, want status %d", got.Status, got.Body, http.StatusServiceUnavailable)
	case got.ReasonOf(t) != wire.Busy:
		t.Errorf("it answers %d %s, want reason %v", got.Status, got.Body, wire.Busy)
	}
	r.EndImport()
	switch so, got := r.load(t, ""); {
	case got.Status != http.StatusOK:
		t.Errorf("nothing is imported as %d %s, want status %d", got.Status, got.Body, http.StatusOK)
	case so.Imported != 0:
		t.Errorf("nothing is imported as %d %s: got imported %v, want 0", got.Status, got.Body, so.Imported)
	case !strings.Contains(got.Body, `"failed":[]`):
		t.Errorf(`nothing is imported as %d %s, want "failed":[] in it`, got.Status, got.Body)
	}
}

// The limits of the server are for short answers: with limits that are over at
// once, only what lifts them works.
func TestExportAndImportOutliveTheTimeoutsOfTheServer(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Bury(t, admin.StreamPage+1)
	server := httptest.NewUnstartedServer(nil)
	server.Config = api.NewServer(r.Handler, nil)
	server.Config.ReadTimeout, server.Config.WriteTimeout, server.Config.ReadHeaderTimeout = time.Nanosecond, time.Nanosecond, time.Minute
	server.Start()
	t.Cleanup(server.Close)
	r.Base = server.URL
	lines := r.export(t, "")
	if n := strings.Count(lines, "\n"); n != admin.StreamPage+1 {
		t.Errorf("the export has %d lines, want %v", n, admin.StreamPage+1)
	}
	if so, got := r.load(t, lines); so.Skipped != admin.StreamPage+1 {
		t.Errorf("the import answers %d %s: got skipped %v, want %v", got.Status, got.Body, so.Skipped, admin.StreamPage+1)
	}
}

func TestALetterThatCannotBeReadIsALineThatSaysSo(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(o *apitest.Options) { o.Admin.Store = brokenStore{err: errors.New("checksum at /data/x is wrong")} })
	lines := r.export(t, "")
	switch {
	case strings.Count(lines, "\n") != 1:
		t.Errorf(`the export is %s, want 1 of "\n"`, lines)
	case !strings.Contains(lines, `"error":"the store has lost`):
		t.Errorf(`the export is %s, want "error":"the store has lost in it`, lines)
	case strings.Contains(lines, "checksum"):
		t.Errorf(`the export is %s, want no "checksum" in it`, lines)
	}
	switch so, got := newRig(t).load(t, lines); {
	case so.Imported != 0:
		t.Errorf("imported it answers %s: got imported %v, want 0", got.Body, so.Imported)
	case so.FailedTotal != 1:
		t.Errorf("imported it answers %s: got FailedTotal %v, want 1", got.Body, so.FailedTotal)
	}
}

func TestAnExportThatFailsOnItsWayIsBrokenOff(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(o *apitest.Options) { o.Admin.Store = brokenStore{err: store.ErrFailed} })
	res, err := http.Get(r.Base + "/v1/dead_set/export")
	if err == nil {
		_, err = io.ReadAll(res.Body)
		_ = res.Body.Close()
	}
	if err == nil {
		t.Errorf("the client cannot tell that it is not whole: got %v, want an error", err)
	}
}

func FuzzImport(f *testing.F) {
	r := newRig(f)
	r.Bury(f, 1)
	f.Add([]byte(r.export(f, "")))
	f.Fuzz(func(t *testing.T, line []byte) {
		inv, raw, err := admin.ReadRecord(line)
		if err != nil {
			return
		}
		w := httptest.NewRecorder()
		out := admin.NewPaced(w)
		if err := errors.Join(admin.WriteLine(out, admin.RecordOf(inv), raw), out.Flush()); err != nil {
			t.Fatal(err)
		}
		again, rawAgain, err := admin.ReadRecord(w.Body.Bytes())
		switch {
		case err != nil:
			t.Errorf("%s comes back as %s: %v, want no error", line, w.Body, err)
		case !bytes.Equal(raw, rawAgain):
			t.Errorf("%s comes back as %s: %v: got %.100q, want %.100q", line, w.Body, err, raw, rawAgain)
		case cmp.Diff(admin.RecordOf(inv), admin.RecordOf(again)) != "":
			t.Errorf("%s comes back as %s: %v, want cmp.Diff(admin.RecordOf(inv), admin.RecordOf(again)) empty", line, w.Body, err)
		}
		_ = admin.LetterOf(inv) // and can be shown
	})
}
