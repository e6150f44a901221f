package policy

// Whatever is written into annotations and headers: what comes of it is within the
// bounds, and what is reported can be logged.

import (
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"
)

func FuzzWishes(f *testing.F) {
	for _, seed := range []string{"", "0", "1", "10", "-1", "0.5", "1e9", "NaN", "Inf", "0x1p4", "5s", "1h30m", "99999999999999999999", "8760h", "9223372036854775807ns",
		"429,5xx,!501", "!501", "none", "full", "\x00", "\xff", strings.Repeat("9", 300)} {
		f.Add(seed, false)
		f.Add(seed, true)
	}
	f.Fuzz(func(t *testing.T, value string, trust bool) {
		base := defaults()
		for _, form := range Forms() {
			p, problems := base.With(map[string]string{form.Key: value}, Annotation)
			check(t, form.Key, base, p, problems)
		}
		h := http.Header{}
		for _, field := range []string{HeaderRetryLimit, HeaderMaxAge, HeaderTimeout} {
			h.Set(field, value)
		}
		p, problems := base.WithHeader(h, trust)
		check(t, "header", base, p, problems)
		if !trust && (p.Attempts > base.Attempts || p.Timeout > base.Timeout) {
			t.Errorf("a header has raised %+v", p)
		}
		switch age := AgeOf(h); {
		case age < 0:
			t.Errorf("%q is an age of %s: age = %v, want at least 0", value, age, age)
		case age > maxWait:
			t.Errorf("%q is an age of %s: age = %v, want at most %v", value, age, age, maxWait)
		}
	})
}

func check(t *testing.T, what string, base, p Policy, problems []Problem) {
	t.Helper()
	if len(problems) > 0 && p != base && what != "header" {
		t.Errorf("%s is reported and has an effect", what)
	}
	within := p.Within(base)
	switch l := within.Lane; {
	case p.Attempts < 0 || p.Attempts > maxAttempts, p.Initial < 0 || p.Max < p.Initial || p.Max > maxWait,
		p.MaxAge < 0 || p.MaxAge > maxWait, within.Timeout <= 0 || within.Timeout > base.Timeout,
		l.MaxInflight < 1 || l.MaxInflight > base.Lane.MaxInflight, l.Rate != 0 && !(l.Rate >= minRate && l.Rate <= maxRate),
		l.Priority < minPriority || l.Priority > maxPriority:
		t.Errorf("%s leads to %+v", what, within)
	}
	for _, problem := range problems {
		switch s := problem.String(); {
		case len(s) > 512:
			t.Errorf("a report that cannot be logged: %q, want len at most 512", s)
		case !utf8.ValidString(s):
			t.Errorf("a report that cannot be logged: %q: utf8.ValidString(s) = false, want true", s)
		case strings.ContainsAny(s, "\n\r\x00"):
			t.Errorf("a report that cannot be logged: %q: strings.ContainsAny(s, \"\\n\\r\\x00\") = true, want false", s)
		}
	}
}
