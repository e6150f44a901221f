package term

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"queue-worker/pkg/escape"
)

// console is one of a script, or of a person.
func console(person bool) (c *Console, out, errs *bytes.Buffer) {
	out, errs = &bytes.Buffer{}, &bytes.Buffer{}
	c = New(context.Background(), strings.NewReader(""), out, errs, func(string) string { return "" })
	c.Asking, c.Showing, c.Telling = person, person, person
	return c, out, errs
}

// Characters may come in pieces.
func TestABodyIsCleanedForAPersonOnly(t *testing.T) {
	t.Parallel()
	const body = "{\"a\":\"日\x1b[2J\"}\n\xe6"
	c, out, _ := console(true)
	switch err := c.Body(&oneByOne{[]byte(body)}); {
	case err != nil:
		t.Errorf("%v, want nil", err)
	case out.String() != "{\"a\":\"日\\x1b[2J\"}\n\\xe6":
		t.Errorf("a person sees %q, %v: out.String() = %q, want \"{\\\"a\\\":\\\"日\\\\x1b[2J\\\"}\\n\\\\xe6\"", out, err, out.String())
	}
	c, out, _ = console(false)
	switch err := c.Body(&oneByOne{[]byte(body)}); {
	case err != nil:
		t.Errorf("%v, want nil", err)
	case out.String() != body:
		t.Errorf("a script gets %q, %v: out.String() = %q, want %q", out, err, out.String(), body)
	}
}

type oneByOne struct{ left []byte }

func (o *oneByOne) Read(p []byte) (int, error) {
	if len(o.left) == 0 {
		return 0, io.EOF
	}
	p[0] = o.left[0]
	o.left = o.left[1:]
	return 1, nil
}

func TestTables(t *testing.T) {
	t.Parallel()
	columns := []Column{{Title: "name", Wide: true}, {Title: "count", Number: true}, {Title: "size", Number: true}}
	rows := [][]Cell{{Text("evil\x1b[2J\tname"), Number(7), Size(1536)}, {Text("fn"), Number(1234), Size(1)}}
	c, out, _ := console(false)
	if err := c.Table(columns, rows); err != nil {
		t.Fatal(err)
	}
	if want := "evil\\x1b[2J\\tname\t7\t1536\nfn\t1234\t1\n"; out.String() != want {
		t.Errorf("a script gets %q, want %q", out, want)
	}
	c, out, _ = console(true)
	c.Color = false
	if err := c.Table(columns, rows); err != nil {
		t.Fatal(err)
	}
	want := "NAME               COUNT     SIZE\nevil\\x1b[2J\\tname      7  1.5 KiB\nfn                  1234      1 B\n"
	if out.String() != want {
		t.Errorf("a person sees\n%swant\n%s, want out %v", out, want, want)
	}
	c, out, _ = console(true)
	switch err := c.Table(columns, nil); {
	case err != nil:
		t.Errorf("no rows are shown as %q: err = %v, want nil", out, err)
	case out.Len() > 0:
		t.Errorf("no rows are shown as %q: out.Len() = %d, want 0", out, out.Len())
	}
}

func TestColumnsGiveWayOnANarrowTerminal(t *testing.T) {
	t.Parallel()
	columns := []Column{{Title: "id"}, {Title: "name", Wide: true}, {Title: "queue", Spare: true}, {Title: "n", Number: true}, {Title: "call", Wide: true, Spare: true}}
	rows := [][]Cell{{Text("0123456789"), Text("a name that is very long"), Text("queue"), Number(7), Text("a call id that is long")}}
	for width, want := range map[int][]string{
		0:   {"id", "name", "queue", "n", "call"},
		200: {"id", "name", "queue", "n", "call"},
		48:  {"id", "name", "queue", "n", "call"},
		47:  {"id", "name", "queue", "n"},
		34:  {"id", "name", "queue", "n"},
		33:  {"id", "name", "n"},
		10:  {"id", "name", "n"},
	} {
		got, cut := fitting(width, columns, rows)
		var titles []string
		for _, c := range got {
			titles = append(titles, c.Title)
		}
		switch {
		case !slices.Equal(titles, want):
			t.Errorf("%d columns: %q, %v, want %v", width, titles, cut, want)
		case len(cut[0]) != len(want):
			t.Errorf("%d columns: %q, %v, want %d", width, titles, cut, len(want))
		case cut[0][len(want)-1] != rows[0][slices.Index([]string{"id", "name", "queue", "n", "call"}, want[len(want)-1])]:
			t.Errorf("%d columns: %q, %v, want cut[0][len(want)-1] %v", width, titles, cut, rows[0][slices.Index([]string{"id", "name", "queue", "n", "call"}, want[len(want)-1])])
		}
	}
	switch {
	case len(rows[0]) != 5:
		t.Errorf("the caller's own were changed: len(rows[0]) = %d, want 5", len(rows[0]))
	case len(columns) != 5:
		t.Errorf("the caller's own were changed: len(columns) = %d, want 5", len(columns))
	}
}

func TestFieldsLeaveOutWhatIsEmptyForAPersonOnly(t *testing.T) {
	t.Parallel()
	fields := []Field{{"id", Text("x")}, {"detail", Text("")}, {"body", Size(2048)}}
	c, out, _ := console(false)
	switch err := c.Fields(fields); {
	case err != nil:
		t.Errorf("%v, want nil", err)
	case out.String() != "id\tx\ndetail\t\nbody\t2048\n":
		t.Errorf("a script gets %q, %v: out.String() = %q, want \"id\\tx\\ndetail\\t\\nbody\\t2048\\n\"", out, err, out.String())
	}
	c, out, _ = console(true)
	switch err := c.Fields(fields); {
	case err != nil:
		t.Errorf("%v, want nil", err)
	case out.String() != "\x1b[1mid\x1b[0m    x\n\x1b[1mbody\x1b[0m  2.0 KiB\n":
		t.Errorf("a person sees %q, %v: out.String() = %q, want \"\\x1b[1mid\\x1b[0m    x\\n\\x1b[1mbody\\x1b[0m  2.0 KiB\\n\"", out, err, out.String())
	}
}

func TestNumbersAndTimesForPeople(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0s", 12 * time.Millisecond: "12ms", 1340 * time.Millisecond: "1.3s", 42*time.Second + 400*time.Millisecond: "42s",
		90 * time.Second: "1m30s", 12*time.Minute + 5*time.Second: "12m", 3*time.Hour + 20*time.Minute: "3h20m", 26 * time.Hour: "1d2h", 40 * 24 * time.Hour: "40d",
	} {
		if got := Length(d); got != want {
			t.Errorf("%s is %s, want %s", d, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 10 << 10: "10 KiB", 5 << 30: "5.0 GiB", 1 << 62: "4.0 EiB"} {
		if got := Bytes(n); got != want {
			t.Errorf("%d bytes are %s, want %s", n, got, want)
		}
	}
	c, _, _ := console(true)
	now := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	c.now = func() time.Time { return now }
	if got := c.At(now.Add(-time.Hour)); got != (Cell{"2026-01-31 11:00:00 UTC (1h ago)", "2026-01-31T11:00:00Z"}) {
		t.Errorf("an hour ago is %+v, want %+v", got, (Cell{"2026-01-31 11:00:00 UTC (1h ago)", "2026-01-31T11:00:00Z"}))
	}
	if got := c.Until(now.Add(time.Hour)); got != (Cell{"in 1h", "2026-01-31T13:00:00Z"}) {
		t.Errorf("in an hour is %+v, want %+v", got, Cell{"in 1h", "2026-01-31T13:00:00Z"})
	}
	switch {
	case c.Since(now.Add(time.Minute)).Short != "0s":
		t.Error(`clocks that differ, and no time, want short "0s"`)
	case c.Since(time.Time{}) != (Cell{}):
		t.Errorf("clocks that differ, and no time, want c.Since(time.Time{}) %v", Cell{})
	case c.Until(now).Short != "now":
		t.Error(`clocks that differ, and no time, want short "now"`)
	}
}

func TestOnlyYesIsYes(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]bool{"yes\n": true, " yes \r\n": true, "yes": true, "y\n": false, "YES\n": false, "\n": false, "": false, "no\nyes\n": false} {
		c, _, errs := console(true)
		c.In = strings.NewReader(in)
		switch got, err := c.Confirm("replay 7?"); {
		case got != want:
			t.Errorf("%q is %v, %v: got = %v, want %v", in, got, err, got, want)
		case err != nil:
			t.Errorf("%v, want nil", err)
		}
		if !strings.Contains(errs.String(), "replay 7?") {
			t.Errorf("asked was %q, want \"replay 7?\" in it", errs)
		}
	}
	c, _, errs := console(false)
	switch ok, err := c.Confirm("replay?"); {
	case ok:
		t.Errorf("a script: got %v, %v, %q, want false", ok, err, errs)
	case !errors.Is(err, ErrNotTerminal):
		t.Errorf("a script: %v, want %v", err, ErrNotTerminal)
	case errs.Len() > 0:
		t.Errorf("a script: %v, %v, %q: errs.Len() = %d, want 0", ok, err, errs, errs.Len())
	}
	c, _, _ = console(true)
	silent, _ := io.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	c.In = Until(ctx, silent)
	cancel()
	switch ok, err := c.Confirm("replay?"); {
	case ok:
		t.Errorf("interrupted: got %v, %v, want false", ok, err)
	case !errors.Is(err, context.Canceled):
		t.Errorf("interrupted: %v, want %v", err, context.Canceled)
	}
}

func TestWhatIsReadUntilIsWhatIsThere(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("some text ", 10_000)
	switch got, err := io.ReadAll(Until(t.Context(), iotest.DataErrReader(strings.NewReader(text)))); {
	case err != nil:
		t.Errorf("%v, want nil", err)
	case string(got) != text:
		t.Errorf("%d bytes, %v: string(got) = %q, want %q", len(got), err, string(got), text)
	}
}

// What a script writes to a file is looked at on a terminal later.
func TestDocumentsAreEscapedForEverybody(t *testing.T) {
	t.Parallel()
	const document = "{\"a\":\"\u202e\u009b2J\u200b日\U000e0041\x7f\xff\",\n\t\"b\":\"\\n\"}\n"
	for _, person := range []bool{false, true} {
		c, out, _ := console(person)
		switch err := c.Document([]byte(document)); {
		case err != nil:
			t.Errorf("person %t: %q, %v, want no error", person, out, err)
		case out.String() != escape.Lines(out.String()):
			t.Errorf("person %t: %q, %v, want out %v", person, out, err, escape.Lines(out.String()))
		}
		var want, got any
		switch {
		case json.Unmarshal([]byte(document), &want) != nil:
			t.Errorf("%q means %q, not %q, want json.Unmarshal([]byte(document), &want) nil", out, got, want)
		case json.Unmarshal(out.Bytes(), &got) != nil:
			t.Errorf("%q means %q, not %q, want json.Unmarshal(out.Bytes(), &got) nil", out, got, want)
		case !reflect.DeepEqual(got, want):
			t.Errorf("%q means %q, not %q, want %v", out, got, want, want)
		}
	}
}

type word string

func TestWhatIsSaidIsEscapedWhateverItsType(t *testing.T) {
	t.Parallel()
	c, out, errs := console(true)
	switch err := c.Say("%s %s %d", "a\x1b", word("b\x1b"), 7); {
	case err != nil:
		t.Errorf("%v, want nil", err)
	case out.String() != "a\\x1b b\\x1b 7\n":
		t.Errorf("said %q, %v: out.String() = %q, want \"a\\\\x1b b\\\\x1b 7\\n\"", out, err, out.String())
	}
	c.Tell("%v %s", errors.New("a\x1b\nb"), word("\u202e"))
	if errs.String() != "a\\x1b\nb \\u202e\n" {
		t.Errorf("printed %q, want \"a\\\\x1b\\nb \\\\u202e\\n\"", errs)
	}
}

func TestProgressIsALineEveryFewSecondsForALog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, out, errs := console(false)
		p := c.Count("replay", 100)
		for n := range 100 {
			time.Sleep(100 * time.Millisecond)
			p.Set(int64(n+1), "")
		}
		p.End()
		switch want := "replay: 50 of 100\nreplay: 100 of 100\n"; {
		case errs.String() != want:
			t.Errorf("printed %q, want %q", errs, want)
		case out.Len() > 0:
			t.Errorf("printed %q: out.Len() = %d, want 0", errs, out.Len())
		}
		errs.Reset()
		v := c.Volume("export", 0)
		time.Sleep(progressPeriod)
		v.Set(3<<20, "7 letters\x1b")
		if errs.String() != "export: 3.0 MiB, 7 letters\\x1b\n" {
			t.Errorf("printed %q, want \"export: 3.0 MiB, 7 dead letters\\\\x1b\\n\"", errs)
		}
	})
}

func TestProgressIsABarForAPerson(t *testing.T) {
	t.Parallel()
	c, out, errs := console(true)
	p := c.Count("replay", 2)
	p.Set(1, "paused\x1b[2J")
	p.Set(2, "")
	p.End()
	p.End()
	switch {
	case out.Len() > 0:
		t.Errorf("out %q, err %q: out.Len() = %d, want 0", out, errs, out.Len())
	case !strings.Contains(errs.String(), "replay"):
		t.Errorf("out %q, err %q: errs.String() = %q, want \"replay\" in it", out, errs, errs.String())
	case strings.Contains(errs.String(), "\x1b[2J"):
		t.Errorf("out %q, err %q: errs.String() = %q, want no \"\\x1b[2J\" in it", out, errs, errs.String())
	}
}
