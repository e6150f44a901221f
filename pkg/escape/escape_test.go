package escape

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestLineShowsWhatWouldMoveTheCursor(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"figlet":                 "figlet",
		"größe 日本":               "größe 日本",
		"\x1b[2Jgone":            `\x1b[2Jgone`,
		"a\rb\nc\td":             `a\rb\nc\td`,
		"\x00\x07\x7f":           `\x00\x07\x7f`,
		"\u009b31m":              `\u009b31m`,
		"user\u202etxt.exe":      `user\u202etxt.exe`,
		"zero\u200bwidth\ufeff":  `zero\u200bwidth\ufeff`,
		"line\u2028para\u2029":   `line\u2028para\u2029`,
		"tag\U000e0041":          `tag\U000e0041`,
		"bad \xff\xc3":           `bad \xff\xc3`,
		"replacement \ufffd":     "replacement \ufffd",
		"\x1b]8;;http://x\x1b\\": `\x1b]8;;http://x\x1b\`,
	} {
		if got := Line(in); got != want {
			t.Errorf("%q is shown as %q, want %q", in, got, want)
		}
	}
	if got := Lines("two\n\tlines\x1b[A\xe2\x82"); got != "two\n\tlines\\x1b[A\\xe2\\x82" {
		t.Errorf("lines are shown as %q, want \"two\\n\\tlines\\\\x1b[A\\\\xe2\\\\x82\"", got)
	}
}

func FuzzText(f *testing.F) {
	for _, s := range []string{"", "a", "\x1b[2J", "\u202e", "\xff\xfe", "\U000e0041", "日本"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, got := range []string{Line(s), Lines(s)} {
			if isHarmful(got) {
				t.Errorf("%q is shown as %q: isHarmful(got) = true, want false", s, got)
			}
		}
		if strings.ContainsAny(Line(s), "\n\t") {
			t.Errorf("%q is shown as more than a line: strings.ContainsAny(Line(s), \"\\n\\t\") = true, want false", s)
		}
	})
}

func isHarmful(s string) bool {
	return !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool {
		return r != '\n' && r != '\t' && !unicode.IsGraphic(r) || r == '\u2028' || r == '\u2029'
	})
}

func TestAStreamMayCutCharacters(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	w := NewWriter(&out)
	for _, c := range []byte("日\x1b[2J\n\xe6") {
		if n, err := w.Write([]byte{c}); n != 1 || err != nil {
			t.Fatal(n, err)
		}
	}
	w.Flush()
	if got, want := out.String(), "日\\x1b[2J\n\\xe6"; got != want {
		t.Errorf("%q is written, want %q", got, want)
	}
}

// Every character that acts on a terminal, or turns the direction of writing, is
// escaped, and the document means what it meant.
func TestEscapedJSONHasTheSameValue(t *testing.T) {
	t.Parallel()
	hostile := []rune{'\x7f', '\u200e', '\u200f', '\u061c', '\u2028', '\u2029', '\ufeff', '\U000e0041'}
	for r := rune(0x80); r <= 0x9f; r++ {
		hostile = append(hostile, r)
	}
	for _, bidi := range [][2]rune{{0x202a, 0x202e}, {0x2066, 0x2069}} {
		for r := bidi[0]; r <= bidi[1]; r++ {
			hostile = append(hostile, r)
		}
	}
	for _, r := range hostile {
		document := []byte(`{"a` + string(r) + `":["` + string(r) + `[31m", "größe 日"]}`)
		got := JSON(document)
		var want, is any
		if bytes.ContainsRune(got, r) || json.Unmarshal(document, &want) != nil || json.Unmarshal(got, &is) != nil || !reflect.DeepEqual(is, want) {
			t.Errorf("%U: %s", r, got)
		}
	}
	if got := string(JSON([]byte("{\r\n\t\"a\": \"\\\\\xff\"\r}"))); got != "{ \n\t\"a\": \"\\\\\\ufffd\" }" {
		t.Errorf("white space is written as %q, want \"{ \\n\\t\\\"a\\\": \\\"\\\\\\\\\\\\ufffd\\\" }\"", got)
	}
	same := []byte(`{"a":"plain"}`)
	if got := JSON(same); &got[0] != &same[0] {
		t.Errorf("what needs no escape is copied: &got[0] = %+v, want %+v", &got[0], &same[0])
	}
}

func FuzzJSON(f *testing.F) {
	for _, s := range []string{`{"a":"` + "\u202e\u009b2J\u200b日\U000e0041\x7f\xff" + `"}`, "[1,\r\n2]", `"\ud800"`, "\x1b"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		got := JSON(bytes.Clone(document))
		if isHarmful(string(got)) {
			t.Fatalf("%q is written as %q: isHarmful(string(got)) = true, want false", document, got)
		}
		var want, is any
		if json.Unmarshal(document, &want) == nil && (json.Unmarshal(got, &is) != nil || !reflect.DeepEqual(is, want)) {
			t.Errorf("%q means %v, and %q means %v", document, want, got, is)
		}
	})
}

func BenchmarkJSON(b *testing.B) {
	plain := []byte(`{"id":"` + strings.Repeat("a", 64<<10) + `"}`)
	mixed := []byte(`{"id":"` + strings.Repeat("größe\u202e", 8<<10) + `"}`)
	for name, document := range map[string][]byte{"plain": plain, "mixed": mixed} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(document)))
			b.ReportAllocs()
			for b.Loop() {
				JSON(document)
			}
		})
	}
}
