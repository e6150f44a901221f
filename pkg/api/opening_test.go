package api_test

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"queue-worker/pkg/api"
)

func getFrom(t *testing.T, url string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

func TestHealthIsAnsweredWhileTheStoreIsBeingOpened(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	base := "http://" + l.Addr().String()
	var state api.Opening
	end := state.Serve(l)
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 503, "/v1/dead_set": 503} {
		if code, body := getFrom(t, base+path); code != want {
			t.Errorf("%s answers %d %q, want %d", path, code, body, want)
		}
	}
	for want, waits := range map[string]*api.Wait{
		`"reasons":["store: being opened"]`: nil,
		`"reasons":["store: in use"]`:       {Reason: "store: in use", Hint: "Wait."},
	} {
		state.WaitFor(waits)
		if _, body := getFrom(t, base+"/readyz"); !strings.Contains(body, want) {
			t.Errorf("/readyz answers %q, want %q in it", body, want)
		}
	}
	if err := end(); err != nil {
		t.Errorf("end returns %v, want nil", err)
	}

	server := &http.Server{Handler: http.NotFoundHandler()} // #nosec G112 -- a test
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	if code, _ := getFrom(t, base+"/healthz"); code != http.StatusNotFound {
		t.Errorf("the server after it answers %d, want %d", code, http.StatusNotFound)
	}
	if err := server.Close(); err != nil {
		t.Error(err)
	}
	<-done
}
