// File words_test.go holds that the words that docs/glossary.md replaces do not come back.

package arch

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// replaced are phrases that have a word in the glossary, and what to write.
var replaced = []struct{ phrase, write string }{
	{"told", "reported, logged or notified, or name what is returned"},
	{"anew", "again"},
	{"nobody", "the passive, or the role: caller, operator, function author"},
	{"whoever", "the role: caller, operator, client"},
	{"in hand", "in flight; of messages: unsettled"},
	{"under way", "in flight or running"},
	{"what waits", "pending invocations"},
	{"who asks", "the caller or the operator"},
	{"what is due", "due invocations"},
	{"goes on", "continues or is resumed"},
	{"intake rests", "the intake is paused"},
	{"lies in", "is in"},
	{"embedded door", "embedded NATS Streaming"},
	{"verdict", "outcome"},
	{"grave", "dead set or outcome"},
	{"tempos?", "throttle"},
}

// checked are the endings of files with words of ours.
var checked = []string{".go", ".md", ".yaml", ".tpl", ".txt", ".json"}

// ownWords are files that name replaced words on purpose.
var ownWords = []string{"internal/arch/words_test.go"}

// oldMessage is a row of the table in CHANGELOG.md that has a log message as it was.
var oldMessage = regexp.MustCompile("^\\| `")

func TestReplacedWordsDoNotComeBack(t *testing.T) {
	t.Parallel()
	// The first letter in either case, so that names of Go such as http.NoBody are no hit.
	var parts []string
	for _, r := range replaced {
		first := r.phrase[:1]
		parts = append(parts, "["+strings.ToUpper(first)+first+"]"+r.phrase[1:])
	}
	all := regexp.MustCompile(`\b(?:` + strings.Join(parts, "|") + `)\b`)
	eachLine(t, func(file string, n int, line string) {
		if slices.Contains(ownWords, file) || file == "CHANGELOG.md" && oldMessage.MatchString(line) {
			return
		}
		if hit := all.FindString(line); hit != "" {
			t.Errorf("%s:%d has %q, want %s: see docs/glossary.md", file, n, hit, instead(hit))
		}
	})
}

// instead is what to write for a hit.
func instead(hit string) string {
	for _, r := range replaced {
		if regexp.MustCompile("^(?i:" + r.phrase + ")$").MatchString(hit) {
			return r.write
		}
	}
	return ""
}

var (
	// userText are files with nothing but text for users.
	userText = regexp.MustCompile(`^([A-Z]+|docs/.*)\.md$|^chart/queue-worker/(values\.yaml|templates/NOTES\.txt|files/.*)$|^pkg/api/openapi\.yaml$`)
	// alphabet are uses of the word letter that do not mean a dead letter without its adjective:
	// letters of the alphabet, names of files, and a name in the schema.
	alphabet = regexp.MustCompile(`(?i)dead[- ]letters?|letters(,| and) digits|letters\.ndjson|\bLetter:|[&*/]letter\b`)
	letter   = regexp.MustCompile(`(?i)\bletters?\b`)
)

func TestADeadLetterIsCalledSo(t *testing.T) {
	t.Parallel()
	before := ""
	eachLine(t, func(file string, n int, line string) {
		text := strings.TrimSpace(line)
		if strings.HasSuffix(before, "dead") {
			text = "dead " + text // a page may break a line there
		}
		before = strings.TrimSpace(line)
		if userText.MatchString(file) && letter.MatchString(alphabet.ReplaceAllString(text, "")) {
			t.Errorf("%s:%d has a letter, want a dead letter: %s", file, n, line)
		}
	})
}

// eachLine calls f for every line of every file with words of ours.
func eachLine(t *testing.T, f func(file string, n int, line string)) {
	t.Helper()
	all, err := readOnce()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		n := 0
		for line := range strings.Lines(p.text) {
			n++
			f(p.file, n, strings.TrimSuffix(line, "\n"))
		}
	}
}

// written is a file and what is in it.
type written struct{ file, text string }

// readOnce reads the files for all tests.
var readOnce = sync.OnceValues(func() (all []written, err error) {
	root := filepath.Join("..", "..")
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		file, _ := filepath.Rel(root, path)
		file = filepath.ToSlash(file)
		if d.IsDir() {
			if skippedFolder(file) {
				return fs.SkipDir
			}
			return nil
		}
		if !slices.Contains(checked, filepath.Ext(file)) {
			return nil
		}
		b, err := os.ReadFile(path) // #nosec G304 G122 -- a file of the repository
		all = append(all, written{file, string(b)})
		return err
	})
	return all, err
})

// skippedFolder reports whether a folder is no part of the repository.
func skippedFolder(file string) bool {
	return file != "." && strings.HasPrefix(file, ".") || file == "bin" || file == "dist" || file == "e2e/console/node_modules"
}
