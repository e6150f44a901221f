package console

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestATabNotesWhatNoPageMayCause holds that a clean page of the other tests is one.
func TestATabNotesWhatNoPageMayCause(t *testing.T) {
	for want, page := range map[string]string{
		"Content Security Policy":   `<!doctype html><p style="color:red">x`,
		"a request to another host": `<!doctype html><iframe src="http://127.0.0.2:1/x"></iframe>`,
		"404":                       `<!doctype html><img src="/gone.png">`,
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/":
				w.Header().Set("Content-Type", "text/html")
				w.Header().Set("Content-Security-Policy", "style-src 'self'")
				_, _ = w.Write([]byte(page))
			case "/favicon.ico":
				w.WriteHeader(http.StatusNoContent)
			default:
				http.NotFound(w, r)
			}
		}))
		t.Cleanup(server.Close) // after the tab, which asks for more
		b := open(t, server.URL)
		b.goTo("/")
		eval[string](b, "location.href")
		b.mu.Lock()
		got := strings.Join(b.faults, "\n")
		b.faults = nil
		b.mu.Unlock()
		if !strings.Contains(got, want) {
			t.Errorf("got %q, want %q in it", got, want)
		}
	}
}
