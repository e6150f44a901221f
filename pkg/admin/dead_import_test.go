// File dead_import_test.go imports what is bad, too much or cut off.

package admin_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"queue-worker/pkg/admin"
	"queue-worker/pkg/api/apitest"
	"queue-worker/pkg/store"
	"queue-worker/pkg/store/embedded"
	"queue-worker/pkg/wire"
)

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
		t.Fatal("got no turn to import, want one: no import is running")
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
