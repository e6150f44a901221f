package dev

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/openfaas/faas-provider/types"
)

// echo is a function that answers what it was called with.
func echo(t *testing.T) Function {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Got-Call-Id", r.Header.Get("X-Call-Id"))
		w.Header().Set("X-Got-Start-Times", fmt.Sprint(len(r.Header.Values("X-Start-Time"))))
		fmt.Fprintf(w, "%s %s %s", r.Method, r.RequestURI, body)
	}))
	t.Cleanup(s.Close)
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	return Function{URL: u, Annotations: map[string]string{"com.openfaas.retry.attempts": "3"}}
}

func TestGatewayCallsFunctions(t *testing.T) {
	t.Parallel()
	gw := startStand(t, func(o *Options) {
		o.Functions = Functions{"echo": echo(t), "echo.staging": echo(t)}
	}).GatewayURL()
	tests := []struct {
		name, method, target string
		status               int
		body                 string
	}{
		{"the root", "POST", "/function/echo", 200, "POST / b"},
		{"a trailing slash", "POST", "/function/echo/", 200, "POST / b"},
		{"a path and a query", "PUT", "/function/echo/a/b?x=1&x=2", 200, "PUT /a/b?x=1&x=2 b"},
		{"an escaped path stays escaped", "POST", "/function/echo/a%2Fb%20c", 200, "POST /a%2Fb%20c b"},
		{"a path that is not clean stays so", "POST", "/function/echo//a/../b", 200, "POST //a/../b b"},
		{"the name with the default namespace", "POST", "/function/echo.openfaas-fn/x", 200, "POST /x b"},
		{"the name with another namespace", "POST", "/function/echo.staging", 200, "POST / b"},
		{"a namespace that has no such function", "POST", "/function/echo.nowhere", 404, "no function named echo.nowhere\n"},
		{"an unknown function", "POST", "/function/nope", 404, "no function named nope\n"},
		{"no name", "POST", "/function/", 404, "404 page not found\n"},
		{"a name that is none", "POST", "/function/a%20b", 404, "404 page not found\n"},
		{"another path", "GET", "/nope", 404, "404 page not found\n"},
		{"its health", "GET", "/healthz", 200, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := must(t, tt.method, gw, tt.target, "b")
			if got.status != tt.status || got.body != tt.body {
				t.Errorf("answers %d %q, want %d %q", got.status, got.body, tt.status, tt.body)
			}
		})
	}
}

func TestGatewayGivesEveryCallAnIDAndAStartTime(t *testing.T) {
	t.Parallel()
	gw := startStand(t, func(o *Options) { o.Functions = Functions{"echo": echo(t)} }).GatewayURL()

	got := must(t, "POST", gw, "/function/echo", "")
	id := got.header.Get("X-Call-Id")
	switch parsed, err := uuid.Parse(id); {
	case err != nil:
		t.Errorf("the caller gets id %q (%v), the function %q, want no error", id, err, got.header.Get("X-Got-Call-Id"))
	case parsed.Version() != 4:
		t.Errorf("the caller gets id %q (%v), the function %q, want version 4", id, err, got.header.Get("X-Got-Call-Id"))
	case got.header.Get("X-Got-Call-Id") != id:
		t.Errorf("the caller gets id %q (%v), the function %q, want X-Got-Call-Id %v", id, err, got.header.Get("X-Got-Call-Id"), id)
	}
	if len(got.header.Get("X-Start-Time")) != 19 {
		t.Errorf("start time is %q, want nanoseconds", got.header.Get("X-Start-Time"))
	}
	got = must(t, "POST", gw, "/function/echo", "", "X-Call-Id: mine", "X-Start-Time: 1")
	switch {
	case got.header.Get("X-Got-Call-Id") != "mine":
		t.Errorf(`a caller's id reaches the function as %q and is answered as %q, want X-Got-Call-Id "mine"`, got.header.Get("X-Got-Call-Id"), got.header.Values("X-Call-Id"))
	case got.header.Values("X-Call-Id") != nil:
		t.Errorf(`a caller's id reaches the function as %q and is answered as %q, want got.header.Values("X-Call-Id") nil`, got.header.Get("X-Got-Call-Id"), got.header.Values("X-Call-Id"))
	}
	if got.header.Get("X-Got-Start-Times") != "2" {
		t.Errorf("the function sees %s start times, want the caller's and the gateway's", got.header.Get("X-Got-Start-Times"))
	}
}

func TestGatewayAnswers502WhenTheFunctionDoesNot(t *testing.T) {
	t.Parallel()
	s := startStand(t, func(o *Options) {
		closed := &url.URL{Scheme: "http", Host: fmt.Sprintf("127.0.0.1:%d", freePort(t))}
		o.Functions = Functions{"closed": {URL: closed}}
	})
	switch got := must(t, "POST", s.GatewayURL(), "/function/closed", ""); {
	case got.status != 502:
		t.Errorf("a function that does not listen: %d %q: got.status = %d, want 502", got.status, got.body, got.status)
	case got.body != "":
		t.Errorf("a function that does not listen: %d %q: got.body = %q, want \"\"", got.status, got.body, got.body)
	}
	must(t, "POST", s.GatewayURL(), "/function/chaos-fn/set", `{"status":0}`)
	switch got := must(t, "POST", s.GatewayURL(), "/function/chaos-fn", "x"); {
	case got.status != 502:
		t.Errorf("a function that breaks the connection: %d %q: got.status = %d, want 502", got.status, got.body, got.status)
	case got.body != "":
		t.Errorf("a function that breaks the connection: %d %q: got.body = %q, want \"\"", got.status, got.body, got.body)
	}
}

func TestGatewayTellsAboutFunctions(t *testing.T) {
	t.Parallel()
	gw := startStand(t, func(o *Options) {
		o.Functions = Functions{"echo": echo(t), "echo.staging": {URL: &url.URL{Scheme: "http", Host: "127.0.0.1:1"}}}
	}).GatewayURL()
	tests := []struct {
		name, target    string
		status          int
		fn, ns, retries string
	}{
		{"by its name", "/system/function/echo", 200, "echo", "openfaas-fn", "3"},
		{"by its name and the default namespace", "/system/function/echo?namespace=openfaas-fn", 200, "echo", "openfaas-fn", "3"},
		{"by the long form", "/system/function/echo.openfaas-fn", 200, "echo", "openfaas-fn", "3"},
		{"by the long form and the namespace", "/system/function/echo.openfaas-fn?namespace=openfaas-fn", 200, "echo", "openfaas-fn", "3"},
		{"in another namespace", "/system/function/echo?namespace=staging", 200, "echo", "staging", ""},
		{"the chaos function", "/system/function/chaos-fn", 200, "chaos-fn", "openfaas-fn", ""},
		{"an unknown one", "/system/function/nope", 404, "", "", ""},
		{"an unknown namespace", "/system/function/echo?namespace=nowhere", 404, "", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := must(t, "GET", gw, tt.target, "")
			if got.status != tt.status {
				t.Fatalf("answers %d, want %d", got.status, tt.status)
			}
			if tt.status != 200 {
				return
			}
			var s types.FunctionStatus
			if err := json.Unmarshal([]byte(got.body), &s); err != nil {
				t.Fatal(err)
			}
			switch {
			case s.Name != tt.fn:
				t.Errorf("answers %+v, want Name %q", s, tt.fn)
			case s.Namespace != tt.ns:
				t.Errorf("answers %+v, want Namespace %q", s, tt.ns)
			case s.Annotations == nil:
				t.Errorf("answers %+v, want Annotations not nil", s)
			case (*s.Annotations)["com.openfaas.retry.attempts"] != tt.retries:
				t.Errorf("answers %+v: (*s.Annotations)[\"com.openfaas.retry.attempts\"] = %q, want %q", s, (*s.Annotations)["com.openfaas.retry.attempts"], tt.retries)
			}
		})
	}
	t.Run("the list of a namespace", func(t *testing.T) {
		t.Parallel()
		for target, want := range map[string][]string{
			"/system/functions":                       {"chaos-fn", "echo"},
			"/system/functions?namespace=openfaas-fn": {"chaos-fn", "echo"},
			"/system/functions?namespace=staging":     {"echo"},
			"/system/functions?namespace=nowhere":     {},
		} {
			var list []types.FunctionStatus
			if err := json.Unmarshal([]byte(must(t, "GET", gw, target, "").body), &list); err != nil {
				t.Fatal(err)
			}
			got := []string{}
			for _, s := range list {
				got = append(got, s.Name)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("%s (-want +got):\n%s", target, d)
			}
		}
	})
}

func TestStartRefusesInOneLine(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	port := fmt.Sprint(taken.Addr().(*net.TCPAddr).Port)
	tests := []struct {
		name   string
		change func(*Options)
		want   []string
	}{
		{"a taken gateway port", func(o *Options) { o.Gateway = taken.Addr().String() }, []string{"gateway", port, FlagGatewayListen, "address already in use"}},
		{"a taken chaos port", func(o *Options) { o.Chaos = taken.Addr().String() }, []string{"chaos function", port, FlagChaosListen}},
		{"every interface", func(o *Options) { o.Gateway = ":8080" }, []string{"no authentication", FlagGatewayListen}},
		{"another interface", func(o *Options) { o.Chaos = "192.0.2.1:8080" }, []string{"no authentication", FlagChaosListen}},
		{"no address", func(o *Options) { o.Gateway = "here" }, []string{`"here"`, FlagGatewayListen}},
		{"a function without address", func(o *Options) { o.Functions = Functions{"f": {}} }, []string{"--function f="}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := Options{Gateway: "127.0.0.1:0", Chaos: "127.0.0.1:0", Logger: discard()}
			tt.change(&o)
			s, err := Start(t.Context(), o)
			if err == nil {
				_ = s.Close()
				t.Fatal("it starts")
			}
			for _, w := range tt.want {
				if !strings.Contains(err.Error(), w) || strings.Contains(err.Error(), "\n") {
					t.Errorf("error is %q, want one line with %q", err, w)
				}
			}
		})
	}
}

func TestCloseEndsCallsThatRun(t *testing.T) {
	t.Parallel()
	s := startStand(t, nil)
	must(t, "POST", s.GatewayURL(), "/function/chaos-fn/set", `{"delay":"1h"}`)
	called := make(chan error, 1)
	go func() {
		_, err := do(t, "POST", s.GatewayURL(), "/function/chaos-fn", "x")
		called <- err
	}()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-called; err == nil {
		t.Errorf("the call was answered: err = %v, want an error", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("the second Close is %v, want nil", err)
	}
}

func TestEveryOtherCallbackIsTaken(t *testing.T) {
	t.Parallel()
	gw := startStand(t, nil).GatewayURL()
	for n, want := range []int{400, 200, 400, 200} {
		switch r := must(t, http.MethodPost, gw, "/function/callback-service", `{"message":"hello"}`); {
		case r.status != want:
			t.Errorf("callback %d is answered %d %q: r.status = %d, want %d", n, r.status, r.body, r.status, want)
		case r.body == "":
			t.Errorf("callback %d is answered %d %q: r.body = %q, want not \"\"", n, r.status, r.body, r.body)
		}
	}
}
