// File build.go has the rows that need no run: the size of the binaries, and what a test counts.

package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
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

// measureOutcomes runs the benchmarks of the store that add outcomes and look them up.
func (b *bench) measureOutcomes(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, "go", "test", "-timeout", "10m", "-run", "^$", "-bench", "^(BenchmarkEnd|BenchmarkEndByCall)$", "./pkg/store/embedded")
	cmd.Dir = ".."
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("benchmarks of ends: %w\n%s", err, out)
	}
	figures := benchFigures(string(out))
	bytes, add, find := figures["EndByCall B/end"], figures["End ns/op"]/1e3, figures["EndByCall ns/op"]/1e6
	if bytes == 0 || add == 0 || find == 0 {
		return fmt.Errorf("benchmarks of ends printed no figures:\n%s", out)
	}
	b.table.set("outcomes.bytes", bytes, "%.0f", bytes <= 150)
	b.table.set("outcomes.cpu", add, "%.2f", add <= 2)
	b.table.set("outcomes.find", find, "%.0f", find <= 100).note = fmt.Sprintf("%.0f outcomes", figures["EndByCall ends"])
	return nil
}

// benchFigures reads what go test prints of benchmarks, by their names without prefix and suffix, and their units.
func benchFigures(out string) map[string]float64 {
	figures := map[string]float64{}
	for line := range strings.Lines(out) {
		fields := strings.Fields(line)
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		name, _, _ := strings.Cut(strings.TrimPrefix(fields[0], "Benchmark"), "-")
		for i := 2; i+1 < len(fields); i += 2 {
			if v, err := strconv.ParseFloat(fields[i], 64); err == nil {
				figures[name+" "+fields[i+1]] = v
			}
		}
	}
	return figures
}
