// The page of settings: docs/settings.md is written from the tags of Config and
// the list of ignored names, and must not fall behind them.

package config

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"queue-worker/internal/testkit"
)

const page = "../../docs/settings.md"

func TestSettingsPage(t *testing.T) {
	t.Parallel()
	testkit.Golden(t, page, render())
}

func TestEverySettingIsDescribedAndChecked(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for _, s := range settings {
		if names[s.name] || s.group == "" || s.doc == "" {
			t.Errorf("%s comes twice, or has no group or doc", s.name)
		}
		names[s.name] = true
		_, bounded := bounds[s.name]
		isText := s.field.Type.Kind() == reflect.String || s.field.Type.Kind() == reflect.Slice
		isNumber := s.field.Type.Kind() == reflect.Int || s.field.Type.Kind() == reflect.Int64
		if bounded != isNumber {
			t.Errorf("%s: a number needs a range, and nothing else has one: bounded = %v, want %v", s.name, bounded, isNumber)
		}
		if isText && s.oneof == nil && (valid[s.name] == nil || s.field.Tag.Get("form") == "") {
			t.Errorf("%s: a text needs oneof, or form and a check", s.name)
		}
		for _, text := range []string{s.doc, s.was, s.accepts()} {
			if strings.ContainsAny(text, "|\n") {
				t.Errorf("%s: %q breaks its table: strings.ContainsAny(text, \"|\\n\") = true, want false", s.name, text)
			}
		}
	}
	for name := range bounds {
		if !names[name] {
			t.Errorf("the range of %s has no setting: names[name] = false, want true", name)
		}
	}
	for name := range valid {
		if !names[name] {
			t.Errorf("the check of %s has no setting: names[name] = false, want true", name)
		}
	}
}

const intro = `# Settings

<!-- Written by go generate from pkg/config. Change it there. -->

Every setting is an environment variable. The names that OpenFaaS workers have read since 2021 keep their meaning, so the
variables of an existing chart can stay. An invalid value stops the start, and all problems are listed at once:
one line each, with the name, the value and what is expected.

How values are written:

- An **empty** value is the default; only an empty ` + "`dead_set_codes`" + ` means none. Spaces around a value are dropped.
- A **duration** is a number with a unit: ` + "`250ms`, `10s`, `5m`, `1h30m`, `30d`" + `. A bare whole number is seconds.
- A **size** is a number of bytes, or of ` + "`KiB`, `MiB`, `GiB`, `TiB`, `PiB`" + `, each 1024 times the one before; ` + "`256Mi`" + ` as in
  Kubernetes is the same as ` + "`256MiB`" + `. ` + "`MB` and `GB`" + ` are refused, because they mean two things.
- **Yes and no** are ` + "`true`, `1`, `t`, `yes`, `on` and `false`, `0`, `f`, `no`, `off`" + `, in any case.
- A **list** has commas between its items.

No setting holds a password. Credentials are files under ` + "`secret_mount_path`" + `, and a ` + "`gateway_url`" + ` with credentials in it is refused.
`

const queues = `
## Settings of one queue

` + "`max_retry_attempts`, `initial_retry_wait`, `max_retry_wait`, `retry_http_codes` and `backoff`" + ` can be set for one queue: after the
name come two underscores and the queue, as in ` + "`max_retry_attempts__slow_queue=3`" + `. Names of variables hold neither hyphens nor dots
everywhere, so both are written ` + "`_`" + `. A name that belongs to no queue, or to two, stops the start. The limit of a queue follows
its name in ` + "`faas_nats_channel`" + `.
`

// render makes the page.
func render() string {
	var b strings.Builder
	b.WriteString(intro)
	group := ""
	for _, s := range settings {
		if s.group != group {
			group = s.group
			fmt.Fprintf(&b, "\n## %s\n\n| name | default | accepted | what it is for |\n|---|---|---|---|\n", group)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", s.name, code(s.standard()), s.accepts(), s.meaning())
	}
	b.WriteString(queues)
	renderIgnored(&b)
	return b.String()
}

// meaning is what a setting is for, and its history where there is one.
func (s setting) meaning() string {
	if s.was == "" {
		return s.doc
	}
	return s.doc + " *In OpenFaaS:* " + s.was
}

func code(s string) string {
	if s == "not set" {
		return s
	}
	return "`" + s + "`"
}

// renderIgnored writes what is accepted and has no effect.
func renderIgnored(b *strings.Builder) {
	b.WriteString("\n## Accepted and ignored\n\nThese names belong to the workers of OpenFaaS and have no effect here. Those that are set are named in one line at the start.\n\n" +
		"| names | read by | why they are ignored |\n|---|---|---|\n")
	for i := 0; i < len(ignorables); {
		first, names := ignorables[i], []string(nil)
		for ; i < len(ignorables) && ignorables[i].from == first.from && ignorables[i].why == first.why; i++ {
			names = append(names, "`"+ignorables[i].name+"`")
		}
		fmt.Fprintf(b, "| %s | %s | %s |\n", strings.Join(names, ", "), first.from, first.why)
	}
	b.WriteString("\nThe flags ")
	for i, flag := range IgnoredFlags() {
		if i > 0 {
			b.WriteString(" and ")
		}
		fmt.Fprintf(b, "`-%s`", flag)
	}
	b.WriteString(", which charts pass, are accepted and ignored too: no licence is needed, and no profiles are served.\n")
}
