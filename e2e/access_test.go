package e2e

// Who may: every operation of the document that the worker serves, asked by
// everybody.

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"queue-worker/internal/testkit"
)

// whoMay are all operations of the worker's document: request lines, and whether they are
// for those alone who may see and change what is stored.
func whoMay(t *testing.T, w *worker) map[string]bool {
	t.Helper()
	code, text := w.ask(t, http.MethodGet, "/openapi.yaml")
	if code != http.StatusOK {
		t.Fatalf("the document is answered %d, want %d", code, http.StatusOK)
	}
	doc, err := openapi3.NewLoader().LoadFromData([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	parameter := regexp.MustCompile(`\{[^}]*\}`)
	all := map[string]bool{}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			line := method + " " + parameter.ReplaceAllString(path, "0198f2a4-7c1e-7b3d-9f60-2a41c5d0e8b7")
			all[line] = op.Security == nil // else it says that it is open
		}
	}
	if len(all) < 30 {
		t.Fatalf("there are only %d operations, want at least 30", len(all))
	}
	return all
}

// asker is a client, and how a guarded operation has to answer it: 0 for
// anything but 401 and 403.
type asker struct {
	name                 string
	edit                 func(*http.Request)
	basic, neither, open int
}

func askers() []asker {
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	right := func(r *http.Request) { r.SetBasicAuth("admin", "correct horse") }
	elsewhere := func(r *http.Request) { r.Host = "queue-worker.openfaas:8081" }
	all := []asker{
		{"somebody on this machine", func(*http.Request) {}, 401, 0, 0},
		{"the wrong password", func(r *http.Request) { r.SetBasicAuth("admin", "correct hors") }, 401, 0, 0},
		{"a token", header("Authorization", "Bearer correct horse"), 401, 0, 0},
		{"credentials in the query", func(r *http.Request) { r.URL.RawQuery = "user=admin&password=correct+horse" }, 401, 0, 0},
		{"the right password", right, 0, 0, 0},
		{"another host", elsewhere, 401, 403, 0},
		{"no host that is local", func(r *http.Request) { r.Host = "127.0.0.1.evil.example" }, 401, 403, 0},
		{"the right password through a proxy", func(r *http.Request) {
			right(r)
			elsewhere(r)
			r.Header.Set("X-Forwarded-For", "10.0.0.1")
		}, 0, 403, 0},
	}
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Anything", "X-Real-Ip", "Via"} {
		all = append(all, asker{"a proxy with " + name, header(name, "10.0.0.1"), 401, 403, 0})
	}
	return all
}

// secretFolder is what OpenFaaS mounts.
func secretFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{"basic-auth-user": "admin", "basic-auth-password": "correct horse"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestWhoMaySeeAndChangeWhatIsStored(t *testing.T) {
	t.Parallel()
	modes := map[string][]string{
		"basic_auth": {"basic_auth=true", "secret_mount_path=" + secretFolder(t)}, "neither": nil, "admin_open": {"admin_open=true"},
	}
	for mode, settings := range modes {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			s := newStand(t, append(settings, "ingest_check=false")...)
			w := s.worker()
			for line, guarded := range whoMay(t, w) {
				for _, who := range askers() {
					want := map[string]int{"basic_auth": who.basic, "neither": who.neither, "admin_open": who.open}[mode]
					if !guarded {
						want = 0
					}
					checkAccess(t, w, line, who, want)
				}
				checkForeign(t, w, line)
			}
		})
	}
}

func checkAccess(t *testing.T, w *worker, line string, who asker, want int) {
	t.Helper()
	method, path, _ := strings.Cut(line, " ")
	code, body := w.ask(t, method, path, who.edit)
	refused := code == http.StatusUnauthorized || code == http.StatusForbidden
	if want == 0 && refused || want != 0 && code != want {
		t.Errorf("%s: %s is answered %d %s", who.name, line, code, body)
	}
	if !refused {
		return
	}
	e := parse(body)
	switch {
	case e.text("error") == "":
		t.Errorf(`%s: %s is refused without its reasons: %s, want error not empty`, who.name, line, body)
	case e.text("reason") == "":
		t.Errorf(`%s: %s is refused without its reasons: %s, want reason not empty`, who.name, line, body)
	case e.text("hint") == "":
		t.Errorf(`%s: %s is refused without its reasons: %s, want hint not empty`, who.name, line, body)
	}
	if code == http.StatusForbidden && (!strings.Contains(body, "basic_auth=true") || !strings.Contains(body, "admin_open=true")) {
		t.Errorf("%s: the refusal of %s does not name both settings: %s", who.name, line, body)
	}
}

// checkForeign asks as a page of another site, with the right credentials.
func checkForeign(t *testing.T, w *worker, line string) {
	t.Helper()
	method, path, _ := strings.Cut(line, " ")
	for name, value := range map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"} {
		code, body := w.ask(t, method, path, func(r *http.Request) {
			r.SetBasicAuth("admin", "correct horse")
			r.Header.Set(name, value)
		})
		if refused := code == http.StatusForbidden && strings.Contains(body, "cross-origin"); refused != (method != http.MethodGet) {
			t.Errorf("a page of another site (%s): %s is answered %d %s: got refused %v, want %v", name, line, code, body, refused, method != http.MethodGet)
		}
	}
}

func TestCredentialsThatChangeHoldWithoutARestart(t *testing.T) {
	t.Parallel()
	dir := secretFolder(t)
	w := newStand(t, "basic_auth=true", "secret_mount_path="+dir).worker()
	if err := os.WriteFile(filepath.Join(dir, "basic-auth-password"), []byte("another"), 0o600); err != nil {
		t.Fatal(err)
	}
	may := func(password string) bool {
		code, _ := w.ask(t, http.MethodGet, "/v1/functions", func(r *http.Request) { r.SetBasicAuth("admin", password) })
		return code == http.StatusOK
	}
	testkit.Eventually(t, "the new password to be taken", func() bool { return may("another") })
	if may("correct horse") {
		t.Error("the old password is taken too")
	}
}

// raw sends bytes and returns what comes back until the worker closes.
func (w *worker) raw(t *testing.T, text string) string {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(w.base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(c, text) // it may be cut off before all is sent
	b, _ := io.ReadAll(c)
	return string(b)
}

func TestHostileRequestsCostThemselvesOnly(t *testing.T) {
	t.Parallel()
	w := newStand(t).worker()
	const end = "\r\nHost: localhost\r\nConnection: close\r\n\r\n"
	for name, tt := range map[string]struct{ text, want string }{
		"a huge header":              {"GET /ping HTTP/1.1\r\nX-Long: " + strings.Repeat("a", 64<<10) + end, "431"},
		"very many fields":           {"GET /ping HTTP/1.1" + strings.Repeat("\r\nX-Y: z", 10_000) + end, "431"},
		"a huge path":                {"GET /" + strings.Repeat("a", 64<<10) + " HTTP/1.1" + end, "431"},
		"no host":                    {"GET /v1/functions HTTP/1.1\r\nConnection: close\r\n\r\n", "400"},
		"two hosts":                  {"GET /v1/functions HTTP/1.1\r\nHost: evil.example" + end, "400"},
		"an absolute URL":            {"GET http://evil.example/v1/functions HTTP/1.1" + end, "403"},
		"two lengths":                {"POST /async-function/fn1 HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2" + end + "xx", "400"},
		"a length below zero":        {"POST /async-function/fn1 HTTP/1.1\r\nContent-Length: -1" + end, "400"},
		"an unknown coding":          {"POST /async-function/fn1 HTTP/1.1\r\nTransfer-Encoding: gzip" + end, "501"},
		"a field without a name":     {"GET /ping HTTP/1.1\r\n: x" + end, "400"},
		"a NUL in a field":           {"GET /ping HTTP/1.1\r\nX-A: a\x00b" + end, "400"},
		"a NUL in the path":          {"GET /v1/functions/a\x00b HTTP/1.1" + end, "400"},
		"an escape that is none":     {"GET /v1/functions/%zz HTTP/1.1" + end, "400"},
		"dots in the path":           {"GET /v1/functions/../dead_set HTTP/1.1" + end, "404"},
		"escaped dots in the path":   {"GET /v1/functions/%2e%2e/dead_set HTTP/1.1" + end, "404"},
		"two slashes":                {"DELETE //v1/dead_set HTTP/1.1" + end, "404"},
		"an unknown method":          {"BREW /v1/functions HTTP/1.1" + end, "405"},
		"TRACE":                      {"TRACE /v1/functions HTTP/1.1" + end, "405"},
		"OPTIONS *":                  {"OPTIONS * HTTP/1.1" + end, "404"},
		"another protocol":           {"GET /ping SMTP/1.1" + end, "400"},
		"HTTP/2 without agreement":   {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "4"},
		"TLS where none is spoken":   {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + strings.Repeat("\x00", 600) + "\r\n\r\n", "400"},
		"nothing but line ends":      {strings.Repeat("\r\n", 10_000), "400"},
		"a body where there is none": {"GET /v1/functions HTTP/1.1\r\nContent-Length: 5" + end + "hello", "200"},
	} {
		got := w.raw(t, tt.text)
		status, _, _ := strings.Cut(strings.TrimPrefix(got, "HTTP/1.1 "), " ")
		if !strings.HasPrefix(status, tt.want) {
			t.Errorf("%s is answered %.200q, want %s", name, got, tt.want)
		}
	}
	if code, _ := w.ask(t, http.MethodGet, "/ping"); code != http.StatusOK {
		t.Errorf("afterwards /ping is answered %d, want %d", code, http.StatusOK)
	}
	w.untouched(t)
}

func TestWhoTricklesIsCutAndOthersAreServed(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	w := s.worker()
	var cut []chan time.Duration
	for n := range 50 {
		c, err := net.Dial("tcp", strings.TrimPrefix(w.base, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		over := make(chan time.Duration, 1)
		cut = append(cut, over)
		begun := time.Now()
		go func() { // reading ends when the worker closes
			_, _ = io.Copy(io.Discard, bufio.NewReader(c))
			over <- time.Since(begun)
		}()
		go func() {
			defer c.Close()
			_, err := fmt.Fprintf(c, "POST /async-function/fn%d HTTP/1.1\r\nHost: localhost\r\n", n)
			for tick := time.NewTicker(200 * time.Millisecond); err == nil; <-tick.C {
				_, err = io.WriteString(c, "X-Slow: 1\r\n")
			}
		}()
	}
	m := w.submit(t, "/async-function/fn1", "")
	w.next(t, m, "done")
	for _, over := range cut {
		select {
		case took := <-over:
			if took < 4*time.Second {
				t.Errorf("it was cut after %s, want at least %v", took, 4*time.Second)
			}
		case <-time.After(patience):
			t.Fatal("it is not cut")
		}
	}
	if c := w.idle(t); c.accepted != 1 {
		t.Errorf("the counts are %+v, want accepted 1", c)
	}
}
