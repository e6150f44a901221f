package api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/openfaas/faas-provider/types"

	"queue-worker/pkg/api/apitest"
	"queue-worker/pkg/escape"
)

// Whatever shows what callers wrote can be shown on a terminal, and says the same.
func TestWhatCallersWroteIsEscaped(t *testing.T) {
	t.Parallel()
	const hostile = "\x1b[2J\u009b31m\u202e\u2066\u200e\ufeff\x7f日"
	r := newRig(t)
	dead, waiting := apitest.DeadAt(1), apitest.DelayedAt(2, "figlet")
	dead.CallID, dead.Detail, waiting.CallID = hostile, hostile, hostile
	raw := apitest.Request(t, types.QueueRequest{Function: "figlet", Path: "/" + hostile, Header: http.Header{"X-A": {hostile}, hostile: {"b"}}, Body: []byte(hostile)})
	r.Put(t, dead, raw)
	r.Put(t, waiting, raw)
	for _, path := range []string{
		"/v1/dead_set", "/v1/dead_set?count=1&topic-entity=figlet", "/v1/dead_set/export", "/v1/dead_set/groups",
		"/v1/dead_set/" + dead.ID.String(), "/v1/dead_set/" + dead.ID.String() + "?body=true",
		"/v1/invocations", "/v1/invocations/" + waiting.ID.String(), "/v1/functions",
	} {
		got := r.Ask(t, http.MethodGet, path)
		switch {
		case got.Status != http.StatusOK:
			t.Errorf("%s answers %d %q, want status %d", path, got.Status, got.Body, http.StatusOK)
		case got.Body != escape.Lines(got.Body):
			t.Errorf("%s answers %d %q, want body %v", path, got.Status, got.Body, escape.Lines(got.Body))
		}
		if shows := strings.Contains(got.Body, `"call_id":`); shows {
			var v any
			if err := json.Unmarshal([]byte(got.Body), &v); err != nil || !holds(v, hostile) {
				t.Errorf("%s says another call id: %s (%v)", path, got.Body, err)
			}
		}
	}
}

// holds reports whether a text is somewhere in what JSON says.
func holds(v any, text string) bool {
	switch v := v.(type) {
	case string:
		return v == text
	case []any:
		for _, e := range v {
			if holds(e, text) {
				return true
			}
		}
	case map[string]any:
		for _, e := range v {
			if holds(e, text) {
				return true
			}
		}
	}
	return false
}
