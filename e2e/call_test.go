package e2e

// How a function is called.

import (
	"bytes"
	"crypto/sha256"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// once runs one call through a worker and returns what the gateway saw.
func once(t *testing.T, s *stand, m *message) asked {
	t.Helper()
	w := s.worker()
	s.broker.publish(t, m)
	w.next(t, m, "done")
	calls := s.gateway.all()
	if len(calls) != 1 {
		t.Fatalf("there were %d calls, want 1 call", len(calls))
	}
	return calls[0]
}

func TestACallIsWhatTheCallerSent(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	m := call("figlet.openfaas-fn", "hello", with("Authorization", "Bearer abc"), with("X-Two", "a", "b"),
		with("X-Callback-Url", s.gateway.url()+"/callback"), func(m *message) {
			m.Path, m.QueryString, m.Method = "/v1/job", "user=1&user=2", http.MethodGet
		})
	w := s.worker()
	s.broker.publish(t, m)
	w.next(t, m, "done")
	got := s.gateway.all()[0]
	switch {
	case got.Method != http.MethodPost:
		t.Errorf("the call was %s %s at %s, want method %v", got.Method, got.URI, got.Host, http.MethodPost)
	case got.URI != "/function/figlet.openfaas-fn/v1/job?user=1&user=2":
		t.Errorf(`the call was %s %s at %s, want URI "/function/figlet.openfaas-fn/v1/job?user=1&user=2"`, got.Method, got.URI, got.Host)
	case got.Host != s.gateway.addr:
		t.Errorf("the call was %s %s at %s, want host %v", got.Method, got.URI, got.Host, s.gateway.addr)
	}
	switch {
	case string(got.Body) != "hello":
		t.Errorf(`the body was %q, its length %q, want body "hello"`, got.Body, got.Header.Get("Content-Length"))
	case got.Header.Get("Content-Length") != "5":
		t.Errorf(`the body was %q, its length %q, want Content-Length "5"`, got.Body, got.Header.Get("Content-Length"))
	}
	for _, name := range []string{"Accept", "Content-Type", "User-Agent", "X-Call-Id", "X-Start-Time", "Authorization", "X-Two", "X-Callback-Url"} {
		if !slices.Equal(got.Header[name], m.Header[name]) {
			t.Errorf("%s is %q, the caller sent %q, want %v", name, got.Header[name], m.Header[name], m.Header[name])
		}
	}
	for name, want := range map[string]string{"X-Retry": "0", "X-Retry-Max": "10"} {
		if got.Header.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, got.Header.Get(name), want)
		}
	}
	for name := range got.Header {
		if m.Header[name] == nil && !slices.Contains([]string{"X-Retry", "X-Retry-Max", "Idempotency-Key"}, name) {
			t.Errorf("no client sent %s: %q", name, got.Header[name])
		}
	}
}

func TestWhatBelongsToTheCallersConnectionIsNotPassedOn(t *testing.T) {
	t.Parallel()
	m := call("fn1", "hello", with("Connection", "close, X-Hop"), with("X-Hop", "1"), with("Keep-Alive", "timeout=1"),
		with("Te", "trailers"), with("Trailer", "X"), with("Transfer-Encoding", "chunked"), with("Upgrade", "websocket"),
		with("Proxy-Authorization", "Basic eA=="), with("Expect", "100-continue"), with("Host", "evil.example"), with("Content-Length", "99"),
		with("Proxy", "http://evil.example"), with("Transfer_Encoding", "chunked"), with("Content.Length", "99"))
	got := once(t, newStand(t), m)
	for _, name := range []string{"X-Hop", "Keep-Alive", "Te", "Trailer", "Upgrade", "Proxy-Authorization", "Expect", "Connection", "Transfer-Encoding", "Proxy", "Transfer_encoding", "Content.length"} {
		if got.Header[name] != nil {
			t.Errorf("%s is passed on: %q, want nil", name, got.Header[name])
		}
	}
	switch {
	case string(got.Body) != "hello":
		t.Errorf(`the body is %q, the host %s, want body "hello"`, got.Body, got.Host)
	case strings.Contains(got.Host, "evil"):
		t.Errorf(`the body is %q, the host %s, want no "evil" in it`, got.Body, got.Host)
	}
}

func TestACallerCannotForgeWhatTheWorkerTells(t *testing.T) {
	t.Parallel()
	got := once(t, newStand(t), call("fn1", "", with("X-Retry", "9"), with("X_Retry", "9"), with("X-Retry-Max", "99"), with("x-retry", "7")))
	switch {
	case !slices.Equal(got.Header["X-Retry"], []string{"0"}):
		t.Errorf("the header is %v, want %v", got.Header, []string{"0"})
	case !slices.Equal(got.Header["X-Retry-Max"], []string{"10"}):
		t.Errorf("the header is %v, want %v", got.Header, []string{"10"})
	case got.Header["X_retry"] != nil:
		t.Errorf(`the header is %v, want got.Header["X_retry"] nil`, got.Header)
	}
}

// Servers that make environment variables of fields take X_Call_Id for X-Call-Id.
func TestAFunctionSeesTheWorkersOwnValuesOnly(t *testing.T) {
	t.Parallel()
	const forged = "forged"
	got := once(t, newStand(t), call("fn1", "", with("X-Deadline", forged), with("X-Timeout", forged), with("X-OpenFaaS-Internal", forged),
		with("X_Call_Id", forged), with("X_Retries", forged), with("X_Deadline", forged), with("X.Timeout", forged), with("Idempotency_Key", forged),
		with("X_Tenant", "mine"), with("X-Retries", "3")))
	for name, values := range got.Header {
		if slices.Contains(values, forged) {
			t.Errorf("%s is passed on: got %v, want no %v in it", name, values, forged)
		}
	}
	switch {
	case got.Header.Get("X_Tenant") != "mine":
		t.Errorf(`what is the caller's own does not arrive: %v, want X_Tenant "mine"`, got.Header)
	case got.Header.Get("X-Retries") != "3":
		t.Errorf(`what is the caller's own does not arrive: %v, want X-Retries "3"`, got.Header)
	}
}

func TestTheCallersOwnIdempotencyKeyIsKept(t *testing.T) {
	t.Parallel()
	if got := once(t, newStand(t), call("fn1", "", with("Idempotency-Key", "mine"))); got.Header.Get("Idempotency-Key") != "mine" {
		t.Errorf(`the Idempotency-Key is %q, want "mine"`, got.Header.Get("Idempotency-Key"))
	}
}

func TestWithoutAUserAgentTheWorkerNamesItself(t *testing.T) {
	t.Parallel()
	got := once(t, newStand(t), call("fn1", "", func(m *message) { delete(m.Header, "User-Agent") }))
	if ua := got.Header.Get("User-Agent"); ua != "queue-worker/"+version {
		t.Errorf("the User-Agent is %q, want %v", ua, "queue-worker/"+version)
	}
}

func TestABodyOfAnyBytesArrivesWhole(t *testing.T) {
	t.Parallel()
	random := rand.NewChaCha8([32]byte{1})
	for _, size := range []int{1, 2, 3, 255_999} {
		body := make([]byte, size)
		_, _ = random.Read(body)
		got := once(t, newStand(t), call("fn1", string(body)))
		if sha256.Sum256(got.Body) != sha256.Sum256(body) {
			t.Errorf("of %d bytes %d arrived, the same: %v, want the same", size, len(got.Body), bytes.Equal(got.Body, body))
		}
	}
}

func TestABodyOf8MiBArrivesWhole(t *testing.T) {
	t.Parallel()
	body := strings.Repeat("01234567", 1<<20)
	s := newStand(t)
	w := s.worker()
	s.broker.publishRaw(t, encode(t, call("fn1", body)))
	got := s.gateway.awaitDone(t, 1)[0]
	if string(got.Body) != body {
		t.Errorf("%d bytes arrived, want the %d that were sent", len(got.Body), len(body))
	}
	w.idle(t)
}

func TestARedirectOfTheFunctionIsItsAnswer(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	elsewhere := newStub(t)
	s.gateway.tell(always(answer{Status: http.StatusFound, Header: http.Header{"Location": {elsewhere.url()}}}))
	once(t, s, call("fn1", ""))
	if n := len(elsewhere.all()); n != 0 {
		t.Errorf("the redirect was followed %d times, want 0", n)
	}
}

// TestNothingIsLostBehindALoginPage: what is before the gateway redirects each call, until the operator has corrected that.
func TestNothingIsLostBehindALoginPage(t *testing.T) {
	t.Parallel()
	s := newStand(t, "initial_retry_wait=10ms", "max_retry_wait=20ms", "max_retry_attempts=1000")
	s.gateway.tell(always(answer{Status: http.StatusFound, Header: http.Header{"Location": {"https://login.example/"}}, Before: true}))
	w := s.worker()
	calls := make([]*message, 20)
	for i := range calls {
		calls[i] = call("fn1", "")
		s.broker.publish(t, calls[i])
	}
	s.gateway.await(t, 20) // when the breaker opens
	s.gateway.tell(always(answer{}))
	for _, m := range calls {
		s.gateway.awaitThat(t, "the call that comes to the function", func(all []asked) bool {
			return slices.ContainsFunc(all, func(a asked) bool { return a.callID() == id(m) && a.Status == http.StatusOK })
		})
	}
	w.idle(t)
}

func TestTheSettingsOfTheCommunityWorkerFindTheGateway(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	host, port, _ := strings.Cut(s.gateway.addr, ":")
	s.env = append(s.env, "gateway_url=", "faas_gateway_address="+host, "faas_gateway_port="+port)
	once(t, s, call("fn1", ""))
}

func TestM23_AGatewayURLMayEndInASlash(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.env = append(s.env, "gateway_url="+s.gateway.url()+"/")
	if got := once(t, s, call("fn1", "")); got.URI != "/function/fn1/" {
		t.Errorf(`the call was at %s, want "/function/fn1/"`, got.URI)
	}
}
