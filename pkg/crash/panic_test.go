package crash

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
)

func TestAPanicIsLoggedWithoutItsTextAndGoesAhead(t *testing.T) {
	t.Parallel()
	secret := errors.New("part of a body")
	for _, tt := range []struct {
		name  string
		do    func()
		panic bool
		want  string
	}{
		{"none", func() {}, false, ""},
		{"a text of a message", func() { panic(secret) }, true, `level=ERROR msg="panic, exiting" in=slot panic=*errors.errorString`},
		{"one of the runtime", func() { _ = []int{}[len(secret.Error())] }, true, `panic="runtime error: index out of range [14] with length 0"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			defer func() {
				if p := recover(); (p != nil) != tt.panic {
					t.Errorf("panic is %v: p != nil = %v, want %v", p, p != nil, tt.panic)
				}
				if got := out.String(); !strings.Contains(got, tt.want) || strings.Contains(got, "body") || (got != "") != tt.panic {
					t.Errorf("logged is %q, want %q", got, tt.want)
				}
			}()
			defer LogPanic(slog.New(slog.NewTextHandler(&out, nil)), "slot")
			tt.do()
		})
	}
}
