package e2e

// Building the program, once per run.

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
)

// version is what the built program says it is.
const version = "e2e"

// plainBinary is the program as it is released, crashingBinary the one in which
// named points can kill it.
var (
	plainBinary    = sync.OnceValues(func() (string, error) { return build("") })
	crashingBinary = sync.OnceValues(func() (string, error) { return build("crashpoints") })
)

// build makes a static binary in the way of the Makefile.
func build(tags string) (string, error) {
	path := filepath.Join(workDir, "queue-worker"+tags)
	cmd := exec.Command("go", "build", "-trimpath", "-tags", tags, "-ldflags", "-s -w -X main.version="+version,
		"-o", path, "./cmd/queue-worker")
	cmd.Dir = ".."
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the program: %w\n%s", err, out)
	}
	return path, nil
}
