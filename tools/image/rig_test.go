package main

// One binary and one image for all tests, and ways to take the image apart and
// to run what is in it.

import (
	"archive/tar"
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// workDir lives as long as the tests.
var workDir string

func TestMain(m *testing.M) {
	var err error
	if workDir, err = os.MkdirTemp("", "image"); err != nil {
		panic(err)
	}
	// Every user that runs the program in the image's tree has to reach it.
	if err := os.Chmod(workDir, 0o755); err != nil { // #nosec G302 -- others run what is in it
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(workDir)
	os.Exit(code)
}

// build makes the binary from a folder of sources, in the way of the Makefile.
func build(source, out string) error {
	cmd := exec.Command("go", "build", "-C", source, "-trimpath", "-buildvcs=false", "-tags", "", "-ldflags", "-s -w -X main.version=image", "-o", out, "./cmd/queue-worker")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOWORK=off")
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, text)
	}
	return nil
}

var theBinary = sync.OnceValues(func() (string, error) {
	path := filepath.Join(workDir, "queue-worker")
	return path, build("../..", path)
})

func binary(t *testing.T) string {
	t.Helper()
	path, err := theBinary()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func optionsOf(t *testing.T) options {
	t.Helper()
	return options{binary: binary(t), version: "1.2.3", revision: "abc", created: time.Unix(1700000000, 0).UTC()}
}

// archive writes an image and returns its file.
func archive(t *testing.T) string {
	t.Helper()
	o := optionsOf(t)
	files, err := o.files()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "image.tar")
	if _, err := o.writeTar(path, "registry.example/queue-worker:1.2.3", files); err != nil {
		t.Fatal(err)
	}
	return path
}

// loaded is the image as an engine reads it from the archive.
func loaded(t *testing.T, path string) v1.Image {
	t.Helper()
	img, err := tarball.ImageFromPath(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// entries calls f for everything in the image's one layer.
func entries(t *testing.T, img v1.Image, f func(*tar.Header, []byte)) {
	t.Helper()
	layers, err := img.Layers()
	switch {
	case err != nil:
		t.Fatalf("%v, want nil", err)
	case len(layers) != 1:
		t.Fatalf("%d layers, want 1", len(layers))
	}
	r, err := layers[0].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	for in := tar.NewReader(r); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		f(h, content)
	}
}

// container is the image's tree, unpacked; a program in it runs as the image's
// user and sees nothing else, where the tests may arrange that.
type container struct{ root string }

func unpack(t *testing.T) container {
	t.Helper()
	root, err := os.MkdirTemp(workDir, "root")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(root, 0o755); err != nil { // #nosec G302 -- as the root of a container
		t.Fatal(err)
	}
	entries(t, loaded(t, archive(t)), func(h *tar.Header, content []byte) {
		p := filepath.Join(root, h.Name) // #nosec G305 -- the tree is ours
		var err error
		switch h.Typeflag {
		case tar.TypeDir:
			err = os.MkdirAll(p, os.FileMode(h.Mode)) // #nosec G115 -- permissions
		case tar.TypeSymlink:
			err = os.Symlink(h.Linkname, p)
		default:
			err = os.WriteFile(p, content, os.FileMode(h.Mode)) // #nosec G115 -- permissions
		}
		if err != nil {
			t.Fatal(err)
		}
	})
	return container{root}
}

// command is a program in the container. As root it is locked into the tree, as
// 65532, who owns nothing in it: a root file system that it cannot write to.
// Others run it where it lies, which shows less.
func (c container) command(ctx context.Context, environ []string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env = append([]string{"PATH=/usr/bin"}, environ...)
	if os.Getuid() == 0 {
		cmd.Dir = "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: c.root, Credential: &syscall.Credential{Uid: 65532, Gid: 65532}}
	} else {
		cmd.Path = filepath.Join(c.root, args[0])
		cmd.Dir = c.root
	}
	return cmd
}

// path is where the program finds a folder of the container.
func (c container) path(dir string) string {
	if os.Getuid() == 0 {
		return dir
	}
	return filepath.Join(c.root, dir)
}

// volume makes a folder that the program may write to.
func (c container) volume(t *testing.T, dir string) {
	t.Helper()
	p := filepath.Join(c.root, dir)
	if err := os.MkdirAll(p, 0o755); err != nil {
		t.Fatal(err)
	}
	if os.Getuid() == 0 {
		if err := os.Chown(p, 65532, 65532); err != nil {
			t.Fatal(err)
		}
	}
}

// worker is a running one, and what it has said so far.
type worker struct {
	cmd   *exec.Cmd
	lines []line
	url   string
	more  *bufio.Scanner
}

type line struct{ Level, Msg, Address string }

// start runs the worker and waits until it listens.
func (c container) start(t *testing.T, environ []string, args ...string) *worker {
	t.Helper()
	environ = append(environ, "http_listen_address=127.0.0.1:0", "log_encoding=json")
	w := &worker{cmd: c.command(t.Context(), environ, args...)}
	out, err := w.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	w.cmd.Stderr = w.cmd.Stdout
	if err := w.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.cmd.Process.Kill() })
	w.more = bufio.NewScanner(out)
	for w.url == "" && w.more.Scan() {
		var l line
		if json.Unmarshal(w.more.Bytes(), &l) != nil {
			t.Fatalf("not a line of the log: %s, want json.Unmarshal(w.more.Bytes(), &l) nil", w.more.Text())
		}
		w.lines = append(w.lines, l)
		if l.Msg == "listening" {
			w.url = "http://" + l.Address
		}
	}
	if w.url == "" {
		t.Fatalf("the worker did not start: %v: w.url = %q, want not \"\"", w.lines, w.url)
	}
	return w
}

// stop sends SIGTERM and returns how the worker ended.
func (w *worker) stop(t *testing.T) error {
	t.Helper()
	if err := w.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for w.more.Scan() {
		continue // until it has closed its output
	}
	return w.cmd.Wait()
}

func (w *worker) said(part string) bool {
	for _, l := range w.lines {
		if strings.Contains(l.Msg, part) {
			return true
		}
	}
	return false
}

func digest(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(b))
}
