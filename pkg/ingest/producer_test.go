package ingest_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"queue-worker/pkg/api/apitest"
	"queue-worker/pkg/invocation"
	"queue-worker/pkg/respond"
	"queue-worker/pkg/wire"
)

func TestAProducersMessageBecomesACallback(t *testing.T) {
	t.Parallel()
	for _, durable := range []bool{true, false} {
		r := newRig(t, storing(durable))
		for path, message := range map[string]string{"/queue/producer/": "hello", "/queue/producer": "<a & \"b\">\n\u2028\u00df"} {
			in, err := json.Marshal(map[string]any{"message": message, "callback_url": "http://u:p@Cb.example:9000/x?y=z", "other": 1})
			if err != nil {
				t.Fatal(err)
			}
			got := r.Post(t, path, string(in), "Content-Type", "application/json")
			s := acceptedBy(t, r, durable)
			var answered []map[string]string
			switch err := json.Unmarshal([]byte(got.Body), &answered); {
			case err != nil:
				t.Fatalf("answer is %d %v %s: got %v, want no error", got.Status, got.Header, got.Body, err)
			case got.Status != http.StatusAccepted:
				t.Fatalf("answer is %d %v %s, want status %d", got.Status, got.Header, got.Body, http.StatusAccepted)
			case got.Header.Get("Content-Type") != respond.ContentJSON:
				t.Fatalf("answer is %d %v %s, want Content-Type %v", got.Status, got.Header, got.Body, respond.ContentJSON)
			}
			want := []map[string]string{{"id": s.Inv.ID.String(), "url": "http://u:p@Cb.example:9000/x?y=z", "msg": message}}
			if d := cmp.Diff(want, answered); d != "" {
				t.Errorf("answer (-want +got):\n%s", d)
			}
			inv := &invocation.Invocation{
				ID: s.Inv.ID, CallID: s.Inv.CallID, Kind: invocation.KindCallback, URL: "http://u:p@Cb.example:9000/x?y=z",
				Lane:     invocation.Lane{Queue: "faas-request", Name: "url:cb.example:9000"},
				Accepted: s.Inv.Accepted, Since: s.Inv.Accepted, Terms: &invocation.Terms{Source: invocation.SourceProducer},
			}
			if d := cmp.Diff(inv, s.Inv); durable && d != "" {
				t.Errorf("invocation (-want +got):\n%s", d)
			}
			q, body := apitest.Decoded(t, s.Raw)
			if d := cmp.Diff(invocation.EnvelopeOf(inv), *q.Envelope, cmp.Transformer("utc", time.Time.UTC)); d != "" {
				t.Errorf("envelope (-want +got):\n%s", d)
			}
			var posted map[string]string
			switch err := json.Unmarshal([]byte(body), &posted); {
			case err != nil:
				t.Errorf("posted is %s: got %v, want no error", body, err)
			case len(posted) != 1:
				t.Errorf("posted is %s: got %v, want 1 posted", body, len(posted))
			case posted["message"] != message:
				t.Errorf(`posted is %s: got posted["message"] %v, want %v`, body, posted["message"], message)
			}
			if d := cmp.Diff(http.Header{"Content-Type": {"application/json"}, "X-Call-Id": {s.Inv.CallID}}, q.Header); d != "" {
				t.Errorf("header (-want +got):\n%s", d)
			}
		}
	}
}

func TestBadMessagesOfProducersAreRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, body := range []string{
		"", "{", "{}", "null", "[]", "7", `"x"`, `{"message":"x"}`, `{"callback_url":"http://cb/"}`,
		`{"message":7,"callback_url":"http://cb/"}`, `{"message":null,"callback_url":"http://cb/"}`, `{"message":{},"callback_url":"http://cb/"}`,
		`{"message":"x","callback_url":7}`, `{"message":"x","callback_url":null}`, `{"message":"x","callback_url":""}`,
		`{"message":"x","callback_url":"ftp://x"}`, `{"message":"x","callback_url":"http://"}`, `{"message":"x","callback_url":"http://CANARY@ho st/"}`,
		`{"message":"x","callback_url":"http://cb/"}{}`, `{"message":"x","callback_url":"http://cb/"} x`, `message=x&callback_url=http://cb/`,
	} {
		got := r.Post(t, "/queue/producer/", body, "Content-Type", "application/json")
		switch {
		case got.Status != http.StatusBadRequest:
			t.Errorf("%s answers %d %s, want status %d", body, got.Status, got.Body, http.StatusBadRequest)
		case got.ReasonOf(t) != wire.BadRequest:
			t.Errorf("%s answers %d %s, want reason %v", body, got.Status, got.Body, wire.BadRequest)
		case strings.Contains(got.Body, "CANARY"):
			t.Errorf(`%s answers %d %s, want no "CANARY" in it`, body, got.Status, got.Body)
		}
	}
	if r.Accepts.Count() != 0 {
		t.Errorf("something was taken: got accepts %v, want 0", r.Accepts.Count())
	}
}
