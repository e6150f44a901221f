package e2e

// The entry: a test run, or one of its children.

import (
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"testing"
)

// parallel is how many tests run at once. They wait most of the time, for retries
// to fall due and servers to come back.
const parallel = "8"

// workDir holds the built binaries; it is gone after the run.
var workDir string

func TestMain(m *testing.M) {
	if os.Getenv(brokerEnv) != "" {
		os.Exit(brokerMain())
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	flag.Parse()
	chosen := false
	flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == "test.parallel" })
	if !chosen {
		_ = flag.Set("test.parallel", parallel)
	}
	log.SetOutput(io.Discard) // the gateway's publisher logs every message there
	var err error
	if workDir, err = os.MkdirTemp("", "queue-worker-e2e-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	_ = os.RemoveAll(workDir)
	return code
}
