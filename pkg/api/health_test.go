package api

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func TestCausesOfBadHealthAreForThoseWithCredentials(t *testing.T) {
	t.Parallel()
	disk := errors.New("store failed: write /var/lib/CANARY/000012.log: input/output error")
	door := errors.New("not connected to NATS Streaming at nats://nats:4222: dial tcp: lookup CANARY on 10.0.0.10:53: no such host")
	r := newRig(t, withBasicAuth(t), func(o *Options) {
		o.Healthy = func() error { return disk }
		o.Ready = func() error { return errors.Join(fmt.Errorf("store: %w", disk), fmt.Errorf("door: %w", door)) }
	})
	tests := []struct {
		path string
		open []string // shown to every client
	}{
		{"/healthz", []string{"store failed"}},
		{"/readyz", []string{"store: store failed", "door: not connected to NATS Streaming at nats://nats:4222"}},
	}
	for _, tt := range tests {
		for name, edits := range map[string][]func(*http.Request){
			"without credentials":    nil,
			"with wrong credentials": {as(testUser, "wrong")},
		} {
			got := r.ask(t, http.MethodGet, tt.path, edits...)
			if got.status != http.StatusServiceUnavailable || strings.Contains(got.body, "CANARY") {
				t.Errorf("%s %s: %d %s", tt.path, name, got.status, got.body)
			}
			for _, want := range tt.open {
				if !strings.Contains(got.body, `"`+want+`"`) {
					t.Errorf("%s %s: %q is not in %s", tt.path, name, want, got.body)
				}
			}
		}
		if got := r.ask(t, http.MethodGet, tt.path, as(testUser, testPassword)); !strings.Contains(got.body, "/var/lib/CANARY/000012.log: input/output error") {
			t.Errorf("%s with credentials: %s", tt.path, got.body)
		}
	}
}

func TestCausesOfARefusedSubmissionAreNotTold(t *testing.T) {
	t.Parallel()
	for _, err := range []error{
		fmt.Errorf("%w: %w", ErrNotConnected, errors.New("not connected to NATS Streaming at nats://nats:4222: dial tcp: lookup CANARY")),
		fmt.Errorf("%w: %w", ErrFull, errors.New("intake paused: write /var/lib/CANARY: no space left on device")),
		fmt.Errorf("%w: %w", ErrFull, errors.New("12 bytes free on the volume of data_dir: CANARY")),
	} {
		p := problemOfTaking(err)
		if text := strings.Join(p.Reasons, "\n"); text == "" || strings.Contains(text, "CANARY") {
			t.Errorf("reasons of %v are %q", err, text)
		}
	}
}
