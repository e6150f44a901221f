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

// A field that is added to an invocation must not be forgotten here. A job is known in its own
// store only.
func TestALineHasEveryFieldOfALetter(t *testing.T) {
	t.Parallel()
	inv := &invocation.Invocation{
		ID: apitest.IDOf(1), CallID: "call", Kind: invocation.KindCallback, Lane: invocation.Lane{Queue: "q", Name: "url:h:80"}, Function: "f",
		URL: "http://u:p@h/x", Origin: apitest.IDOf(2), Accepted: apitest.Begin, State: invocation.Dead, Since: apitest.Begin.Add(1),
		Retries: 3, Attempts: []invocation.Attempt{{At: apitest.Begin.Add(2), Duration: 123456789, Status: 503, Cause: invocation.CauseDNS}},
		Omitted: 4, Crashes: 5, Replays: 6, Sequence: 2, Superseded: true,
		Terms:  &invocation.Terms{Source: invocation.SourceMailbox, MaxRetries: 7, Delay: 8, Expires: apitest.Begin.Add(9), Delayed: true, DelayIgnored: invocation.DelayTooLong, Repeats: apitest.IDOf(3)},
		Trace:  &invocation.Trace{Parent: "00-p-01", State: "a=b", Last: "00-l-01"},
		Answer: &invocation.Answer{At: apitest.Begin.Add(11), Status: 500, Type: "text/plain", Body: []byte("\xff"), Truncated: true},
		Reason: invocation.Poison, Detail: "d", DiedAt: apitest.Begin.Add(10),
	}
	for _, v := range []any{*inv, inv.Attempts[0], *inv.Terms, *inv.Answer} {
		for i := range reflect.TypeOf(v).NumField() {
			if f := reflect.TypeOf(v).Field(i); f.Name != "Size" && f.Name != "Job" && reflect.ValueOf(v).Field(i).IsZero() {
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
