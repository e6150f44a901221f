package term

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

func TestLogLines(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 31, 12, 0, 0, 5e6, time.UTC)
	for _, tt := range []struct {
		name  string
		write func(*slog.Logger)
		want  string
	}{
		{"values as they are", func(l *slog.Logger) { l.Info("invoked", "function", "figlet", "n", 7, "ok", true, "f", 0.5) }, `INF invoked function=figlet n=7 ok=true f=0.5`},
		{"times and durations", func(l *slog.Logger) { l.Warn("late", "at", at, "by", 90*time.Second) }, `WRN late at=2026-01-31T12:00:00.005Z by=1m30s`},
		{"what would be two values", func(l *slog.Logger) { l.Error("e", "a", "b c=d", "none", "", "q", `"`) }, `ERR e a="b c=d" none="" q="\""`},
		{"an error", func(l *slog.Logger) { l.Error("e", "error", errors.New("no room")) }, `ERR e error="no room"`},
		{"groups", func(l *slog.Logger) {
			l.WithGroup("g").With("a", 1).With(slog.Group("h", "b", 2)).Info("x", slog.Group("", "c", 3), slog.Group("none"), slog.Attr{})
		}, `INF x g.a=1 g.h.b=2 g.c=3`},
		{"two loggers of one", func(l *slog.Logger) { m := l.With("a", 1); m.With("b", 2); m.With("c", 3).Info("x") }, `INF x a=1 c=3`},
		{"a value of its own", func(l *slog.Logger) { l.Info("x", "v", secret("CANARY")) }, `INF x v=hidden`},
		{"between two levels", func(l *slog.Logger) { l.Log(t.Context(), slog.LevelWarn+2, "x") }, `WRN+2 x`},
		{"below the level", func(l *slog.Logger) { l.Debug("x") }, ``},
		{"UTF-8", func(l *slog.Logger) { l.Info("x", "a", "größe", "b", `back\slash`) }, `INF x a=größe b=back\slash`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			tt.write(slog.New(NewLogHandler(&out, slog.LevelInfo, false)))
			stamp := regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(Z|[+-]\d\d:\d\d) `)
			if got := strings.TrimSuffix(out.String(), "\n"); stamp.ReplaceAllString(got, "") != tt.want || tt.want != "" && !stamp.MatchString(got) {
				t.Errorf("written is %q, want %q", got, tt.want)
			}
		})
	}
}

type secret string

func (secret) LogValue() slog.Value { return slog.StringValue("hidden") }

// A call id is the caller's, and the letters \x1b in it must not become an escape
// sequence either.
func TestNothingThatIsLoggedControlsATerminal(t *testing.T) {
	t.Parallel()
	hostile := []string{
		"\x1b[2J", "\x1b]0;title\a", "\u009b31m", `\x1b[2J with a space`, "a\nINF invoked forged=1", "a\rb", "\u202egnp.exe", "\xff\x1b[31m", "\u2028", "\x7f\b\x00",
	}
	for _, color := range []bool{false, true} {
		for _, s := range hostile {
			var out bytes.Buffer
			l := slog.New(NewLogHandler(&out, slog.LevelInfo, color)).With("first", s)
			l.Info(s, "call_id", s, s, s, "error", fmt.Errorf("wrapped: %s", s), "any", struct{ A string }{s})
			got := out.String()
			for _, paint := range []string{paintNone, paintFaint, paintGreen} {
				if got = strings.ReplaceAll(got, paint, ""); strings.Contains(s, paint) {
					t.Fatalf("the test hides what it looks for: s = %q, want no %q in it", s, paint)
				}
			}
			switch {
			case strings.Count(got, "\n") != 1:
				t.Errorf("color %t: %q is logged as %q: strings.Count(got, \"\\n\") = %d, want 1", color, s, got, strings.Count(got, "\n"))
			case strings.ContainsAny(got, "\x1b\r\x00\x07\x08\x7f\u009b\u202e\u2028"):
				t.Errorf("color %t: %q is logged as %q: strings.ContainsAny(got, \"\\x1b\\r\\x00\\x07\\x08\\x7f\\u009b\\u202e\\u2028\") = true, want false", color, s, got)
			case !strings.HasSuffix(got, "\n"):
				t.Errorf("color %t: %q is logged as %q: got = %q, want it to end with %q", color, s, got, got, "\n")
			}
		}
	}
}

func TestALogLineIsPaintedOnATerminalOnly(t *testing.T) {
	t.Parallel()
	for level, want := range map[slog.Level]string{
		slog.LevelDebug: "DBG x \x1b[2ma=\x1b[0m1\n", slog.LevelInfo: "\x1b[92mINF\x1b[0m x \x1b[2ma=\x1b[0m1\n",
		slog.LevelWarn: "\x1b[93mWRN\x1b[0m x \x1b[2ma=\x1b[0m1\n", slog.LevelError: "\x1b[91mERR\x1b[0m x \x1b[2ma=\x1b[0m1\n",
	} {
		var out bytes.Buffer
		r := slog.NewRecord(time.Time{}, level, "x", 0)
		r.Add("a", 1)
		switch err := NewLogHandler(&out, slog.LevelDebug, true).Handle(t.Context(), r); {
		case err != nil:
			t.Errorf("%s: %v, want nil", level, err)
		case out.String() != want:
			t.Errorf("%s: %q, want %q", level, out.String(), want)
		}
	}
}

// FuzzQuoted holds the short way for plain words against the rule.
func FuzzQuoted(f *testing.F) {
	for _, s := range []string{"", "figlet", "a b", `"`, "a=b", "größe", "\x1b[2J", "\u202e", "\xff", "~", "\x7f", "0/10"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want := s
		isOdd := func(r rune) bool {
			return r == ' ' || r == '=' || r == '"' || r == utf8.RuneError || !unicode.IsPrint(r)
		}
		if s == "" || strings.ContainsFunc(s, isOdd) {
			want = strconv.Quote(s)
		}
		if got := string(appendQuoted([]byte("x"), s)); got != "x"+want {
			t.Errorf("%q is written as %q, want %q", s, got, want)
		}
	})
}
