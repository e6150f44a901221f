package api_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"queue-worker/pkg/api/apitest"
)

func TestCausesOfBadHealthAreForThoseWithCredentials(t *testing.T) {
	t.Parallel()
	disk := errors.New("store failed: write /var/lib/CANARY/000012.log: input/output error")
	source := errors.New("not connected to NATS Streaming at nats://nats:4222: dial tcp: lookup CANARY on 10.0.0.10:53: no such host")
	r := newRig(t, apitest.WithBasicAuth(t), func(o *apitest.Options) {
		o.API.Healthy = func() error { return disk }
		o.API.Ready = func() error { return errors.Join(fmt.Errorf("store: %w", disk), fmt.Errorf("source: %w", source)) }
	})
	tests := []struct {
		path string
		open []string // shown to every client
	}{
		{"/healthz", []string{"store failed"}},
		{"/readyz", []string{"store: store failed", "source: not connected to NATS Streaming at nats://nats:4222"}},
	}
	for _, tt := range tests {
		for name, edits := range map[string][]func(*http.Request){
			"without credentials":    nil,
			"with wrong credentials": {apitest.As(apitest.TestUser, "wrong")},
		} {
			got := r.Ask(t, http.MethodGet, tt.path, edits...)
			switch {
			case got.Status != http.StatusServiceUnavailable:
				t.Errorf("%s %s: %d %s, want status %d", tt.path, name, got.Status, got.Body, http.StatusServiceUnavailable)
			case strings.Contains(got.Body, "CANARY"):
				t.Errorf(`%s %s: %d %s, want no "CANARY" in it`, tt.path, name, got.Status, got.Body)
			}
			for _, want := range tt.open {
				if !strings.Contains(got.Body, `"`+want+`"`) {
					t.Errorf("%s %s: %q is not in %s, want %q in it", tt.path, name, want, got.Body, `"`+want+`"`)
				}
			}
		}
		if got := r.Ask(t, http.MethodGet, tt.path, apitest.As(apitest.TestUser, apitest.TestPassword)); !strings.Contains(got.Body, "/var/lib/CANARY/000012.log: input/output error") {
			t.Errorf(`%s with credentials: %s, want "/var/lib/CANARY/000012.log: input/output error" in it`, tt.path, got.Body)
		}
	}
}
