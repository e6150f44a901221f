package dev

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"testing"
)

// Not parallel: the logger of package log is one for the whole process.
func TestTheLibrarysLinesComeAtDebugLevelAndWithoutContent(t *testing.T) {
	port := freePort(t)
	startServer(t, port, "")
	var out bytes.Buffer
	gw := startStand(t, func(o *Options) {
		o.Queue.Port = port
		o.Logger = slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}).GatewayURL()
	if got := must(t, http.MethodPost, gw, "/async-function/fn?q=CANARY", "CANARY", "Authorization: CANARY"); got.status != 202 {
		t.Fatalf("answers %d, want 202", got.status)
	}
	quiet(discard()) // nothing writes to out from here on
	switch s := out.String(); {
	case !strings.Contains(s, "Queueing"):
		t.Errorf("the log is, want \"Queueing\" in it\n%s", s)
	case strings.Contains(s, "level=INFO"):
		t.Errorf("the log is, want no \"level=INFO\" in it\n%s", s)
	case strings.Contains(s, "CANARY"):
		t.Errorf("the log is, want no \"CANARY\" in it\n%s", s)
	}
}
