package stanserver

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

func TestAPublisherWithoutHeartbeatIsNoWarning(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	l := &serverLog{slog.New(slog.NewTextHandler(&out, nil))}
	l.Errorf("STREAM: [Client:%s] Timed out on heartbeats", "gateway-1")
	if got := out.String(); !strings.Contains(got, "level=INFO") || !strings.Contains(got, "gateway-1") {
		t.Errorf("the line is %q, want one of INFO that names the client", got)
	}
	out.Reset()
	l.Errorf("STREAM: [Client:%s] Error closing client: %v", "gateway-1", "disk")
	if got := out.String(); !strings.Contains(got, "level=WARN") {
		t.Errorf("another error's line is %q, want WARN", got)
	}
}
