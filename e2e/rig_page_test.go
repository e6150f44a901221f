// File rig_page_test.go runs the commands of a page as they are printed, beside
// `queue-worker dev`.

package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"queue-worker/internal/testkit"
)

// block is a fenced block of a page. Blocks of kind "sh" are run. A block of kind
// "text" holds lines that the output of the commands before it, or the log of the
// worker since then, has to contain; "…" in a line stands for any text.
type block struct{ kind, text string }

var fence = regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```$")

func blocksOf(t testing.TB, file string) (all []block) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range fence.FindAllStringSubmatch(string(text), -1) {
		all = append(all, block{m[1], m[2]})
	}
	return all
}

// needPrograms skips a test on a machine without the programs of its page.
func needPrograms(t testing.TB, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("the page needs %s", name)
		}
	}
}

// reader types what a page says, as a stranger would. Only the addresses and the folder
// of the page are replaced, because tests run at the same time.
type reader struct {
	t         *testing.T
	dir       string // a checkout, as far as the page needs one
	env       []string
	addresses *strings.Replacer
	dev       string   // flags of `queue-worker dev`
	worker    *process // nil until the page has started it
	seen      int      // lines of its log before the last commands
	output    string   // of the last commands
}

// newReader makes a reader in an empty folder with bin/queue-worker in it.
// Functions by their address on the page replace the addresses of functions.
func newReader(t *testing.T, functions map[string]*stub) *reader {
	t.Helper()
	needPrograms(t, "bash", "curl", "make", "tar", "gzip")
	binary, err := plainBinary()
	if err != nil {
		t.Fatal(err)
	}
	d := newDevStand(t)
	r := &reader{t: t, dir: t.TempDir()}
	r.dev = "--gateway-listen " + d.gateway + " --stan-listen " + d.stan + " --http-listen " + d.http + " --data data"
	bin := filepath.Join(r.dir, "bin")
	if err := os.Mkdir(bin, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(binary, filepath.Join(bin, "queue-worker")); err != nil {
		t.Fatal(err)
	}
	// curl fails where an answer is an error.
	if err := os.WriteFile(filepath.Join(r.dir, ".curlrc"), []byte("fail-with-body\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.env = append(environment(), "CURL_HOME="+r.dir, "QUEUE_WORKER_SERVER=http://"+d.http, "PATH="+bin+":"+os.Getenv("PATH"))
	pairs := []string{"localhost:8080", d.gateway, "localhost:8081", d.http, "localhost:8082", d.http, "/var/lib/queue-worker", r.dir}
	for address, fn := range functions {
		pairs = append(pairs, address, strings.TrimPrefix(fn.url(), "http://"))
	}
	r.addresses = strings.NewReplacer(pairs...)
	return r
}

// follow runs a page from its first block to its last.
func (r *reader) follow(file string) {
	r.t.Helper()
	for _, b := range blocksOf(r.t, file) {
		if r.t.Failed() {
			return
		}
		switch b.kind {
		case "sh":
			r.run(b.text)
		case "text":
			r.expect(b.text)
		}
	}
}

// run runs the commands of a block. Those that start and stop the worker are the
// reader's, who uses a terminal of its own for them.
func (r *reader) run(text string) {
	r.t.Helper()
	r.output = ""
	r.mark()
	var script []string
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if !starts(line) && !stops(line) {
			script = append(script, line)
			continue
		}
		r.shell(script)
		script = nil
		r.stop()
		if starts(line) {
			r.start(line)
		}
	}
	r.shell(script)
}

func starts(line string) bool {
	return strings.Contains(line, "make run") || line == "systemctl start queue-worker"
}

func stops(line string) bool { return line == "systemctl stop queue-worker" }

// shell runs lines in one shell, which ends at the first command that fails.
func (r *reader) shell(lines []string) {
	r.t.Helper()
	if len(lines) == 0 || r.t.Failed() {
		return
	}
	script := r.addresses.Replace(strings.Join(lines, "\n"))
	cmd := exec.CommandContext(r.t.Context(), "bash", "-euo", "pipefail", "-c", script)
	cmd.Dir, cmd.Env = r.dir, r.env
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	dieWithParent(cmd)
	err := cmd.Run()
	r.output += out.String()
	if err != nil {
		r.t.Errorf("%v\n%s\n%s", err, script, r.output)
	}
}

// start runs a `make run` line with the real Makefile, without building again, and
// waits until the worker is ready.
func (r *reader) start(line string) {
	r.t.Helper()
	before, after, isMake := strings.Cut(line, "make run")
	if !isMake {
		before, after = "", ""
	}
	makefile, err := filepath.Abs("../Makefile")
	if err != nil {
		r.t.Fatal(err)
	}
	if strings.Contains(after, `ARGS="`) {
		after = strings.Replace(after, `ARGS="`, `ARGS="`+r.dev+" ", 1)
	} else {
		after += ` ARGS="` + r.dev + `"`
	}
	script := before + "exec make -f " + makefile + " -o build run" + r.addresses.Replace(after)
	cmd := exec.Command("bash", "-c", script)
	cmd.Dir, cmd.Env = r.dir, r.env
	r.worker = spawn(r.t, line, cmd)
	r.t.Cleanup(r.stop) // before make is killed, which would leave its child
	r.seen = 0
	r.worker.line(r.t, "being ready", func(l string) bool { return strings.Contains(l, " INF ready ") })
}

// stop ends the worker as Ctrl-C does. Make passes SIGTERM on, and waits.
func (r *reader) stop() {
	r.t.Helper()
	w := r.worker
	r.worker = nil
	if w == nil || w.isOver() {
		return
	}
	w.signal(r.t, syscall.SIGTERM)
	w.exit(r.t) // the code is make's own
}

func (r *reader) mark() {
	if r.worker != nil {
		lines, _ := r.worker.out.since(0)
		r.seen = len(lines)
	}
}

// expect waits for the lines of a block, each of which stands for a line of its own.
func (r *reader) expect(text string) {
	r.t.Helper()
	missing := text
	defer func() {
		if missing != "" {
			r.t.Errorf("not found:\n%s\nin the output:\n%s", missing, r.output)
		}
	}()
	testkit.Eventually(r.t, "the lines that the page shows", func() bool {
		missing = r.missing(text)
		return missing == "" || r.worker == nil || r.worker.isOver()
	})
}

// missing is what of a block was not written yet.
func (r *reader) missing(text string) string {
	got := strings.Split(r.output, "\n")
	if r.worker != nil {
		log, _ := r.worker.out.since(r.seen)
		got = append(got, log...)
	}
	var missing []string
	for line := range strings.Lines(r.addresses.Replace(text)) {
		line = strings.TrimSpace(line)
		wanted := regexp.MustCompile(strings.ReplaceAll(regexp.QuoteMeta(line), "…", ".*"))
		i := slices.IndexFunc(got, wanted.MatchString)
		if i < 0 {
			missing = append(missing, line)
			continue
		}
		got = slices.Delete(got, i, i+1)
	}
	return strings.Join(missing, "\n")
}
