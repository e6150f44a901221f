package ingest_test

import (
	"net/http"
	"strings"
	"testing"

	"queue-worker/pkg/api/apitest"
)

// TestBytesThatAreNotUTF8AreAcceptedOrRefused: a queue carries JSON, which would replace them in silence.
func TestBytesThatAreNotUTF8AreAcceptedOrRefused(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		path   string
		header []string
		named  string // in the refusal
	}{
		"a header":                {"/async-function/figlet", []string{"X-Name", "J\xf6rg"}, "X-Name"},
		"a header of the mailbox": {"/deadletter/figlet", []string{"X-Name", "J\xf6rg"}, "X-Name"},
		"the query":               {"/async-function/figlet?q=J\xf6rg", nil, "the query"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, storing(true))
			if got := r.Post(t, tt.path, "hi", tt.header...); got.Status != http.StatusAccepted {
				t.Fatalf("in a durable store: got %d %q, want %d", got.Status, got.Body, http.StatusAccepted)
			}
			q, _ := apitest.Decoded(t, acceptedBy(t, r, true).Raw)
			if got := q.Header.Get("X-Name") + q.QueryString; !strings.Contains(got, "J\xf6rg") {
				t.Errorf("got %q, want the same bytes", got)
			}
			r = newRig(t, storing(false))
			got := r.Post(t, tt.path, "hi", tt.header...)
			if got.Status != http.StatusBadRequest || !strings.Contains(got.Body, tt.named+" is not UTF-8") {
				t.Errorf("without a durable store: got %d %q, want %d that names %s", got.Status, got.Body, http.StatusBadRequest, tt.named)
			}
		})
	}
}
