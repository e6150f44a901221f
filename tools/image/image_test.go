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
	switch {
	case len(c.Config.Entrypoint) != 0:
		t.Errorf("entry point %v, command %v, want len 0", c.Config.Entrypoint, c.Config.Cmd)
	case !slices.Equal(c.Config.Cmd, []string{"/usr/bin/queue-worker"}):
		t.Errorf("command %v, want %q", c.Config.Cmd, []string{"/usr/bin/queue-worker"})
	}
	switch {
	case c.Config.User != "65532:65532":
		t.Errorf("user %s, want \"65532:65532\"", c.Config.User)
	case c.Config.WorkingDir != "/":
		t.Errorf("in %s, want \"/\"", c.Config.WorkingDir)
	case c.OS != "linux":
		t.Errorf("user %s, in %s, %s/%s: c.OS = %q, want \"linux\"", c.Config.User, c.Config.WorkingDir, c.OS, c.Architecture, c.OS)
	case c.Architecture == "":
		t.Errorf("user %s, in %s, %s/%s: c.Architecture = %q, want not \"\"", c.Config.User, c.Config.WorkingDir, c.OS, c.Architecture, c.Architecture)
	}
	if !slices.Contains(c.Config.Env, "PATH=/usr/bin") {
		t.Errorf("jetstream-queue-worker is not on the path: %v: slices.Contains(c.Config.Env, \"PATH=/usr/bin\") = false, want true", c.Config.Env)
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
			switch {
			case !bytes.Equal(content, want):
				t.Errorf("the binary has %d bytes and mode %o: content = %q, want %q", len(content), h.Mode, content, want)
			case h.Mode != 0o755:
				t.Errorf("the binary has %d bytes and mode %o: h.Mode = %d, want 0o755", len(content), h.Mode, h.Mode)
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
		switch {
		case strings.HasPrefix(name, "bin/"):
			t.Errorf("there is a %s: strings.HasPrefix(name, \"bin/\") = true, want false", name)
		case strings.HasSuffix(name, "/sh"):
			t.Errorf("there is a %s: strings.HasSuffix(name, \"/sh\") = true, want false", name)
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
		t.Errorf("%d certificate authorities, want at least 100", n)
	}
}

func TestTheImageIsSmall(t *testing.T) {
	t.Parallel()
	info, err := os.Stat(archive(t))
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() > maxCompressed {
		t.Errorf("%d bytes compressed, at most %d, want at most %d", info.Size(), maxCompressed, maxCompressed)
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
			t.Fatalf("%v %s, want nil", err, out)
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
		t.Errorf("two builds of the same source are %s and %s, want %v", a, b, b)
	}
	if a, b := digest(t, archive(t)), digest(t, archive(t)); a != b {
		t.Errorf("two images of the same binary are %s and %s, want %v", a, b, b)
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
		t.Errorf("the Go version is not listed: c.Version = %q, want not \"\"", c.Version)
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
			switch {
			case got != tt.want:
				t.Errorf("%q, want %q", got, tt.want)
			case (err == nil) != (tt.want != ""):
				t.Errorf("%q, %v: err == nil = %v, want %v", got, err, err == nil, tt.want != "")
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
			t.Errorf("Dockerfile, want %q in it", part)
		}
	}
	if strings.Contains(string(text), "\nENTRYPOINT") {
		t.Errorf("Dockerfile, want no ENTRYPOINT in it")
	}
}
