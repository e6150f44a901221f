// Forms of values: what each reader takes, what it refuses, and that what is
// written for operators reads back.

package config

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// form is one way to write a value. A want of nil means that it is refused.
type form[T any] struct {
	name, in string
	want     *T
}

func checkForms[T any](t *testing.T, parse func(string) (T, error), forms []form[T]) {
	t.Helper()
	for _, f := range forms {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			got, err := parse(f.in)
			if f.want == nil {
				if err == nil {
					t.Fatalf("%q is read as %v, want it refused", f.in, got)
				}
				return
			}
			if err != nil {
				t.Fatalf("%q is refused: %v, want nil", f.in, err)
			}
			if d := cmp.Diff(*f.want, got); d != "" {
				t.Errorf("%q (-want +got):\n%s", f.in, d)
			}
		})
	}
}

func TestBytes(t *testing.T) {
	t.Parallel()
	checkForms(t, parseBytes, []form[int64]{
		{"plain bytes", "1048576", new(int64(1 << 20))},
		{"bytes with their unit", "512B", new(int64(512))},
		{"KiB", "3KiB", new(int64(3 << 10))},
		{"MiB", "256MiB", new(int64(256 << 20))},
		{"GiB", "1GiB", new(int64(1 << 30))},
		{"TiB", "2TiB", new(int64(2 << 40))},
		{"PiB", "1PiB", new(int64(1 << 50))},
		{"as Kubernetes writes it", "256Mi", new(int64(256 << 20))},
		{"in small letters", "1gib", new(int64(1 << 30))},
		{"a space before the unit", "64 MiB", new(int64(64 << 20))},
		{"zero", "0", new(int64(0))},
		{"a negative one is read, and out of range later", "-1MiB", new(int64(-1 << 20))},
		{"units of 1000", "1GB", nil},
		{"a lone M", "64M", nil},
		{"a fraction", "1.5GiB", nil},
		{"an overflow", "8192PiB", nil},
		{"a negative overflow", "-8193PiB", nil},
		{"a unit without a number", "MiB", nil},
		{"a lone B", "B", nil},
		{"two units", "1KiMiB", nil},
		{"two Bs", "1BB", nil},
		{"a word", "much", nil},
	})
}

func TestBool(t *testing.T) {
	t.Parallel()
	var forms []form[bool]
	for _, in := range []string{"1", "t", "T", "true", "TRUE", "True", "tRuE", "on", "On", "yes", "YES"} {
		forms = append(forms, form[bool]{"yes as " + in, in, new(true)})
	}
	for _, in := range []string{"0", "f", "F", "false", "FALSE", "False", "off", "OFF", "no"} {
		forms = append(forms, form[bool]{"no as " + in, in, new(false)})
	}
	for _, in := range []string{"2", "y", "n", "enabled", "tru", "-1"} {
		forms = append(forms, form[bool]{"refuses " + in, in, nil})
	}
	checkForms(t, parseBool, forms)
}

func TestList(t *testing.T) {
	t.Parallel()
	checkForms(t, parseList, []form[[]string]{
		{"one item", "faas-request", &[]string{"faas-request"}},
		{"items in their order", "b,a", &[]string{"b", "a"}},
		{"spaces around items", " a , b ", &[]string{"a", "b"}},
		{"a comma at the end", "a,b,", &[]string{"a", "b"}},
		{"an empty item between", "a,,b", &[]string{"a", "b"}},
		{"only commas", ",,", nil},
	})
}

func TestPropertyWhatIsWrittenReadsBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64().Draw(t, "n")
		switch got, err := parseBytes(formatBytes(n)); {
		case err != nil:
			t.Fatalf("%d bytes are written %q and read as %d, %v, want no error", n, formatBytes(n), got, err)
		case got != n:
			t.Fatalf("%d bytes are written %q and read as %d, %v, want %v", n, formatBytes(n), got, err, n)
		}
	})
}
