package doctor

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestTheWorkerHasOtherSettings is doctor beside a worker that was started with settings of its own, as by dev.
func TestTheWorkerHasOtherSettings(t *testing.T) {
	t.Parallel()
	s := healthy(t)
	s.worker = s.serve(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path == "/v1/status" {
			_, _ = io.WriteString(w, `{"worker":{"gateway":{"url":"http://127.0.0.1:8080"},"source":{"embedded":true}},"store":{"durable":true,"path":".dev"}}`)
			return
		}
		_, _ = io.WriteString(w, `{"messages":[]}`)
	})
	status, text := s.findings().of("worker")
	if status != Warn {
		t.Errorf("the worker is %s, want %s", status, Warn)
	}
	if want := "Run doctor with the settings of that worker: gateway_url=http://127.0.0.1:8080 data_dir=.dev stan_embedded=true queue-worker doctor"; !strings.Contains(text, want) {
		t.Errorf("it says %q, want %q in it", text, want)
	}
}

func TestNamesThatDoNothingAreFound(t *testing.T) {
	t.Parallel()
	status, text := healthy(t).findings("max_infligth=C4N4RY").of("settings")
	if status != Warn {
		t.Errorf("the settings are %s, want %s", status, Warn)
	}
	if want := "max_infligth is not read: did you mean max_inflight?"; !strings.Contains(text, want) {
		t.Errorf("it says %q, want %q in it", text, want)
	}
	if strings.Contains(text, "C4N4RY") {
		t.Errorf("it says %q, want no value in it", text)
	}
}
