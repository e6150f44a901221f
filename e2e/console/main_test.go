package console

// The entry: it builds the program, finds the browser and starts it once for all tests.

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
)

// update writes the screenshots of the documentation.
var update = flag.Bool("update", false, "write the screenshots of docs/images")

// What all tests share.
var (
	binary  string          // the program
	axe     string          // the source of axe-core
	browser context.Context // of the running browser
)

// errInstall says what to type where the browser or axe-core is missing.
var errInstall = errors.New("the browser tests need Chromium and axe-core; as root, type: make browser")

func TestMain(m *testing.M) {
	flag.Parse()
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (int, error) {
	chromium := installed("chromium", "chromium-browser", "google-chrome")
	if chromium == "" {
		return 0, errInstall
	}
	source, err := os.ReadFile("node_modules/axe-core/axe.min.js")
	if err != nil {
		return 0, errInstall
	}
	axe = string(source)
	dir, err := os.MkdirTemp("", "queue-worker-console-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	if err := build(dir); err != nil {
		return 0, err
	}
	stop, err := startBrowser(chromium)
	if err != nil {
		return 0, err
	}
	defer stop()
	defer closeShared()
	return m.Run(), nil
}

// installed is the path of the first of some programs that is there, "" for none.
func installed(names ...string) string {
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// build builds the program into a folder.
func build(dir string) error {
	binary = filepath.Join(dir, "queue-worker")
	cmd := exec.Command("go", "build", "-o", binary, "./cmd/queue-worker")
	cmd.Dir = filepath.Join("..", "..")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the program: %w\n%s", err, out)
	}
	return nil
}

// startBrowser starts the browser. It reaches this machine only.
func startBrowser(path string) (stop func(), err error) {
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.Flag("no-proxy-server", true), chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
		chromedp.Flag("lang", "en-US"), chromedp.Flag("hide-scrollbars", true),
	)
	if os.Geteuid() == 0 { // root has no sandbox
		options = append(options, chromedp.NoSandbox)
	}
	allocator, release := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, end := chromedp.NewContext(allocator)
	stop = func() { end(); release() }
	if err := chromedp.Do(ctx); err != nil {
		stop()
		return nil, fmt.Errorf("start %s: %w", path, err)
	}
	browser = ctx
	return stop, nil
}
