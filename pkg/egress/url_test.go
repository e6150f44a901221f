// CheckURL: forms that pass and forms that do not, and that errors keep secrets.

package egress

import (
	"errors"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
)

func TestCheckURLAccepts(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, raw, host string }{
		{"a plain one", "http://hooks.example/done", "hooks.example"},
		{"https with a port", "https://hooks.example:8443/", "hooks.example:8443"},
		{"the highest port", "http://hooks.example:65535", "hooks.example:65535"},
		{"a scheme in capitals", "HTTPS://hooks.example/", "hooks.example"},
		{"credentials, query and fragment", "http://user:p@ss@gw.openfaas:8080/function/next?k=v&x=%20#frag", "gw.openfaas:8080"},
		{"a single label", "http://gateway:8080", "gateway:8080"},
		{"an underscore", "http://my_service/", "my_service"},
		{"an address", "http://10.1.2.3/", "10.1.2.3"},
		{"an address of IPv6", "http://[2a00:1450::1]:80/", "[2a00:1450::1]:80"},
		{"a dot at the end", "http://hooks.example./", "hooks.example."},
		{"an empty port", "http://hooks.example:/", "hooks.example:"},
		{"letters beyond ASCII, in DNS form", "http://Bücher.example:8080/", "xn--bcher-kva.example:8080"},
		{"letters beyond ASCII, no port", "http://例え.example/", "xn--r8jz45g.example"},
		{"digits beyond ASCII are the address they fold to", "http://１０.１.２.３:80/", "10.1.2.3:80"},
		{"a label with digits", "http://3com.4u2/", "3com.4u2"},
		{"escapes in the path", "http://hooks.example/a%0d%0a%2f", "hooks.example"},
		{"as long as it may be", "http://h/" + strings.Repeat("a", MaxURL-len("http://h/")), "h"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			u, err := newGuard(t, Options{}).CheckURL(tt.raw)
			if err != nil {
				t.Fatal(err)
			}
			if u.Host != tt.host {
				t.Errorf("host is %q, want %q", u.Host, tt.host)
			}
			if want := mustURL(tt.raw); u.User.String() != want.User.String() || u.RequestURI() != want.RequestURI() {
				t.Errorf("it is %v, want %v", u, want)
			}
		})
	}
}

func TestCheckURLRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, raw string
		want      error
	}{
		{"too long", "http://h/" + strings.Repeat("a", MaxURL), errTooLong},
		{"a line end", "http://h/\nHost: x", errControl},
		{"a NUL", "http://h/\x00", errControl},
		{"DEL", "http://h/\x7f", errControl},
		{"nothing", "", errScheme},
		{"no scheme", "//hooks.example/", errScheme},
		{"another scheme", "ftp://hooks.example/", errScheme},
		{"a broken escape", "http://hooks.example/%zz", errNotURL},
		{"an escaped ASCII letter in the host", "http://%61.example/", errNotURL},
		{"a word as port", "http://hooks.example:http/", errNotURL},
		{"a negative port", "http://hooks.example:-1/", errNotURL},
		{"port 0", "http://hooks.example:0/", errBadPort},
		{"port 65536", "http://hooks.example:65536/", errBadPort},
		{"a port beyond 64 bits", "http://hooks.example:99999999999999999999/", errBadPort},
		{"no host", "http:///x", errNoHost},
		{"only a port", "http://:80/", errNoHost},
		{"only credentials", "http://user:pw@/", errNoHost},
		{"opaque", "http:hooks.example", errNoHost},
		{"a zone", "http://[fe80::1%25eth0]/", errBadHost},
		{"a number", "http://2130706433/", errBadHost},
		{"a hexadecimal number", "http://0x7f000001/", errBadHost},
		{"an octal address", "http://0177.0.0.1/", errBadHost},
		{"a short address", "http://127.1/", errBadHost},
		{"an address with a dot at its end", "http://127.0.0.1./", errBadHost},
		{"digits beyond ASCII that fold to a number", "http://２１３０７０６４３３/", errBadHost},
		{"signs in the host", "http://a$b/", errBadHost},
		{"two dots", "http://a..b/", errBadHost},
		{"only a dot", "http://./", errBadHost},
		{"a host that is too long", "http://" + strings.Repeat("a.", 127) + "a/", errBadHost},
		{"letters that the DNS does not allow", "http://a\u200bb\u2028.example/", errBadHost},
		{"bytes that are no letters", "http://\xff\xfe.example/", errBadHost},
		{"a space in the query", "http://hooks.example/?a b", errBadQuery},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			u, err := newGuard(t, Options{}).CheckURL(tt.raw)
			wantRefused(t, tt.raw, err)
			if u != nil || !errors.Is(err, tt.want) {
				t.Errorf("it is %v, %v; want %v", u, err, tt.want)
			}
		})
	}
}

func TestErrorsRepeatNothingOfTheURL(t *testing.T) {
	t.Parallel()
	const secret = "CANARY"
	g := newGuard(t, Options{Resolver: newResolver(t, everything("127.0.0.1"))})
	for _, raw := range []string{
		"http://CANARY:CANARY@127.1/CANARY?CANARY#CANARY",
		"http://user:CANARY@ho st/",
		"http://user:CANARY@h:99999/CANARY",
		"CANARY://h/", "http://h/%zzCANARY", "http://CANARY:CANARY@/",
		"http://user:CANARY@h/\x00", "http://h/?CANARY x", "http://h/CANARY" + strings.Repeat("x", MaxURL),
	} {
		_, err := g.CheckURL(raw)
		switch {
		case err == nil:
			t.Errorf("%q: error is %v, want an error", raw, err)
		case strings.Contains(err.Error(), secret):
			t.Errorf("%q: error is %v: err.Error() = %q, want no %q in it", raw, err, err.Error(), secret)
		}
	}
	u, err := g.CheckURL("http://CANARY:CANARY@hooks.example/CANARY?CANARY")
	if err != nil {
		t.Fatal(err)
	}
	switch err := dial(t, g, u.Host+":80"); {
	case err == nil:
		t.Errorf("dial: error is %v, want an error", err)
	case strings.Contains(err.Error(), secret):
		t.Errorf("dial: error is %v, want no %q in it", err, secret)
	}
}

func FuzzCheckURL(f *testing.F) {
	for _, v := range vectors {
		f.Add(strings.ReplaceAll(v, "PORT", "8080"))
	}
	f.Add("http://user:p@ss@gw.openfaas:8080/function/next?k=v#frag")
	f.Add("http://Bücher.example:8080/")
	f.Add("https://[2a00:1450::1]/")
	known := []error{errTooLong, errControl, errNotURL, errScheme, errNoHost, errBadHost, errBadPort, errBadQuery}
	g := newGuard(f, Options{})
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := g.CheckURL(raw)
		if err != nil {
			if u != nil || !errors.Is(err, ErrRefused) || !slices.Contains(known, err) {
				t.Fatalf("refused with %v, %v", u, err) // any other text could repeat the URL
			}
			return
		}
		if u.Scheme != "http" && u.Scheme != "https" || !isASCII(u.Host) || strings.ContainsAny(u.Host, "%@/\\? \t\r\n") {
			t.Fatalf("%q passes with scheme %q and host %q", raw, u.Scheme, u.Host)
		}
		to, err := targetOf(u)
		switch {
		case err != nil:
			t.Fatalf("%q passes and cannot be dialled: %v, want nil", raw, err)
		case to.port == 0:
			t.Fatalf("%q passes and cannot be dialled: %v, %v, want port not 0", raw, to, err)
		}
		if a, err := netip.ParseAddr(u.Hostname()); err != nil && !validName(to.host) || a.Zone() != "" {
			t.Fatalf("%q passes with host %q", raw, u.Host)
		}
		again, err := g.CheckURL(u.String())
		if len(u.String()) <= MaxURL && (err != nil || again.Host != u.Host) {
			t.Fatalf("%q passes as %q, which is %v, %v", raw, u, again, err)
		}
		switch p, err := url.Parse(u.String()); {
		case err != nil:
			t.Fatalf("%q passes as %q, and net/url reads another host in it: err = %v, want nil", raw, u, err)
		case p.Host != u.Host:
			t.Fatalf("%q passes as %q, and net/url reads another host in it: p.Host = %q, want %q", raw, u, p.Host, u.Host)
		}
	})
}
