package main

// What the image is made of, and that it is the same every time.

import (
	"archive/tar"
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// maxCompressed is what a node has to pull at most.
const maxCompressed = 30 << 20

func TestTheImageStartsTheWorkerAsNobodyInParticular(t *testing.T) {
	t.Parallel()
	c, err := loaded(t, archive(t)).ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Config.Entrypoint) != 0 || !slices.Equal(c.Config.Cmd, []string{"/usr/bin/queue-worker"}) {
		t.Errorf("entry point %v, command %v", c.Config.Entrypoint, c.Config.Cmd)
	}
	if c.Config.User != "65532:65532" || c.Config.WorkingDir != "/" || c.OS != "linux" || c.Architecture == "" {
		t.Errorf("user %s, in %s, %s/%s", c.Config.User, c.Config.WorkingDir, c.OS, c.Architecture)
	}
	if !slices.Contains(c.Config.Env, "PATH=/usr/bin") {
		t.Errorf("jetstream-queue-worker is not on the path: %v", c.Config.Env)
	}
	for k, want := range map[string]string{"version": "1.2.3", "revision": "abc", "licenses": "MIT", "title": "queue-worker"} {
		if got := c.Config.Labels["org.opencontainers.image."+k]; got != want {
			t.Errorf("label %s is %q, want %q", k, got, want)
		}
	}
}

func TestTheImageHasTheBinaryOnceUnderThreeNames(t *testing.T) {
	t.Parallel()
	want, err := os.ReadFile(binary(t))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	entries(t, loaded(t, archive(t)), func(h *tar.Header, content []byte) {
		found[h.Name] = h.Linkname
		if h.Uid != 0 || h.Gid != 0 || h.Typeflag != tar.TypeSymlink && h.Mode&0o022 != 0 {
			t.Errorf("%s belongs to %d:%d with mode %o", h.Name, h.Uid, h.Gid, h.Mode)
		}
		switch h.Name {
		case binaryPath:
			if !bytes.Equal(content, want) || h.Mode != 0o755 {
				t.Errorf("the binary has %d bytes and mode %o", len(content), h.Mode)
			}
		case rootsPath:
			checkRoots(t, content)
		}
	})
	for name, link := range map[string]string{"worker": "usr/bin/queue-worker", "usr/bin/jetstream-queue-worker": "queue-worker", licencePath: "", sbomPath: ""} {
		if got, is := found[name]; !is || got != link {
			t.Errorf("%s leads to %q (there: %t), want %q", name, got, is, link)
		}
	}
	for name := range found {
		if strings.HasPrefix(name, "bin/") || strings.HasSuffix(name, "/sh") {
			t.Errorf("there is a %s", name)
		}
	}
}

func checkRoots(t *testing.T, text []byte) {
	t.Helper()
	n := 0
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			t.Error(err)
		}
		n++
	}
	if n < 100 {
		t.Errorf("%d certificate authorities", n)
	}
}

func TestTheImageIsSmall(t *testing.T) {
	t.Parallel()
	info, err := os.Stat(archive(t))
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() > maxCompressed {
		t.Errorf("%d bytes compressed, at most %d", info.Size(), maxCompressed)
	}
}

// TestTwoBuildsAreOne builds from another folder. With REPRODUCE=full it also
// uses an empty cache, so that everything is compiled again; that takes minutes.
func TestTwoBuildsAreOne(t *testing.T) {
	t.Parallel()
	source := filepath.Join(t.TempDir(), "elsewhere")
	if err := os.MkdirAll(source, 0o750); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"go.mod", "go.sum", "cmd", "pkg"} {
		if out, err := exec.Command("cp", "-r", filepath.Join("..", "..", part), source).CombinedOutput(); err != nil {
			t.Fatalf("%v %s", err, out)
		}
	}
	if os.Getenv("REPRODUCE") == "full" {
		cache := os.Getenv("GOCACHE")
		if err := os.Setenv("GOCACHE", t.TempDir()); err != nil { // for the build below; nothing else is built then
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.Setenv("GOCACHE", cache) })
	}
	first := binary(t)
	second := filepath.Join(t.TempDir(), "queue-worker")
	if err := build(source, second); err != nil {
		t.Fatal(err)
	}
	if a, b := digest(t, first), digest(t, second); a != b {
		t.Errorf("two builds of the same source are %s and %s", a, b)
	}
	if a, b := digest(t, archive(t)), digest(t, archive(t)); a != b {
		t.Errorf("two images of the same binary are %s and %s", a, b)
	}
}

func TestTheBillOfMaterialsListsWhatIsInTheBinary(t *testing.T) {
	t.Parallel()
	text, err := optionsOf(t).sbom()
	if err != nil {
		t.Fatal(err)
	}
	var bom cdx.BOM
	if err := cdx.NewBOMDecoder(bytes.NewReader(text), cdx.BOMFileFormatJSON).Decode(&bom); err != nil {
		t.Fatal(err)
	}
	listed := map[string]cdx.Component{}
	for _, c := range *bom.Components {
		listed[c.Name] = c
	}
	list := exec.Command("go", "list", "-C", "../..", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}{{end}}{{end}}", "./cmd/queue-worker")
	list.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOWORK=off")
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		if path, version, is := strings.Cut(f, " "); is && (listed[path].Version != version || listed[path].Hashes == nil) {
			t.Errorf("%s %s is in the binary, and listed as %+v", path, version, listed[path])
		}
	}
	if c := listed["std"]; c.Version == "" {
		t.Error("the Go version is not listed")
	}
}

func TestABinaryThatWouldNotRunIsRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, goos, cgo, want string }{
		{"a static one for Linux", "linux", "0", "arm64"},
		{"one that needs libraries", "linux", "1", ""},
		{"one for another system", "darwin", "0", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := archOf([]debug.BuildSetting{{Key: "GOOS", Value: tt.goos}, {Key: "GOARCH", Value: "arm64"}, {Key: "CGO_ENABLED", Value: tt.cgo}})
			if got != tt.want || (err == nil) != (tt.want != "") {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

func TestTheDockerfileSaysTheSame(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	c := optionsOf(t).config()
	want := []string{"FROM scratch", "USER " + c.User, "ENV " + c.Env[0], "WORKDIR " + c.WorkingDir, "EXPOSE 8081", `CMD ["` + c.Cmd[0] + `"]`, "-rootfs /out", "-trimpath -buildvcs=false"}
	for name := range c.Labels {
		want = append(want, name+`="`)
	}
	for _, part := range want {
		if !strings.Contains(string(text), part) {
			t.Errorf("Dockerfile does not have %s", part)
		}
	}
	if strings.Contains(string(text), "\nENTRYPOINT") {
		t.Error("the Dockerfile has an entry point")
	}
}
