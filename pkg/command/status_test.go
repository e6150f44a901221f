package command

import (
	"testing"

	"queue-worker/pkg/term"
	"queue-worker/pkg/wire"
)

// TestAGatewayWithoutAnErrorIsItsURLAlone: a script splits the line at tabs, and compares the value.
func TestAGatewayWithoutAnErrorIsItsURLAlone(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ failure, want string }{
		{"", "http://gateway:8080"},
		{"refused", "http://gateway:8080 refused"},
	} {
		status := &wire.Status{}
		status.Worker.Gateway.URL, status.Worker.Gateway.Error = "http://gateway:8080", tt.failure
		found := false
		for _, f := range statusFields(&session{Console: &term.Console{}}, status) {
			if f.Name != "gateway" {
				continue
			}
			found = true
			if f.Value != term.Text(tt.want) {
				t.Errorf("got %+v, want %q", f.Value, tt.want)
			}
		}
		if !found {
			t.Error("got no field gateway, want one")
		}
	}
}
