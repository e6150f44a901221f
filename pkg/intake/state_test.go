package intake

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

func TestAStateOfTheConnectionIsLoggedOnceWithItsCount(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	i := &Intake{connected: make(chan struct{}), log: slog.New(slog.NewTextHandler(&out, nil)), opts: Options{Metrics: NewMetrics(prometheus.NewRegistry(), nil)}}
	for port := range 20 {
		i.noteDown(fmt.Errorf("read tcp 127.0.0.1:%d->10.0.0.1:4222: connection reset by peer", 40000+port))
	}
	i.noteDown(errors.New("no route to host"))
	if got, want := strings.Count(out.String(), "level=WARN"), 2; got != want {
		t.Errorf("%d warnings, want %d:\n%s", got, want, &out)
	}
	if i.failed != 21 {
		t.Errorf("%d failed connections counted, want 21", i.failed)
	}
	i.noteUp(&session{clientID: "c"})
	for _, want := range []string{"failed_connects=1\n", "failed_connects=21\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in the log, want %q in it\n%s", want, want, &out)
		}
	}
	if i.failed != 0 {
		t.Errorf("%d failed connections counted after a session began, want 0", i.failed)
	}
	out.Reset()
	i.noteUp(&session{clientID: "c"})
	if strings.Contains(out.String(), "failed_connects") {
		t.Errorf("a first connection has a count of failed ones, want no \"failed_connects\" in it\n%s", &out)
	}
}
