// Command image makes what is around the binary in its container image, and the
// image itself where there is no container engine.
//
//	-rootfs DIR   lays the image's files out in a folder, for a Dockerfile
//	-tar FILE     writes a whole image that docker, podman, ctr and kind load
//	-sbom FILE    writes the list of what the binary was built from
//
// The same input gives the same bytes. It builds nothing: the binary comes from
// the Makefile or the Dockerfile.
package main

import (
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// options are what the image is made of.
type options struct {
	binary            string
	version, revision string
	created           time.Time // of the commit, so that it is the same at every build
}

func main() {
	if err := run(); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func run() error {
	var o options
	var created int64
	flag.StringVar(&o.binary, "binary", "", "the static binary for Linux")
	flag.StringVar(&o.version, "version", "dev", "its version")
	flag.StringVar(&o.revision, "revision", "unknown", "the commit that it was built from")
	flag.Int64Var(&created, "created", 0, "when that was, in Unix seconds")
	tag := flag.String("name", "queue-worker:dev", "name of the image")
	rootfs := flag.String("rootfs", "", "folder to lay the files out in")
	archive := flag.String("tar", "", "image to write")
	sbom := flag.String("sbom", "", "software bill of materials to write")
	flag.Parse()
	o.created = time.Unix(created, 0).UTC()

	files, err := o.files()
	if err != nil {
		return err
	}
	if *sbom != "" {
		if err := os.WriteFile(*sbom, files.content(sbomPath), 0o644); err != nil { // #nosec G306 -- for everyone to read
			return err
		}
	}
	if *rootfs != "" {
		if err := files.layOut(*rootfs); err != nil {
			return err
		}
	}
	if *archive == "" {
		return nil
	}
	digest, err := o.writeTar(*archive, *tag, files)
	if err == nil {
		fmt.Println(*archive, *tag, digest)
	}
	return err
}

// writeTar writes the image in the form of docker save, and returns its digest.
func (o options) writeTar(path, tag string, files tree) (v1.Hash, error) {
	ref, err := name.NewTag(tag)
	if err != nil {
		return v1.Hash{}, err
	}
	img, err := o.image(files)
	if err != nil {
		return v1.Hash{}, err
	}
	if err := tarball.WriteToFile(path, ref, img); err != nil {
		return v1.Hash{}, err
	}
	return img.Digest()
}
