package arch

// The table of limits in docs/functions.md has the numbers of the code.

import (
	"go/constant"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// limit is a row of the table: the constant behind it, and what one of the row's unit is.
type limit struct {
	row, file, name string
	unit            string
}

var limits = []limit{
	{"header, with the request line", "pkg/api/server.go", "acceptedHeader", "1"},
	{"fields of a header", "pkg/ingest/header.go", "maxFields", "1"},
	{"path and query of a call", "pkg/invoke/target.go", "maxTarget", "1"},
	{"URL of a callback", "pkg/egress/url.go", "MaxURL", "1"},
	{"function name", "pkg/invocation/name.go", "MaxName", "1"},
	{"`X-Call-Id`", "pkg/ingest/header.go", "maxCallID", "1"},
	{"`Idempotency-Key`", "pkg/invocation/idempotency.go", "MaxIdempotencyKey", "1"},
	{"`X-Delay-Duration`, `X-Not-Before`", "pkg/invocation/envelope.go", "MaxDelay", day},
	{"`X-Retries`, `X-Max-Retries` of the mailbox", "pkg/invocation/envelope.go", "MaxCount", "1"},
	{"`X-Max-Age`", "pkg/policy/value.go", "maxWait", day},
	{"`X-Timeout`", "pkg/policy/value.go", "maxTimeout", day},
	{"redirects that are followed", "pkg/invoke/redirect.go", "maxHops", "1"},
	{"header of a function's answer", "pkg/invoke/client.go", "maxResponseHeader", "1"},
	{"`?wait=` for an outcome", "pkg/admin/invocations.go", "maxWait", "60000000000"},
	{"entries of a page", "pkg/wire/wire.go", "MaxPage", "1"},
}

const day = "86400000000000"

func TestTheLimitsOfThePageAreThoseOfTheCode(t *testing.T) {
	t.Parallel()
	_, table, _ := strings.Cut(readFile(t, "docs/functions.md"), "## Limits")
	for _, l := range limits {
		row := regexp.MustCompile(`(?m)^\| ` + regexp.QuoteMeta(l.row) + ` \| ([0-9]+)`).FindStringSubmatch(table)
		if row == nil {
			t.Errorf("docs/functions.md: got no row %q, want one", l.row)
			continue
		}
		if want := valueOf(t, l); row[1] != want {
			t.Errorf("docs/functions.md: %s: got %s, want %s as %s in %s", l.row, row[1], want, l.name, l.file)
		}
	}
	fallback := regexp.MustCompile(`env:"max_request_bytes" envDefault:"([0-9]+)MiB"`).FindStringSubmatch(readFile(t, "pkg/config/config.go"))
	if fallback == nil || !strings.Contains(table, "| body over HTTP | "+fallback[1]+" MiB, `max_request_bytes`") {
		t.Errorf("docs/functions.md: got another bound on a body, want %v", fallback)
	}
}

// valueOf is the value of a constant in units of its row.
func valueOf(t *testing.T, l limit) string {
	t.Helper()
	m := regexp.MustCompile(`(?m)^\s*(?:const )?` + l.name + `\s*=\s*([^/\n]+)`).FindStringSubmatch(readFile(t, l.file))
	if m == nil {
		t.Fatalf("%s: got no constant %s, want one", l.file, l.name)
	}
	text := strings.NewReplacer("time.Hour", "3600000000000", "time.Minute", "60000000000").Replace(m[1])
	v, err := types.Eval(token.NewFileSet(), nil, token.NoPos, "("+text+")/"+l.unit)
	if err != nil {
		t.Fatalf("%s: %s: %v, want no error", l.file, text, err)
	}
	return constant.ToInt(v.Value).ExactString()
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("../..", path))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
