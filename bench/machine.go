// File machine.go describes the machine, and writes the page.

package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// machine is a description in one sentence.
func machine(dir string) string {
	cpu, kernel := "unknown CPU", "unknown kernel"
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				cpu = strings.TrimSpace(value)
				break
			}
		}
	}
	if text, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		kernel = strings.TrimSpace(string(text))
	}
	return fmt.Sprintf("%d CPUs (%s), %.0f GB of memory, %s, Linux %s, %s", runtime.NumCPU(), cpu,
		field("/proc/meminfo", "MemTotal:")*1024/1e9, fileSystem(dir), kernel, runtime.Version())
}

// fileSystem names the type of the file system that holds dir.
func fileSystem(dir string) string {
	out, err := exec.Command("stat", "-f", "-c", "%T", dir).Output()
	if err != nil {
		return "unknown file system"
	}
	return strings.TrimSpace(string(out))
}

// commit is what was measured.
func commit() string {
	out, err := exec.Command("git", "describe", "--always", "--dirty").Output()
	if err != nil {
		return "an unknown commit"
	}
	return strings.TrimSpace(string(out))
}

// page is docs/performance.md.
func (b *bench) page(command string) string {
	text := fmt.Sprintf(`# Performance

<!-- Written by `+"`%s`"+`. Do not edit. -->

Measured with `+"`%s`"+` on %s at %s, within %s.

%s

%s
%s`, command, command, b.begun.UTC().Format(time.DateOnly), commit(), b.elapsed().Round(time.Minute), machine(b.dir), b.table.markdown(), explanation)
	if len(b.profiles.names) > 0 {
		text += profileHeading + b.profiles.markdown()
	}
	return text
}

const profileHeading = `
## Where the CPU time goes

CPU profiles of the worker and of both bare loops, over one backlog each. A row that is 0 for the bare loops is part of
the cost of durability and of operation.

`

// explanation follows the table.
const explanation = `Everything runs on this one machine: worker, NATS Streaming, functions and publisher share its CPUs. Bodies have
256 bytes and max_inflight is 64 where nothing else is said, functions answer at once, and every accept and every settle
is synced. The bare loop receives, calls and acks; it stores nothing. Its second form makes its calls by our own client.
Community is the worker of OpenFaaS Community Edition, which makes one call at a time.

- Programs take turns, and a figure is the median of its rounds: five for the backlog and the CPU, three for the others.
- CPU, allocations, writes and bytes are of one invocation of ours, and peak memory is the largest resident set, all of the runs that the figure is from.
- A run with more than 30 us of CPU of other processes per invocation is disturbed. It is repeated at most twice; the note counts those that stayed so.
- The sustained rate is the highest arrival rate at which the queue does not grow, found by bisection to 5 %.
`
