// Whatever the environment holds: Load does not panic, names each problem in one
// line, and what it accepts is within its ranges.

package config

import (
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// holdsTogether checks the laws of Load on one environment.
func holdsTogether(t interface{ Fatalf(string, ...any) }, environ []string) {
	c, err := Load(environ)
	if err == nil {
		inRange(t, c)
		return
	}
	joined, ok := err.(interface{ Unwrap() []error })
	switch {
	case c != nil:
		t.Fatalf("a config beside an error, or an error of another kind: %v: c = %+v, want nil", err, c)
	case !ok:
		t.Fatalf("a config beside an error, or an error of another kind: %v: ok = false, want true", err)
	}
	for _, e := range joined.Unwrap() {
		p, ok := e.(*Problem)
		switch {
		case !ok:
			t.Fatalf("not a problem in one line: %q: ok = false, want true", e)
		case p.Want == "":
			t.Fatalf("not a problem in one line: %q: p.Want = %q, want not \"\"", e, p.Want)
		case strings.ContainsAny(p.Error(), "\r\n"):
			t.Fatalf("not a problem in one line: %q: strings.ContainsAny(p.Error(), \"\\r\\n\") = true, want false", e)
		}
	}
}

func inRange(t interface{ Fatalf(string, ...any) }, c *Config) {
	for _, s := range settings {
		value := reflect.ValueOf(c).Elem().FieldByIndex(s.field.Index)
		if value.CanInt() && !bounds[s.name].holds(value.Int()) {
			t.Fatalf("%s is %s", s.name, s.write(value.Int()))
		}
		if words := s.oneof; words != nil && !slices.Contains(words, value.String()) {
			t.Fatalf("%s is %q", s.name, value)
		}
	}
	switch {
	case c.GatewayURL == nil:
		t.Fatalf("the gateway is %v, want not nil", c.GatewayURL)
	case c.GatewayURL.Host == "":
		t.Fatalf("the gateway is %v, want Host not \"\"", c.GatewayURL)
	case c.GatewayURL.User != nil:
		t.Fatalf("the gateway is %v, want User nil", c.GatewayURL)
	case strings.HasSuffix(c.GatewayURL.String(), "/"):
		t.Fatalf("the gateway is %v: strings.HasSuffix(c.GatewayURL.String(), \"/\") = true, want false", c.GatewayURL)
	}
	switch {
	case len(c.Channels) == 0:
		t.Fatalf("channels %q, waits %s to %s, want len not 0", c.Channels, c.InitialRetryWait, c.MaxRetryWait)
	case len(c.Channels) > maxChannels:
		t.Fatalf("channels %q, waits %s to %s, want len at most %d", c.Channels, c.InitialRetryWait, c.MaxRetryWait, maxChannels)
	case c.MaxRetryWait < c.InitialRetryWait:
		t.Fatalf("channels %q, waits %s to %s: c.MaxRetryWait = %v, want at least %v", c.Channels, c.InitialRetryWait, c.MaxRetryWait, c.MaxRetryWait, c.InitialRetryWait)
	}
}

// plausible draws values that come near to what is accepted.
func plausible() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.SampledFrom([]string{"", "0", "1", "10s", "5m", "64MiB", "1GiB", "true", "off", "none", "always", "5xx,!501", "full", "json", "strict", ":0", "127.0.0.1:4222", "a,b", "http://gw/", "nats", "10.0.0.0/8"}),
		rapid.StringMatching(`-?[0-9]{1,20}(ns|ms|s|m|h|KiB|Mi|GiB)?`),
		rapid.StringMatching(`https?://[a-z:@.0-9/?#%\[\]]{0,20}`),
		rapid.String(),
	)
}

func TestPropertyAnyEnvironmentIsRightOrReported(t *testing.T) {
	t.Parallel()
	names := make([]string, 0, len(settings)+len(ignorables))
	for _, s := range settings {
		names = append(names, s.name)
	}
	for _, i := range ignorables {
		names = append(names, i.name)
	}
	rapid.Check(t, func(t *rapid.T) {
		var environ []string
		for _, name := range rapid.SliceOf(rapid.SampledFrom(names)).Draw(t, "names") {
			environ = append(environ, name+"="+plausible().Draw(t, name))
		}
		holdsTogether(t, environ)
	})
}

// FuzzLoad takes an environment with one variable a line.
func FuzzLoad(f *testing.F) {
	f.Add("")
	f.Add(strings.Join(chartEnv(f, "2021-community"), "\n"))
	f.Add("gateway_url=http://u:p@gw\nmax_inflight=0")
	f.Add("=x\n==\nstore_sync=always\ndead_set_codes=")
	problems, err := os.ReadFile("testdata/problems.txt")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(strings.ReplaceAll(strings.ReplaceAll(string(problems), `"`, ""), ": expected", "\nx="))
	f.Fuzz(func(t *testing.T, lines string) {
		holdsTogether(t, strings.Split(lines, "\n"))
	})
}
