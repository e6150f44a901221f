// File proc.go reads what processes have used from /proc, and computes what one invocation cost.

package main

import (
	"fmt"
	"math"
	"os"
	"strings"
	"time"
)

// tick is the unit of CPU time in /proc.
const tick = 10 * time.Millisecond

// usage is what a process has used since its start.
type usage struct {
	cpu        time.Duration // user and system
	writeCalls float64
	written    float64 // bytes to disk
	mallocs    float64 // NaN where the process does not report it
	allocated  float64 // bytes; NaN like mallocs
	peak       float64 // largest resident set in bytes
	resident   float64 // bytes
}

// usageOf reads everything but allocations. What cannot be read is NaN.
func usageOf(pid int) usage {
	u := usage{cpu: cpuOf(pid), mallocs: math.NaN(), allocated: math.NaN()}
	status, io := fmt.Sprintf("/proc/%d/status", pid), fmt.Sprintf("/proc/%d/io", pid)
	u.peak, u.resident = field(status, "VmHWM:")*1024, field(status, "VmRSS:")*1024
	u.writeCalls, u.written = field(io, "syscw:"), field(io, "write_bytes:")
	return u
}

// field is the number behind a name at the start of a line of a file, or NaN.
func field(file, name string) float64 {
	text, _ := os.ReadFile(file)
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			return number(rest)
		}
	}
	return math.NaN()
}

func number(s string) float64 {
	var n float64
	if _, err := fmt.Sscan(s, &n); err != nil {
		return math.NaN()
	}
	return n
}

// cpuOf is the CPU time of a running process, 0 when there is none.
func cpuOf(pid int) time.Duration {
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(stat), ") ") // the name of the program may hold spaces
	f := strings.Fields(rest)
	if len(f) < 13 {
		return 0
	}
	return time.Duration(number(f[11])+number(f[12])) * tick
}

// cpuOfAll is the CPU time of all processes of the machine, without interrupts and what the
// hypervisor gave to others.
func cpuOfAll() time.Duration {
	stat, _ := os.ReadFile("/proc/stat")
	line, _, _ := strings.Cut(string(stat), "\n")
	f := strings.Fields(line) // cpu user nice system idle ...
	if len(f) < 4 {
		return 0
	}
	return time.Duration(number(f[1])+number(f[2])+number(f[3])) * tick
}

// costs are those of one invocation; what is not known is NaN.
type costs struct {
	cpu       float64 // of the worker, microseconds
	others    float64 // CPU of processes that do not belong to the benchmark, microseconds
	mallocs   float64
	allocated float64 // bytes
	writes    float64 // system calls
	written   float64 // bytes to disk
	peak      float64 // largest resident set of the worker in bytes, not per invocation
}

// meter measures costs between its start and read.
type meter struct {
	worker *running
	pids   []int // of the benchmark, without the worker
	before usage
	all    time.Duration
	own    time.Duration
}

// newMeter starts to measure. The worker is set later when it has not started yet.
func newMeter(worker *running, pids ...int) *meter {
	m := &meter{worker: worker, pids: append(pids, os.Getpid())}
	if worker != nil {
		m.before = worker.usage()
	}
	m.all, m.own = cpuOfAll(), m.ownCPU()
	return m
}

func (m *meter) ownCPU() (sum time.Duration) {
	for _, pid := range m.pids {
		sum += cpuOf(pid)
	}
	return sum
}

// read returns what each of n invocations has cost.
func (m *meter) read(n int) costs {
	all, own, now := cpuOfAll(), m.ownCPU(), m.worker.usage()
	worker := now.cpu - m.before.cpu
	per := func(v float64) float64 { return v / float64(n) }
	others := max(all-m.all-(own-m.own)-worker, 0)
	return costs{
		cpu: per(micro(worker)), others: per(micro(others)), peak: now.peak,
		mallocs: per(now.mallocs - m.before.mallocs), allocated: per(now.allocated - m.before.allocated),
		writes: per(now.writeCalls - m.before.writeCalls), written: per(now.written - m.before.written),
	}
}

func micro(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
