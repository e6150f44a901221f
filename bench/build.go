// File build.go has the rows that need no run: the size of the binaries, and what a test counts.

package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

func (b *bench) measureBinary(ctx context.Context) error {
	size := fileSize(b.binary)
	b.table.set("binary", size/1e6, "%.1f MB", size <= 36e6).note = "stripped"
	without := filepath.Join(b.dir, "nostan")
	if err := goBuild(ctx, "..", without, "./cmd/queue-worker", "-tags", "nostan"); err != nil {
		return err
	}
	b.table.set("binary.nostan", fileSize(without)/1e6, "%.1f MB", true).note = "stripped, go build -tags nostan"
	return nil
}

// measureCount runs the test that counts, which prints what it found.
func (b *bench) measureCount(ctx context.Context) error {
	const test = "TestAnInvocationCosts"
	cmd := exec.CommandContext(ctx, "go", "test", "-count=1", "-timeout", "5m", "-v", "-run", "^"+test, "./pkg/worker")
	cmd.Dir = ".."
	out, err := cmd.CombinedOutput()
	_, line, _ := strings.Cut(string(out), "per invocation: ")
	var allocations, writes, bytes float64
	if _, e := fmt.Sscanf(line, "allocations %f, write calls %f, bytes to disk %f", &allocations, &writes, &bytes); e != nil {
		return fmt.Errorf("%s printed no counts: %w\n%s", test, err, out)
	}
	b.table.set("count.allocations", allocations, "%.1f", allocations <= 60)
	b.table.set("count.writes", writes, "%.2f", writes <= 1.5)
	b.table.set("count.bytes", bytes, "%.0f", bytes <= 2048)
	return err
}
