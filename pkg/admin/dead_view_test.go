package admin_test

// What a letter looks like, by golden files, and how the message is bounded.

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/openfaas/faas-provider/types"

	"queue-worker/pkg/admin"
	"queue-worker/pkg/api/apitest"
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/respond"
	"queue-worker/pkg/wire"
)

// cast are the letters of the golden files, one of each sort.
func cast(t testing.TB, r *rig) {
	t.Helper()
	exhausted := apitest.DeadAt(0)
	exhausted.Retries, exhausted.Replays, exhausted.Crashes = 2, 1, 1
	exhausted.Terms = &invocation.Terms{Source: invocation.SourceHTTP, Expires: apitest.Begin.Add(time.Hour)}
	exhausted.CallID = "eb8283f5-1679-48e0-afec-194544b054aa"
	exhausted.Attempts = []invocation.Attempt{
		{At: apitest.Begin.Add(-30 * time.Second), Status: 500, Duration: 1500 * time.Millisecond},
		{At: apitest.Begin.Add(-20 * time.Second), Status: 503, Cause: invocation.CauseTimeout, Duration: time.Second},
		{At: apitest.Begin.Add(-time.Second), Status: 502, Duration: 12345 * time.Microsecond},
	}
	r.Put(t, exhausted, apitest.Request(t, types.QueueRequest{
		Function: "figlet.openfaas-fn", Path: "/v1/job", QueryString: "token=CANARY", Body: []byte("hello <&> \x00\xff"),
		Header: http.Header{
			"Content-Type": {"text/plain"}, "Authorization": {"Bearer CANARY"}, "X-Call-Id": {exhausted.CallID},
			"X-Callback-Url": {"https://user:CANARY@example.com/CANARY?k=CANARY"}, "X-Api-Key": {"CANARY", "CANARY"},
		},
		CallbackURL: &url.URL{Scheme: "https", Host: "example.com", Path: "/CANARY"},
	}))

	callback := apitest.DeadAt(1)
	callback.Kind, callback.Origin = invocation.KindCallback, apitest.IDOf(900)
	callback.URL = "http://user:CANARY@10.0.0.1/hooks/CANARY?k=CANARY"
	callback.Lane.Name = "url:10.0.0.1:80"
	callback.Reason, callback.Detail = invocation.CallbackRefused, "10.0.0.1 is a private address"
	raw, err := invocation.EncodeCallback("figlet", http.Header{"X-Function-Status": {"200"}, "Set-Cookie": {"s=CANARY"}}, []byte("result"))
	if err != nil {
		t.Fatal(err)
	}
	r.Put(t, callback, raw)

	for i, m := range []string{`{"Function":7,`, `{"Header":{"Authorization":["CANARY"]},"Function":`, `{"Function":"../system","Body":"aGk="}`} {
		malformed := apitest.DeadAt(2 + i)
		malformed.Lane.Name, malformed.Function = "", ""
		malformed.Reason, malformed.Detail = invocation.Malformed, "The message is not a JSON object."
		r.Put(t, malformed, []byte(m))
	}
}

func TestLettersHaveTheShapeOfTheGoldenFiles(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	cast(t, r)
	for name, path := range map[string]string{
		"list.json":               "/v1/dead_set?limit=4",
		"show.json":               "/v1/dead_set/" + apitest.IDOf(0).String(),
		"show_body.json":          "/v1/dead_set/" + apitest.IDOf(0).String() + "?body=true",
		"show_callback.json":      "/v1/dead_set/" + apitest.IDOf(1).String() + "?body=false",
		"show_withheld.json":      "/v1/dead_set/" + apitest.IDOf(3).String(),
		"show_withheld_body.json": "/v1/dead_set/" + apitest.IDOf(3).String() + "?body=true",
		"show_no_function.json":   "/v1/dead_set/" + apitest.IDOf(4).String(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := r.Ask(t, http.MethodGet, path)
			switch {
			case got.Status != http.StatusOK:
				t.Errorf("status %d, header %v, want status %d", got.Status, got.Header, http.StatusOK)
			case got.Header.Get("Content-Type") != respond.ContentJSON:
				t.Errorf("status %d, header %v, want Content-Type %v", got.Status, got.Header, respond.ContentJSON)
			case got.Header.Get("Cache-Control") != "no-store":
				t.Errorf(`status %d, header %v, want Cache-Control "no-store"`, got.Status, got.Header)
			}
			apitest.Golden(t, name, got.Body)
		})
	}
}

func TestAnEmptyDeadSetIsAnEmptyList(t *testing.T) {
	t.Parallel()
	got := newRig(t, func(o *apitest.Options) { o.Admin.Durable = true }).Ask(t, http.MethodGet, "/v1/dead_set")
	if want := `{"messages":[],"durable":true}` + "\n"; got.Status != 200 || got.Body != want {
		t.Errorf("answer is %d %s, want %s", got.Status, got.Body, want)
	}
}

func TestMessagesAreCutUnlessAllIsAskedFor(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		size int
		cut  bool
	}{
		{"an empty one is whole", 0, false},
		{"one as long as the preview is whole", admin.PreviewBytes, false},
		{"one byte more is cut", admin.PreviewBytes + 1, true},
		{"1 MiB is cut", 1 << 20, true},
	}
	r := newRig(t)
	for i, tt := range tests {
		body := bytes.Repeat([]byte{'a', 0, 0xff}, tt.size/3+1)[:tt.size]
		r.Put(t, apitest.DeadAt(i), apitest.Request(t, types.QueueRequest{Function: "f", Body: body}))
		t.Run(tt.name, func(t *testing.T) {
			path := "/v1/dead_set/" + apitest.IDOf(i).String()
			var preview, whole struct {
				Message []byte `json:"message"`
				Size    int    `json:"message_size"`
				Cut     bool   `json:"message_cut"`
			}
			r.Get(t, path, &preview)
			switch {
			case preview.Cut != tt.cut:
				t.Errorf("preview has %d bytes of %d, cut %v, want cut %v", len(preview.Message), preview.Size, preview.Cut, tt.cut)
			case preview.Size != tt.size:
				t.Errorf("preview has %d bytes of %d, cut %v, want size %v", len(preview.Message), preview.Size, preview.Cut, tt.size)
			case !bytes.Equal(preview.Message, body[:min(tt.size, admin.PreviewBytes)]):
				t.Errorf("preview has %d bytes of %d, cut %v, want %.100q", len(preview.Message), preview.Size, preview.Cut, body[:min(tt.size, admin.PreviewBytes)])
			}
			r.Get(t, path+"?body=true", &whole)
			switch {
			case whole.Cut:
				t.Errorf("whole has %d bytes of %d, cut %v, want not cut", len(whole.Message), whole.Size, whole.Cut)
			case whole.Size != tt.size:
				t.Errorf("whole has %d bytes of %d, cut %v, want size %v", len(whole.Message), whole.Size, whole.Cut, tt.size)
			case !bytes.Equal(whole.Message, body):
				t.Errorf("whole has %d bytes of %d, cut %v, want %.100q", len(whole.Message), whole.Size, whole.Cut, body)
			}
		})
	}
}

func TestAMalformedLetterOfAnyLengthGivesItsBytesOnRequest(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for i, raw := range []string{"", "hello", strings.Repeat("\x00\xff", 70_000), `{"Function":"f","Header":{"X A":["b"]}}`} {
		inv := apitest.DeadAt(i)
		inv.Reason = invocation.Malformed
		r.Put(t, inv, []byte(raw))
		var got struct {
			Message []byte `json:"message"`
			Raw     bool   `json:"message_raw"`
		}
		r.Get(t, "/v1/dead_set/"+inv.ID.String()+"?body=true", &got)
		if !got.Raw || string(got.Message) != raw {
			t.Errorf("letter %d gives %d bytes, raw %v; want %d", i, len(got.Message), got.Raw, len(raw))
		}
	}
}

func TestALongHistoryIsShownWithWhatWasLeftOut(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	inv := apitest.DeadAt(0)
	for n := range 1000 {
		inv.Record(invocation.Attempt{At: apitest.Begin.Add(time.Duration(n) * time.Second), Status: 500})
	}
	r.Put(t, inv, nil)
	var page wire.LetterPage
	r.Get(t, "/v1/dead_set", &page)
	switch l := page.Letters[0]; {
	case len(l.Attempts) != invocation.MaxHistory:
		t.Errorf("%d attempts shown, %d omitted, want %d attempts", len(l.Attempts), l.Omitted, invocation.MaxHistory)
	case l.Omitted != 1000-invocation.MaxHistory:
		t.Errorf("%d attempts shown, %d omitted, want omitted %v", len(l.Attempts), l.Omitted, 1000-invocation.MaxHistory)
	}
}

// FuzzMessage holds what is shown against what was stored: any bytes have a
// preview and a whole, and both are JSON.
func FuzzMessage(f *testing.F) {
	f.Add([]byte(`{"Function":"f","Body":"aGk=","Header":{"message":[""]}}`), true)
	f.Add([]byte(`{"Function":"\"message\":\"\"","Body":"aGk="}`), false)
	f.Add([]byte(`{"Function":"f","Body":"aB=="}`), false)
	f.Add([]byte{}, true)
	f.Fuzz(func(t *testing.T, raw []byte, malformed bool) {
		inv := apitest.DeadAt(0)
		inv.CallID = string(raw)
		if malformed {
			inv.Reason = invocation.Malformed
		}
		m := admin.ReadMessage(inv, raw)
		w := httptest.NewRecorder()
		if err := admin.WriteWhole(w, inv, m); err != nil {
			t.Fatal(err)
		}
		var got struct {
			Message string `json:"message"`
			Size    int    `json:"message_size"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatalf("%s: %v, want no error", w.Body, err)
		}
		b, err := base64.StdEncoding.DecodeString(got.Message)
		switch {
		case err != nil:
			t.Fatalf("%d bytes of %d: %v, want no error", len(b), got.Size, err)
		case len(b) != got.Size:
			t.Fatalf("%d bytes of %d: %v, want %d", len(b), got.Size, err, got.Size)
		case malformed && !bytes.Equal(b, raw):
			t.Fatalf("%d bytes of %d: %v, want %.100q", len(b), got.Size, err, raw)
		}
		if n := w.Header().Get("Content-Length"); n != strconv.Itoa(w.Body.Len()) {
			t.Fatalf("Content-Length is %s, body has %d, want %v", n, w.Body.Len(), strconv.Itoa(w.Body.Len()))
		}
		var l wire.Letter
		if err := admin.Preview(m, &l); err != nil {
			t.Fatal(err)
		}
	})
}
