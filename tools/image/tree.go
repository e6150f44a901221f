package main

// The files of the image: the binary under the three names that charts call, the
// certificates that callbacks over TLS are checked against, licence and bill of
// materials. No shell, no package manager, nothing to update but the binary.

import (
	"archive/tar"
	"bytes"
	"encoding/pem"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// Paths in the image, without the leading slash.
const (
	binaryPath  = "usr/bin/queue-worker"
	rootsPath   = "etc/ssl/certs/ca-certificates.crt"
	licencePath = "usr/share/licenses/queue-worker/LICENSE"
	sbomPath    = "usr/share/sbom/queue-worker.cdx.json"
)

// links are the other names: /worker for the Community worker, the commercial
// one of NATS Streaming and faasd, and jetstream-queue-worker on the PATH. They
// are relative, so that they hold wherever the files lie.
var links = map[string]string{
	"worker":                         binaryPath,
	"usr/bin/jetstream-queue-worker": "queue-worker",
}

// file is one entry of a tree: a folder, a link or content.
type file struct {
	path    string
	link    string
	content []byte
	mode    int64
}

func (f file) isDir() bool { return f.content == nil && f.link == "" }

// tree is all files, folders before what is in them, in the order of their paths.
type tree []file

func (o options) files() (tree, error) {
	binary, err := os.ReadFile(o.binary)
	if err != nil {
		return nil, err
	}
	sbom, err := o.sbom()
	if err != nil {
		return nil, err
	}
	licence, err := os.ReadFile(filepath.Join("..", "..", "LICENSE"))
	if err != nil {
		return nil, err
	}
	t := tree{
		{path: binaryPath, content: binary, mode: 0o755},
		{path: rootsPath, content: roots(), mode: 0o644},
		{path: licencePath, content: licence, mode: 0o644},
		{path: sbomPath, content: sbom, mode: 0o644},
	}
	for name, target := range links {
		t = append(t, file{path: name, link: target, mode: 0o777})
	}
	return t.withFolders(), nil
}

// roots are the certificate authorities that Mozilla trusts, without those that
// it trusts within bounds only.
func roots() []byte {
	var b bytes.Buffer
	for r := range bundle.Roots() {
		if r.Constraint == nil {
			_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: r.Certificate}) // a bytes.Buffer takes everything
		}
	}
	return b.Bytes()
}

func (t tree) withFolders() tree {
	seen := map[string]bool{".": true}
	for _, f := range slices.Clone(t) {
		for dir := path.Dir(f.path); !seen[dir]; dir = path.Dir(dir) {
			seen[dir] = true
			t = append(t, file{path: dir, mode: 0o755})
		}
	}
	slices.SortFunc(t, func(a, b file) int { return strings.Compare(a.path, b.path) })
	return t
}

func (t tree) content(path string) []byte {
	i := slices.IndexFunc(t, func(f file) bool { return f.path == path })
	return t[i].content
}

// tar writes the files as a layer, owned by root and writable only by root.
func (o options) tar(w io.Writer, t tree) error {
	out := tar.NewWriter(w)
	for _, f := range t {
		h := &tar.Header{Name: f.path, Mode: f.mode, ModTime: o.created, Size: int64(len(f.content)), Typeflag: tar.TypeReg, Format: tar.FormatPAX}
		switch {
		case f.isDir():
			h.Typeflag, h.Name = tar.TypeDir, f.path+"/"
		case f.link != "":
			h.Typeflag, h.Linkname = tar.TypeSymlink, f.link
		}
		if err := out.WriteHeader(h); err != nil {
			return err
		}
		if _, err := out.Write(f.content); err != nil {
			return err
		}
	}
	return out.Close()
}

// layOut writes the files below a folder.
func (t tree) layOut(dir string) error {
	for _, f := range t {
		p := filepath.Join(dir, filepath.FromSlash(f.path))
		var err error
		switch {
		case f.isDir():
			err = os.MkdirAll(p, os.FileMode(f.mode)) // #nosec G115 -- a constant
		case f.link != "":
			err = os.Symlink(f.link, p)
		default:
			err = os.WriteFile(p, f.content, os.FileMode(f.mode)) // #nosec G115 -- a constant
		}
		if err != nil {
			return err
		}
	}
	return nil
}
