package main

// The image: one layer and how to start it.

import (
	"bytes"
	"debug/buildinfo"
	"fmt"
	"io"
	"runtime/debug"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// user runs the program: an unprivileged id, not root.
const user = "65532:65532"

// config says how the image is started. The Dockerfile says the same. The
// program is Cmd and not Entrypoint: a compose file that says
// "command: /worker -license-file=..." would otherwise add to it, not replace it.
func (o options) config() v1.Config {
	return v1.Config{
		Cmd:          []string{"/usr/bin/queue-worker"},
		Env:          []string{"PATH=/usr/bin"},
		User:         user,
		WorkingDir:   "/",
		ExposedPorts: map[string]struct{}{"8081/tcp": {}},
		Labels: map[string]string{
			"org.opencontainers.image.title":       "queue-worker",
			"org.opencontainers.image.description": "Calls OpenFaaS functions off the queue, retries with back-off and keeps what failed",
			"org.opencontainers.image.licenses":    "MIT",
			"org.opencontainers.image.version":     o.version,
			"org.opencontainers.image.revision":    o.revision,
		},
	}
}

// image puts the files into one layer.
func (o options) image(files tree) (v1.Image, error) {
	arch, err := o.arch()
	if err != nil {
		return nil, err
	}
	var layer bytes.Buffer
	if err := o.tar(&layer, files); err != nil {
		return nil, err
	}
	l, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(layer.Bytes())), nil })
	if err != nil {
		return nil, err
	}
	img, err := mutate.Append(mutate.MediaType(empty.Image, types.DockerManifestSchema2), mutate.Addendum{
		Layer: l, History: v1.History{Created: v1.Time{Time: o.created}, CreatedBy: "make image-tar"},
	})
	if err != nil {
		return nil, err
	}
	c, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	c = c.DeepCopy()
	c.Config, c.OS, c.Architecture, c.Created = o.config(), "linux", arch, v1.Time{Time: o.created}
	return mutate.ConfigFile(img, c)
}

// arch asks the binary what it was built for.
func (o options) arch() (string, error) {
	info, err := buildinfo.ReadFile(o.binary)
	if err != nil {
		return "", err
	}
	return archOf(info.Settings)
}

// archOf refuses what would not run in an image without libraries.
func archOf(settings []debug.BuildSetting) (string, error) {
	set := map[string]string{}
	for _, s := range settings {
		set[s.Key] = s.Value
	}
	if set["GOOS"] != "linux" || set["CGO_ENABLED"] != "0" {
		return "", fmt.Errorf("the binary is built for %s with CGO_ENABLED=%s: an image without libraries needs linux and 0", set["GOOS"], set["CGO_ENABLED"])
	}
	return set["GOARCH"], nil
}
