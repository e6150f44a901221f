package config

import (
	"strings"
	"testing"
)

// entry is the one of a name.
func (o Overview) entry(t *testing.T, name string) Entry {
	t.Helper()
	for _, e := range o.Settings {
		if e.Name == name {
			return e
		}
	}
	t.Fatalf("%s is not listed", name)
	return Entry{}
}

func TestListTellsEverySettingAndWhereItIsFrom(t *testing.T) {
	t.Parallel()
	o := List([]string{"max_inflight= 7 ", "backoff=", "dead_set_codes=", "data_dir=none", "faas_gateway_address=gw", "scaling_mode=x", "initial_retry_wait=0"})
	switch {
	case len(o.Settings) != len(settings):
		t.Errorf("%d settings are listed, want %d", len(o.Settings), len(settings))
	case len(o.Problems) != 0:
		t.Errorf("%d settings are listed, problems %q, want len 0", len(o.Settings), o.Problems)
	}
	for name, want := range map[string][3]string{
		"max_inflight":     {"7", FromEnvironment, "50"},
		"backoff":          {"exponential", FromDefault, "exponential"},
		"dead_set_codes":   {"none", FromEnvironment, "4xx,5xx"},
		"data_dir":         {"none", FromEnvironment, "none"},
		"gateway_url":      {"http://gw:8080", FromOthers, "not set"},
		"upstream_timeout": {"none", FromDefault, "none"},
	} {
		e := o.entry(t, name)
		if got := [3]string{e.Value, e.From, e.Default}; got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	switch {
	case len(o.Ignored) != 1:
		t.Errorf("ignored %q, warnings %q, want len 1", o.Ignored, o.Warnings)
	case len(o.Warnings) == 0:
		t.Errorf("ignored %q, warnings %q, want len not 0", o.Ignored, o.Warnings)
	}
}

func TestListTellsEveryProblemAndNoSecret(t *testing.T) {
	t.Parallel()
	o := List([]string{"max_inflight=0", "gateway_url=http://me:hunter2@gw", "backoff=linear"})
	if len(o.Problems) != 3 {
		t.Errorf("the problems are %q, want len 3", o.Problems)
	}
	switch e := o.entry(t, "max_inflight"); {
	case e.Value != "0":
		t.Errorf("max_inflight is %+v, want Value \"0\"", e)
	case !strings.Contains(e.Expects, "from 1"):
		t.Errorf("max_inflight is %+v, want Expects \"from 1\" in it", e)
	}
	switch e := o.entry(t, "gateway_url"); {
	case strings.Contains(e.Value, "hunter2"):
		t.Errorf("gateway_url is %+v, want Value no \"hunter2\" in it", e)
	case e.Expects == "":
		t.Errorf("gateway_url is %+v, want Expects not \"\"", e)
	}
	for _, p := range o.Problems {
		if strings.Contains(p, "hunter2") {
			t.Errorf("a problem shows a password: %s, want no \"hunter2\" in it", p)
		}
	}
}
