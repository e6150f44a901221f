package arch

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
)

const module = "queue-worker/"

// layers are the packages from the top to the bottom, each with the packages of
// this program that it may import. All of those stand further down. Tests may
// import what they need.
var layers = []struct {
	pkg     string
	imports []string
}{
	{"cmd/queue-worker", []string{"pkg/command"}},
	{"pkg/command", []string{"pkg/basicauth", "pkg/app", "pkg/dev", "pkg/doctor", "pkg/client", "pkg/wire", "pkg/term", "pkg/config", "pkg/transfer", "pkg/datadir", "pkg/store/embedded", "pkg/store/postgres", "pkg/store", "pkg/invocation", "pkg/duration", "pkg/escape", "pkg/similar"}},
	{"pkg/app", []string{
		"pkg/api", "pkg/admin", "pkg/ingest", "pkg/respond", "pkg/wire", "pkg/basicauth", "pkg/jobs", "pkg/finished", "pkg/pause", "pkg/gateway", "pkg/intake", "pkg/stanserver", "pkg/worker", "pkg/config",
		"pkg/datadir", "pkg/descriptor", "pkg/listen", "pkg/store/embedded", "pkg/store/postgres", "pkg/store", "pkg/invoke", "pkg/spool", "pkg/egress", "pkg/policy", "pkg/retry", "pkg/trace", "pkg/invocation", "pkg/duration",
	}},
	{"pkg/transfer", []string{"pkg/store"}},
	{"pkg/doctor", []string{"pkg/basicauth", "pkg/client", "pkg/intake", "pkg/config", "pkg/datadir", "pkg/store/embedded", "pkg/store/postgres", "pkg/descriptor"}},
	{"pkg/term", []string{"pkg/escape"}},
	{"pkg/client", []string{"pkg/wire"}}, // knows the program only by its HTTP surface
	{"pkg/api/apitest", []string{
		"internal/testkit", "pkg/api", "pkg/admin", "pkg/ingest", "pkg/respond", "pkg/wire", "pkg/basicauth", "pkg/jobs", "pkg/finished", "pkg/pause", "pkg/worker", "pkg/store/embedded", "pkg/store",
		"pkg/policy", "pkg/retry", "pkg/invocation",
	}},
	{"pkg/api", []string{"pkg/admin", "pkg/ingest", "pkg/console", "pkg/respond", "pkg/wire", "pkg/basicauth"}},
	{"pkg/admin", []string{
		"pkg/console", "pkg/respond", "pkg/wire", "pkg/jobs", "pkg/finished", "pkg/pause", "pkg/worker", "pkg/store", "pkg/retry", "pkg/throttle", "pkg/invocation", "pkg/duration", "pkg/similar",
	}},
	{"pkg/ingest", []string{"pkg/respond", "pkg/wire", "pkg/intake", "pkg/store", "pkg/trace", "pkg/invocation", "pkg/duration"}},
	{"pkg/console", []string{"pkg/wire", "pkg/escape", "pkg/invocation"}},
	{"pkg/respond", []string{"pkg/wire", "pkg/store", "pkg/escape"}},
	{"pkg/wire", []string{"pkg/invocation"}},
	{"pkg/jobs", []string{"pkg/store", "pkg/invocation"}},
	{"pkg/finished", []string{"pkg/store", "pkg/invocation"}},
	{"pkg/pause", []string{"pkg/store"}},
	{"pkg/gateway", []string{"pkg/basicauth", "pkg/descriptor", "pkg/invocation"}},
	{"pkg/dev", []string{"pkg/invocation"}},
	{"pkg/intake", []string{"pkg/store", "pkg/policy", "pkg/crash", "pkg/invocation", "pkg/duration"}},
	{"pkg/stanserver", []string{"pkg/datadir", "pkg/descriptor"}},
	{"pkg/worker", []string{"pkg/store", "pkg/invoke", "pkg/spool", "pkg/policy", "pkg/retry", "pkg/throttle", "pkg/trace", "pkg/crash", "pkg/invocation"}},
	{"pkg/store/storetest", []string{"pkg/store", "pkg/invocation"}},
	{"pkg/store/embedded", []string{"pkg/store/record", "pkg/store", "pkg/crash", "pkg/datadir", "pkg/descriptor", "pkg/invocation"}},
	{"pkg/store/postgres", []string{"pkg/store/record", "pkg/store", "pkg/crash", "pkg/invocation"}},
	{"pkg/store/record", []string{"pkg/store", "pkg/invocation"}},
	{"pkg/store", []string{"pkg/invocation"}},
	{"pkg/invoke", []string{"pkg/descriptor", "pkg/spool", "pkg/egress", "pkg/invocation"}},
	{"pkg/config", []string{"pkg/similar", "pkg/duration", "pkg/descriptor", "pkg/retry", "pkg/invocation"}},
	{"pkg/egress", []string{"pkg/invocation"}},
	{"pkg/policy", []string{"pkg/retry", "pkg/duration", "pkg/similar"}},
	{"pkg/retry", []string{"pkg/invocation"}},
	{"pkg/throttle", []string{"pkg/invocation"}},
	{"pkg/trace/tracetest", nil},
	{"pkg/trace", []string{"pkg/invocation"}},
	{"pkg/invocation", nil},
	{"pkg/duration", nil},
	{"pkg/crash", nil},
	{"pkg/escape", nil},
	{"pkg/spool", []string{"pkg/datadir"}},
	{"pkg/similar", nil},
	{"pkg/datadir", nil},
	{"pkg/listen", []string{"pkg/descriptor"}},
	{"pkg/basicauth", []string{"pkg/descriptor"}},
	{"pkg/descriptor", nil},
	{"internal/testkit", nil}, // tests and what serves them import it
	{"internal/pgtest", nil},
	{"e2e", nil}, // knows the program only as a binary
	{"internal/arch", nil},
}

// confined are the libraries that only some packages may use.
var confined = []confinement{
	{"github.com/nats-io", []string{"pkg/intake", "pkg/stanserver", "pkg/dev"}, "NATS Streaming is a source, and no longer maintained"},
	{"github.com/openfaas/nats-queue-worker", []string{"pkg/dev"}, "only the small gateway publishes as the real one does"},
	{"github.com/cockroachdb", []string{"pkg/store/embedded"}, "nothing outside an engine knows which engine runs"},
	{"github.com/jackc/pgx", []string{"pkg/store/postgres"}, "nothing outside an engine knows which engine runs"},
	{"github.com/vmihailenco/msgpack", []string{"pkg/store/record"}, "records are encoded in one place"},
	{"github.com/caarlos0/env", []string{"pkg/config"}, "settings are read in one place"},
	{"github.com/spf13/cobra", []string{"pkg/command"}, "commands are the business of the command line alone"},
	{"github.com/jedib0t/go-pretty", []string{"pkg/term"}, "how things look is decided in one place"},
	{"github.com/schollz/progressbar", []string{"pkg/term"}, "how things look is decided in one place"},
	{"go.opentelemetry.io", []string{"pkg/trace", "pkg/trace/tracetest"}, "without traces nothing else knows of them"},
	{"os", []string{
		"cmd/queue-worker", "internal/testkit", "internal/pgtest", "pkg/command", "pkg/app", "pkg/api/apitest", "pkg/ingest", "pkg/basicauth", "pkg/stanserver", "pkg/term", "pkg/config", "pkg/datadir", "pkg/dev", "pkg/doctor", "pkg/intake", "pkg/spool", "pkg/store/embedded", "pkg/trace", "e2e",
	}, "the packages that decide and call work without files and environment"},
	{"log", []string{"pkg/command", "pkg/dev"}, "logging goes through a *slog.Logger that is passed in"},
}

type confinement struct {
	library string // a package of the standard library, or everything below a path
	users   []string
	why     string
}

func (c confinement) matches(path string) bool {
	return path == c.library || strings.HasPrefix(path, c.library+"/") && strings.Contains(c.library, ".")
}

// listed is what `go list -json` tells of a package.
type listed struct {
	ImportPath string
	Imports    []string
}

func TestImportsPointDownwards(t *testing.T) {
	t.Parallel()
	position := map[string]int{}
	for i, l := range layers {
		position[l.pkg] = i
	}
	for i, l := range layers {
		for _, imp := range l.imports {
			switch at, known := position[imp]; {
			case !known:
				t.Errorf("the table lets %s import %s, which does not stand below it: known = false, want true", l.pkg, imp)
			case at <= i:
				t.Errorf("the table lets %s import %s, which does not stand below it: at = %d, want more than %d", l.pkg, imp, at, i)
			}
		}
	}
	for _, p := range list(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		at, known := position[name]
		if !known {
			t.Errorf("%s has no place in the table: put it where it belongs and say what it may import, want known", name)
			continue
		}
		for _, imp := range p.Imports {
			imp, ours := strings.CutPrefix(imp, module)
			if ours && !slices.Contains(layers[at].imports, imp) {
				t.Errorf("%s imports %s; want one of %q", name, imp, layers[at].imports)
			}
		}
	}
}

// TestEveryArrowIsUsed: an arrow that no import uses would let one come back unseen.
func TestEveryArrowIsUsed(t *testing.T) {
	t.Parallel()
	imports := map[string][]string{}
	for _, p := range list(t) {
		imports[strings.TrimPrefix(p.ImportPath, module)] = p.Imports
	}
	for _, l := range layers {
		used, exists := imports[l.pkg]
		if !exists {
			t.Errorf("the table has %s, want only packages that exist", l.pkg)
			continue
		}
		for _, imp := range l.imports {
			if !slices.Contains(used, module+imp) {
				t.Errorf("the table lets %s import %s, want only imports that exist", l.pkg, imp)
			}
		}
	}
}

func TestLibrariesAreConfined(t *testing.T) {
	t.Parallel()
	for _, p := range list(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		for _, c := range confined {
			if slices.ContainsFunc(p.Imports, c.matches) && !slices.Contains(c.users, name) {
				t.Errorf("%s imports %s, which only %q may: %s", name, c.library, c.users, c.why)
			}
		}
	}
}

// list returns the packages of the module, tests left out.
func list(t *testing.T) []listed {
	t.Helper()
	all, err := askedOnce()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// askedOnce asks the go command, which takes seconds.
var askedOnce = sync.OnceValues(func() (all []listed, err error) {
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", "./...")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return nil, fmt.Errorf("go list: %w\n%s", err, exit.Stderr)
	}
	for d := json.NewDecoder(bytes.NewReader(out)); err == nil; {
		var p listed
		if err = d.Decode(&p); err == nil {
			all = append(all, p)
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return all, err
})

func TestABuildWithoutTheEmbeddedServerHasNoPartOfIt(t *testing.T) {
	t.Parallel()
	for _, pkg := range linked(t, "-tags", "nostan") {
		for _, left := range []string{"github.com/nats-io/nats-server", "github.com/nats-io/nats-streaming-server", "queue-worker/pkg/stanserver"} {
			if strings.HasPrefix(pkg, left) {
				t.Errorf("the build tag nostan leaves %s in: strings.HasPrefix(pkg, left) = true, want false", pkg)
			}
		}
	}
}

// TestTheProgramLinksNoGRPC: it is 7.8 of 43 MB, and comes back with any package that
// uses one function of it. See docs/adr/0004-otlp-over-net-http.md.
func TestTheProgramLinksNoGRPC(t *testing.T) {
	t.Parallel()
	for _, pkg := range linked(t) {
		switch {
		case strings.HasPrefix(pkg, "google.golang.org/grpc"):
			t.Errorf("the program links %s: strings.HasPrefix(pkg, \"google.golang.org/grpc\") = true, want false", pkg)
		case strings.HasPrefix(pkg, "google.golang.org/genproto"):
			t.Errorf("the program links %s: strings.HasPrefix(pkg, \"google.golang.org/genproto\") = true, want false", pkg)
		}
	}
}

// linked returns the packages that the program is built from.
func linked(t *testing.T, flags ...string) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", slices.Concat([]string{"list", "-deps"}, flags, []string{"./cmd/queue-worker"})...)
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(out))
}
