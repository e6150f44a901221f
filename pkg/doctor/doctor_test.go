package doctor

import (
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"queue-worker/pkg/client"
	"queue-worker/pkg/config"
	"queue-worker/pkg/stanserver"
)

// surroundings are what the settings of a test lead to.
type surroundings struct {
	t       *testing.T
	environ []string
	worker  string
}

// gateway takes the credentials admin and hunter2, or anybody's when open.
func gateway(open bool, skew time.Duration) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", time.Now().Add(skew).UTC().Format(http.TimeFormat))
		user, password, _ := r.BasicAuth()
		switch {
		case r.URL.Path == "/healthz":
		case !open && user+password != "adminhunter2":
			w.WriteHeader(http.StatusUnauthorized)
		case r.URL.Path == "/system/functions" && r.URL.Query().Get("namespace") == "openfaas-fn":
			_, _ = io.WriteString(w, `[{"name":"a"},{"name":"b"}]`)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}
}

// redirecting is a gateway whose paths below one are answered with a redirect to a URL, and the path where that is an origin.
func redirecting(below, to string) http.HandlerFunc {
	answers := gateway(false, 0)
	return func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, below) {
			answers(w, r)
			return
		}
		switch strings.Count(to, "/") {
		case 0:
		case 2:
			w.Header().Set("Location", to+r.URL.Path)
		default:
			w.Header().Set("Location", to)
		}
		w.WriteHeader(http.StatusFound)
	}
}

// healthy are surroundings in which nothing is wrong.
func healthy(t *testing.T) *surroundings {
	t.Helper()
	door, err := stanserver.Start(stanserver.Options{Listen: "127.0.0.1:0", Cluster: "faas-cluster"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(door.Close)
	at, err := url.Parse(door.URL())
	if err != nil {
		t.Fatal(err)
	}
	s := &surroundings{t: t}
	s.environ = []string{
		"faas_nats_address=" + at.Hostname(), "faas_nats_port=" + at.Port(), "data_dir=" + t.TempDir(), "max_inflight=8", "store_min_free=0",
		"secret_mount_path=" + secretIn(t), "gateway_url=" + s.serve(gateway(false, 0)), "basic_auth=true",
	}
	s.worker = s.serve(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/v1/") {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"messages":[]}`)
		}
	})
	return s
}

func (s *surroundings) serve(h http.HandlerFunc) string {
	server := httptest.NewServer(h)
	s.t.Cleanup(server.Close)
	return server.URL
}

func secretIn(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, value := range map[string]string{"basic-auth-user": "admin", "basic-auth-password": "hunter2"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(value), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// findings are those of the surroundings with other settings added.
func (s *surroundings) findings(settings ...string) findings {
	s.t.Helper()
	worker, err := client.New(client.Options{Server: s.worker})
	if err != nil {
		s.t.Fatal(err)
	}
	defer worker.Close()
	o := Options{Worker: worker, Version: "test", Hostname: "doctor test"}
	environ := append(s.environ[:len(s.environ):len(s.environ)], settings...)
	if o.Config, err = config.Load(environ); err != nil {
		o.Problems = config.List(environ).Problems
	}
	return Examine(s.t.Context(), o)
}

type findings []Finding

// of is the worst status of a check, and all that it says.
func (f findings) of(check string) (Status, string) {
	worst, text := Status(""), ""
	for _, f := range f {
		if f.Check != check {
			continue
		}
		if worst == "" || worst == OK || f.Status == Bad {
			worst = f.Status
		}
		text += f.Text + " | " + f.Advice + "\n"
	}
	return worst, text
}

func TestAHealthyWorkerHasNothingToBeDone(t *testing.T) {
	t.Parallel()
	for _, f := range healthy(t).findings() {
		if f.Check != "limits" && (f.Status != OK || f.Advice != "" || f.Text == "") {
			t.Errorf("%+v", f)
		}
	}
}

func TestWhatIsWrongIsSaidWithWhatToDo(t *testing.T) {
	t.Parallel()
	s := healthy(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	open, linked := t.TempDir(), t.TempDir()
	if err := errors.Join(os.Chmod(open, 0o777), os.Symlink(open, filepath.Join(linked, "store"))); err != nil { // #nosec G302 -- as emptyDir is
		t.Fatal(err)
	}
	closed := httptest.NewServer(nil)
	closed.Close()
	port := strconv.Itoa(closedPort(t))
	guarded, err := stanserver.Start(stanserver.Options{Listen: "127.0.0.1:0", Cluster: "faas-cluster", Credentials: "publisher:hunter2"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(guarded.Close)
	named := filepath.Join(t.TempDir(), "credentials")
	if err := os.WriteFile(named, []byte("publisher:hunter2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	at, err := url.Parse(guarded.URL())
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := "faas_nats_port=" + at.Port()
	ca := filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(ca, authority(t), 0o600); err != nil {
		t.Fatal(err)
	}
	embedded := "stan_embedded=true\nstan_listen_address=" + strings.TrimPrefix(guarded.URL(), "nats://")
	tests := []struct {
		name    string
		setting string
		check   string
		status  Status
		text    string
	}{
		{"a setting", "max_inflight=0", "settings", Bad, "max_inflight"},
		{"a setting worth a look", "callback_policy=open", "settings", Warn, "callback_policy"},
		{"no NATS", "faas_nats_port=" + port, "door", Bad, "faas_nats_address"},
		{"another cluster", "faas_nats_cluster_name=other", "door", Bad, "no NATS Streaming cluster"},
		{"embedded NATS Streaming that is not running", "stan_embedded=true\nstan_listen_address=127.0.0.1:" + port, "door", Warn, "Start the worker"},
		{"credentials of embedded NATS Streaming", embedded + "\nstan_credentials_file=" + named, "door", OK, "answers as cluster"},
		{"no credentials of embedded NATS Streaming", embedded, "door", Warn, "Authorization"},
		{"credentials that are not there", embedded + "\nstan_credentials_file=" + named + "-2", "door", Bad, "stan_credentials_file"},
		{"credentials that travel unencrypted", elsewhere + "\nstan_credentials_file=" + named, "door", Warn, "the credentials travel unencrypted | Let the server use TLS"},
		{"no credentials where some are needed", elsewhere, "door", Bad, "check stan_credentials_file"},
		{"a CA that is not there", elsewhere + "\nstan_ca_file=" + named + "-2", "door", Bad, "stan_ca_file"},
		{"a CA of a server that does not encrypt", elsewhere + "\nstan_ca_file=" + ca, "door", Bad, "the server does not encrypt"},
		{"no data_dir", "data_dir=none", "store", Warn, "in memory"},
		{"a data_dir that is a file", "data_dir=" + file, "store", Bad, file},
		{"a data_dir that everybody may write", "data_dir=" + open, "store", Warn, "writable by every user"},
		{"a link in data_dir", "data_dir=" + linked, "store", Bad, "store: a symbolic link"},
		{"a disk too small", "store_min_free=1000TiB", "store", Bad, "store_min_free"},
		{"no gateway", "gateway_url=" + closed.URL, "gateway", Bad, "gateway_url"},
		{"a gateway that redirects to TLS", "gateway_url=" + s.serve(redirecting("/", "https://127.0.0.1:1")), "gateway", Bad, "Set gateway_url to https://127.0.0.1:1;"},
		{"a gateway behind a login page", "gateway_url=" + s.serve(redirecting("/", "https://login.example/in")), "gateway", Bad, "redirect to https://login.example |"},
		{"functions behind a login page", "gateway_url=" + s.serve(redirecting("/function/", "https://login.example/in")), "gateway", Bad, "302 to /function/queue-worker-doctor-looks-for-redirects, a redirect to https://login.example |"},
		{"a redirect to nowhere", "gateway_url=" + s.serve(redirecting("/system/", "")), "gateway", Bad, "a redirect to no usable URL"},
		{"no gateway, no clock", "gateway_url=" + closed.URL, "clock", Warn, "not compared"},
		{"credentials that the gateway refuses", "secret_mount_path=" + t.TempDir() + "\nbasic_auth=false", "gateway", Bad, "401"},
		{"a gateway that is open", "gateway_url=" + s.serve(gateway(true, 0)), "gateway", OK, "2 in openfaas-fn"},
		{"no secret where one is needed", "secret_mount_path=" + t.TempDir(), "credentials", Bad, "refuses every client"},
		{"no secret where none is needed", "secret_mount_path=" + t.TempDir() + "\nbasic_auth=false", "credentials", OK, "this machine only"},
		{"a clock that is slow", "gateway_url=" + s.serve(gateway(true, 20*time.Second)), "clock", Warn, "NTP"},
		{"a clock that is wrong", "gateway_url=" + s.serve(gateway(true, -time.Hour)), "clock", Bad, "NTP"},
		{"something that is no gateway", "gateway_url=" + s.serve(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }), "gateway", Warn, "address of an OpenFaaS gateway"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			here := &surroundings{t: t, environ: s.environ, worker: s.worker}
			status, text := here.findings(strings.Split(tt.setting, "\n")...).of(tt.check)
			switch {
			case status != tt.status:
				t.Errorf("%s is %s: %s: status = %q, want %q", tt.check, status, text, status, tt.status)
			case !strings.Contains(text, tt.text):
				t.Errorf("%s is %s: %s, want %q in it", tt.check, status, text, tt.text)
			case strings.Contains(text, "hunter2"):
				t.Errorf("%s is %s: %s, want no \"hunter2\" in it", tt.check, status, text)
			}
		})
	}
}

// authority is a certificate in PEM.
func authority(t *testing.T) []byte {
	t.Helper()
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
}

// closedPort is one without a listener.
func closedPort(t *testing.T) int {
	t.Helper()
	s := httptest.NewServer(nil)
	u, err := url.Parse(s.URL)
	s.Close()
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(u.Port())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestTheWorkerThatIsAsked(t *testing.T) {
	t.Parallel()
	problem := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	s := healthy(t)
	tests := []struct {
		name   string
		h      http.HandlerFunc
		status Status
		text   string
	}{
		{"is not ready", problem(503, `{"error":"not ready","reason":"not_ready","reasons":["no connection to NATS Streaming"]}`), Bad, "no connection to NATS Streaming"},
		{"refuses", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/readyz" {
				problem(401, `{"error":"unauthorized","reason":"unauthorized"}`)(w, r)
			}
		}, Bad, "--password-file"},
		{"is something else", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) }, Bad, "--server"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			here := &surroundings{t: t, environ: s.environ, worker: s.serve(tt.h)}
			switch status, text := here.findings().of("worker"); {
			case status != tt.status:
				t.Errorf("it is %s: %s: status = %q, want %q", status, text, status, tt.status)
			case !strings.Contains(text, tt.text):
				t.Errorf("it is %s: %s, want %q in it", status, text, tt.text)
			}
		})
	}
	closed := httptest.NewServer(nil)
	closed.Close()
	here := &surroundings{t: t, environ: s.environ, worker: closed.URL}
	switch status, text := here.findings().of("worker"); {
	case status != Warn:
		t.Errorf("one that does not run is %s: %s: status = %q, want %q", status, text, status, Warn)
	case !strings.Contains(text, "no answer"):
		t.Errorf("one that does not run is %s: %s, want \"no answer\" in it", status, text)
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	c, err := config.Load([]string{"max_inflight=1000", "max_request_bytes=8MiB", "max_response_bytes=1MiB"})
	if err != nil {
		t.Fatal(err)
	}
	e := &examiner{Options: Options{Config: c}}
	for limit, want := range map[int64]Status{0: Warn, 1024: Bad, 4159: Bad, 4160: OK, 1 << 20: OK} {
		if f := e.files(limit); f.Status != want {
			t.Errorf("%d open files are %+v, want Status %q", limit, f, want)
		}
	}
	for limit, want := range map[int64]Status{0: OK, 64 << 20: Bad, 1 << 30: Warn, 16 << 30: OK} {
		if f := e.memory(limit); f.Status != want {
			t.Errorf("%d bytes of memory are %+v, want Status %q", limit, f, want)
		}
	}
}

func TestTheMemoryLimitOfTheContainer(t *testing.T) {
	t.Parallel()
	none := errors.New("not there")
	for _, tt := range []struct {
		v2, v1 string // "" for a file that is not there
		want   int64
	}{{"536870912\n", "", 512 << 20}, {"max\n", "", 0}, {"", "1048576\n", 1 << 20}, {"", "9223372036854771712\n", 0}, {"", "", 0}} {
		got := memoryLimit(func(name string) ([]byte, error) {
			text := tt.v1
			if strings.HasSuffix(name, "memory.max") {
				text = tt.v2
			}
			if text == "" {
				return nil, none
			}
			return []byte(text), nil
		})
		if got != tt.want {
			t.Errorf("%q, %q: %d, want %d", tt.v2, tt.v1, got, tt.want)
		}
	}
}

func TestClocksAreComparedAsFarAsASecondTells(t *testing.T) {
	t.Parallel()
	second := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		sent time.Duration // after the second that is reported
		took time.Duration
		want time.Duration
	}{
		{0, 0, 0}, {900 * time.Millisecond, 0, 0}, {-100 * time.Millisecond, 200 * time.Millisecond, 0},
		{3 * time.Second, time.Second, 2 * time.Second}, {-10 * time.Second, time.Second, 9 * time.Second},
	} {
		if got := apart(second, second.Add(tt.sent), tt.took); got != tt.want {
			t.Errorf("sent %s after it, took %s: %s apart, want %s", tt.sent, tt.took, got, tt.want)
		}
	}
}
