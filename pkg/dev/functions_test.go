package dev

import (
	"net/url"
	"strings"
	"testing"

	"queue-worker/pkg/invocation"
)

func TestFunctionsAdd(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, arg, url, fails string }{
		{"a host and port", "figlet=http://127.0.0.1:9000", "http://127.0.0.1:9000", ""},
		{"a name with namespace", "figlet.staging=http://127.0.0.1:9000", "http://127.0.0.1:9000", ""},
		{"a path before the caller's", "figlet=https://fns.example/figlet", "https://fns.example/figlet", ""},
		{"no address", "figlet", "", "expected name=http://host:port"},
		{"no scheme", "figlet=127.0.0.1:9000", "", "expected name=http://host:port"},
		{"another scheme", "figlet=ftp://127.0.0.1", "", "expected name=http://host:port"},
		{"no host", "figlet=http://", "", "expected name=http://host:port"},
		{"no name", "=http://127.0.0.1:9000", "", "expected name=http://host:port"},
		{"a path as name", "a/b=http://127.0.0.1:9000", "", "expected name=http://host:port"},
		{"a name that is there", "there=http://127.0.0.1:9000", "", "there was given before"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := Functions{"there": {URL: &url.URL{Scheme: "http", Host: "h"}}}
			err := f.Add(tt.arg)
			if tt.fails != "" {
				if err == nil || !strings.Contains(err.Error(), tt.fails) || !strings.Contains(err.Error(), "--function") {
					t.Fatalf("error is %v, want one with %q and the flag", err, tt.fails)
				}
				return
			}
			name, _, _ := strings.Cut(tt.arg, "=")
			if err != nil || f[name].URL.String() != tt.url {
				t.Errorf("added %v (%v), want %s", f[name], err, tt.url)
			}
		})
	}
}

func TestFunctionsAnnotate(t *testing.T) {
	t.Parallel()
	f := Functions{}
	for _, arg := range []string{"a:k=v", "a:k2=v2=w", "chaos-fn:k=v", "b:empty="} {
		if err := f.Annotate(arg); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Add("a=http://h:1"); err != nil {
		t.Fatal(err)
	}
	switch {
	case f["a"].Annotations["k"] != "v":
		t.Errorf("a is %v: f[\"a\"].Annotations[\"k\"] = %q, want \"v\"", f["a"], f["a"].Annotations["k"])
	case f["a"].Annotations["k2"] != "v2=w":
		t.Errorf("a is %v: f[\"a\"].Annotations[\"k2\"] = %q, want \"v2=w\"", f["a"], f["a"].Annotations["k2"])
	case f["a"].URL == nil:
		t.Errorf("a is %v, want URL not nil", f["a"])
	}
	for _, arg := range []string{"", "a", "a:", "a:k", "a:=v", ":k=v", "a/b:k=v"} {
		if err := f.Annotate(arg); err == nil || !strings.Contains(err.Error(), "--annotation") {
			t.Errorf("Annotate(%q) is %v, want an error that names the flag", arg, err)
		}
	}
	_, err := f.withChaos(&url.URL{Host: "chaos"}, invocation.Names{})
	if err == nil || !strings.Contains(err.Error(), "--function b=") {
		t.Errorf("error is %v, want one that says how to give b an address", err)
	}
}

func TestFunctionsWithChaos(t *testing.T) {
	t.Parallel()
	names := invocation.Names{DefaultNamespace: "openfaas-fn"}
	chaos, other := &url.URL{Host: "chaos"}, &url.URL{Host: "other"}

	f, err := Functions{"a.openfaas-fn": {URL: other}, "b.staging": {URL: other}}.withChaos(chaos, names)
	switch {
	case err != nil:
		t.Errorf("functions are %v (%v): err = %v, want nil", f, err, err)
	case len(f) != 3:
		t.Errorf("functions are %v (%v), want len 3", f, err)
	case f["a"].URL != other:
		t.Errorf("functions are %v (%v): f[\"a\"].URL = %v, want %v", f, err, f["a"].URL, other)
	case f["b.staging"].URL != other:
		t.Errorf("functions are %v (%v): f[\"b.staging\"].URL = %v, want %v", f, err, f["b.staging"].URL, other)
	case f[ChaosFunction].URL != chaos:
		t.Errorf("functions are %v (%v): f[ChaosFunction].URL = %v, want %v", f, err, f[ChaosFunction].URL, chaos)
	}
	f, err = Functions{ChaosFunction: {URL: other}}.withChaos(chaos, names)
	switch {
	case err != nil:
		t.Errorf("a chaos function of one's own is not taken: %v (%v): err = %v, want nil", f, err, err)
	case f[ChaosFunction].URL != other:
		t.Errorf("a chaos function of one's own is not taken: %v (%v): f[ChaosFunction].URL = %v, want %v", f, err, f[ChaosFunction].URL, other)
	}
	_, err = Functions{"a": {URL: other}, "a.openfaas-fn": {URL: other}}.withChaos(chaos, names)
	if err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("error is %v, want one about a name that is given twice", err)
	}
}
