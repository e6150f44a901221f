package invoke

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"queue-worker/pkg/egress"
)

// recorder is a server that records the paths it is asked for, and the number of
// connections it got.
type recorder struct {
	*httptest.Server

	mu    sync.Mutex
	paths []string
	peers map[string]bool
}

func newRecorder(t *testing.T, start func(*httptest.Server)) *recorder {
	t.Helper()
	s := &recorder{peers: map[string]bool{}}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.paths = append(s.paths, r.URL.Path)
		s.peers[r.RemoteAddr] = true
	}))
	start(s.Server)
	t.Cleanup(s.Close)
	return s
}

func (s *recorder) seen() (paths []string, connections int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.paths), len(s.peers)
}

func TestAConnectionToAFunctionIsNotUsedForAnotherPath(t *testing.T) {
	t.Parallel()
	for scheme, start := range map[string]func(*httptest.Server){"http": (*httptest.Server).Start, "https": (*httptest.Server).StartTLS} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			s := newRecorder(t, start)
			gateway, err := url.Parse(s.URL)
			if err != nil {
				t.Fatal(err)
			}
			guard, err := egress.New(egress.Options{Level: egress.Open, Allow: []string{"127.0.0.0/8", "localhost"}, Gateway: gateway})
			if err != nil {
				t.Fatal(err)
			}
			c := newClient(t, gateway.Host, func(o *Options) { o.Guard, o.TLSInsecure = guard, true })
			local := strings.Replace(s.URL, "127.0.0.1", "localhost", 1) // another name for it
			for range 3 {
				for _, base := range []string{s.URL, local} {
					if r := c.Callback(t.Context(), base+"/function/next", stored(t, nil, "x")); r.Status != 200 {
						t.Errorf("a function: %+v, want Status 200", r)
					}
					for _, path := range []string{"/system/functions", "/", "", "/function/next/../../system/functions", "/ui/"} {
						switch r := c.Callback(t.Context(), base+path, stored(t, nil, "x")); {
						case !r.Refused:
							t.Errorf("%s%s: %+v: r.Refused = false, want true", base, path, r)
						case !strings.Contains(r.Detail, "leads to the gateway"):
							t.Errorf("%s%s: %+v, want Detail \"leads to the gateway\" in it", base, path, r)
						}
					}
				}
			}
			paths, connections := s.seen()
			if want := slices.Repeat([]string{"/function/next"}, 6); !slices.Equal(paths, want) {
				t.Errorf("the gateway was asked for %q, want %q", paths, want)
			}
			if connections != 2 {
				t.Errorf("%d connections, want one for each name: connections to functions are kept", connections)
			}
		})
	}
}
