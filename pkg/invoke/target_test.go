package invoke

import (
	"bufio"
	"bytes"
	"errors"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"strings"
	"testing"

	"queue-worker/pkg/invocation"
)

func TestTarget(t *testing.T) {
	t.Parallel()
	gw := &url.URL{Scheme: "http", Host: "gw:8080"}
	tests := []struct{ name, function, path, query, want string }{
		{"a name alone", "f", "", "", "/function/f/"},
		{"a name with a namespace", "f.openfaas-fn", "/", "", "/function/f.openfaas-fn/"},
		{"a path and a query", "f", "/a/b", "x=1&y=%20;z", "/function/f/a/b?x=1&y=%20;z"},
		{"a slash at the end", "f", "/a/", "", "/function/f/a/"},
		{"an encoded path stays as it is", "f", "/a%2Fb%20c%e2%82%ac", "", "/function/f/a%2Fb%20c%e2%82%ac"},
		{"marks that net/url would encode stay too", "f", "/!'()*[x]~:@;,=+$&", "", "/function/f/!'()*[x]~:@;,=+$&"},
		{"a decoded path is encoded", "f", "/a b/ä", "", "/function/f/a%20b/%C3%A4"},
		{"a percent sign that begins no escape", "f", "/100%/%zz%41 x", "", "/function/f/100%25/%25zz%2541%20x"},
		{"a question mark belongs to the path", "f", "/a?b#c", "", "/function/f/a%3Fb%23c"},
		{"control characters in a path are encoded", "f", "/a\r\nX: y\x00", "", "/function/f/a%0D%0AX:%20y%00"},
		{"bytes that are no UTF-8", "f", "/\xff", "", "/function/f/%FF"},
		{"a backslash", "f", `/a\b`, "", "/function/f/a%5Cb"},
		{"dots that are names", "f", "/.well-known/a..b/...", "", "/function/f/.well-known/a..b/..."},
		{"dots in the query", "f", "/", "a=../..&b=//", "/function/f/?a=../..&b=//"},
		{"more than ASCII in the query", "f", "/", "a=ä", "/function/f/?a=ä"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			u, err := target(gw, tt.function, tt.path, tt.query)
			if err != nil {
				t.Fatal(err)
			}
			if u.RequestURI() != tt.want || u.Host != gw.Host || u.Scheme != "http" {
				t.Errorf("target is %s, want %s", u, tt.want)
			}
		})
	}
}

func TestTargetRefuses(t *testing.T) {
	t.Parallel()
	gw := &url.URL{Scheme: "http", Host: "gw:8080"}
	tests := []struct {
		name, function, path, query string
		want                        error
	}{
		{"no name", "", "/", "", errName},
		{"a name with a slash", "a/b", "/", "", errName},
		{"a name of dots", "..", "/", "", errName},
		{"a name with a query", "f?x", "/", "", errName},
		{"a name with an escape", "f%2f", "/", "", errName},
		{"a path without a slash", "f", "x", "", invocation.ErrPathSlash},
		{"userinfo", "f", "@evil/", "", invocation.ErrPathSlash},
		{"an absolute form", "f", "http://evil/", "", invocation.ErrPathSlash},
		{"a port", "f", ":99/", "", invocation.ErrPathSlash},
		{"a network path", "f", "//evil/", "", invocation.ErrPathSegment},
		{"an empty segment", "f", "/a//b", "", invocation.ErrPathSegment},
		{"an encoded empty segment", "f", "/a%2f/b", "", invocation.ErrPathSegment},
		{"a step up", "f", "/../g", "", invocation.ErrPathDots},
		{"a step up at the end", "f", "/a/..", "", invocation.ErrPathDots},
		{"a dot", "f", "/a/./b", "", invocation.ErrPathDots},
		{"encoded dots", "f", "/%2e%2E/g", "", invocation.ErrPathDots},
		{"half encoded dots", "f", "/.%2e/g", "", invocation.ErrPathDots},
		{"an encoded slash after dots", "f", "/..%2fg", "", invocation.ErrPathDots},
		{"an encoded slash before dots", "f", "/a%2f..", "", invocation.ErrPathDots},
		{"encoded twice", "f", "/%252e%252e/g", "", invocation.ErrPathDots},
		{"encoded three times", "f", "/%25252e%25252e/g", "", invocation.ErrPathDots},
		{"encoded beside what is not", "f", "/%2e%2e/%zz", "", invocation.ErrPathDots},
		{"backslashes", "f", `/a\..\..\system`, "", invocation.ErrPathDots},
		{"encoded backslashes", "f", "/a%5c..%5c", "", invocation.ErrPathDots},
		{"a space in the query", "f", "/", "a=b c", errQuery},
		{"a line end in the query", "f", "/", "a\r\nX: y", errQuery},
		{"a NUL in the query", "f", "/", "a\x00", errQuery},
		{"a DEL in the query", "f", "/", "a\x7f", errQuery},
		{"a path that is too long", "f", "/" + strings.Repeat("a", maxTarget), "", errLong},
		{"a query that is too long", "f", "/", strings.Repeat("a", maxTarget), errLong},
	}
	c := newClient(t, "127.0.0.1:1", nil)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if u, err := target(gw, tt.function, tt.path, tt.query); !errors.Is(err, tt.want) {
				t.Errorf("target is %v, %v, want %v", u, err, tt.want)
			}
			call := callOf(t, "x")
			call.Request.Function, call.Request.Path, call.Request.QueryString = tt.function, tt.path, tt.query
			switch r := c.Function(t.Context(), call); {
			case !r.Malformed:
				t.Errorf("result is %+v: r.Malformed = false, want true", r)
			case r.Status != 0:
				t.Errorf("result is %+v, want Status 0", r)
			case r.Cause != "":
				t.Errorf("result is %+v, want Cause \"\"", r)
			case r.Detail != tt.want.Error():
				t.Errorf("result is %+v, want Detail %q", r, tt.want.Error())
			}
		})
	}
}

// gatewayRoute finds the function in a path as the gateway's router does.
var gatewayRoute = regexp.MustCompile(`^/function/([-a-zA-Z_0-9.]+)(/.*)?$`)

// FuzzTarget lets a caller choose everything, and reads the request as the gateway
// would: it must be one of this function, at this gateway, that no router rewrites.
func FuzzTarget(f *testing.F) {
	f.Add("f", "/a/b", "x=1", "")
	f.Add("f.ns", "/..%2fsystem", "a b", "/base")
	f.Add("f", "//evil/", "?", "/")
	f.Add("f", "@evil/", "#", "/b%2fc/")
	f.Add("f", "/%252e%252e\\x", "\r\nHost: evil", "")
	f.Add("../system", "/100%", "", "")
	f.Fuzz(func(t *testing.T, function, p, query, prefix string) {
		if prefix != "" && (prefix[0] != '/' || prefix != path.Clean(prefix) || strings.Contains(prefix, "%")) {
			prefix = ""
		}
		c := New(Options{Gateway: &url.URL{Scheme: "http", Host: "gw:8080", Path: prefix}})
		u, err := target(c.gateway, function, p, query)
		if err != nil {
			return
		}
		var wire bytes.Buffer
		req := &http.Request{Method: http.MethodPost, URL: u, Header: http.Header{}}
		if err := req.Write(&wire); err != nil {
			t.Fatalf("%s cannot be written: %v, want nil", u, err)
		}
		got, err := http.ReadRequest(bufio.NewReader(&wire))
		if err != nil {
			t.Fatalf("%s cannot be read: %v, want nil", u, err)
		}
		if got.Host != "gw:8080" || got.URL.Host != "" || got.URL.RawQuery != query || wire.Len() != 0 && strings.Contains(wire.String(), "POST") {
			t.Fatalf("host %q, query %q, want %q", got.Host, got.URL.RawQuery, query)
		}
		rest, ok := strings.CutPrefix(got.URL.Path, c.gateway.Path)
		m := gatewayRoute.FindStringSubmatch(strings.ReplaceAll(rest, "\n", ""))
		if !ok || m == nil || m[1] != function {
			t.Fatalf("%q leads to %q, want %q", got.URL.Path, m, function)
		}
		if clean := path.Clean(rest); clean != strings.TrimSuffix(rest, "/") {
			t.Fatalf("a router would make %q of %q, want %q", clean, rest, strings.TrimSuffix(rest, "/"))
		}
		if _, encoded, _ := invocation.SafePath(p); encoded == p && !strings.HasSuffix(u.EscapedPath(), p) {
			t.Fatalf("%q was sent as %q", p, u.EscapedPath())
		}
	})
}
