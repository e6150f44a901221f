// File profile.go shows where the CPU time of a backlog goes, in the worker and in both bare loops:
// what to read when the figures of CPU miss their goals.

package main

import (
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/google/pprof/profile"
)

//go:embed profiled.go
var profiledSource []byte

// buildProfiled builds ours with profiled.go in its main package, and with symbols.
func buildProfiled(ctx context.Context, dir string) (string, error) {
	source, overlay, out := filepath.Join(dir, "profiled.go"), filepath.Join(dir, "overlay.json"), filepath.Join(dir, "profiled")
	if err := os.WriteFile(source, profiledSource, 0o644); err != nil {
		return "", err
	}
	place, err := filepath.Abs(filepath.Join("..", "cmd", "queue-worker", "profiled.go"))
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(map[string]map[string]string{"Replace": {place: source}})
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(overlay, text, 0o644); err != nil {
		return "", err
	}
	return out, goBuild(ctx, "..", out, "./cmd/queue-worker", "-overlay", overlay)
}

// measureProfile is left out of a quick benchmark, which has no time for it.
func (b *bench) measureProfile(ctx context.Context) error {
	if b.quick && b.only == "" {
		return nil
	}
	file, err := buildProfiled(ctx, b.dir)
	if err != nil {
		return err
	}
	n, _ := b.backlogSizes()
	ours := b.ours
	ours.args = []string{file}
	for _, p := range []program{ours, b.bare, b.bareOurs} {
		b.progress("profile: %s", p.name)
		shares, err := b.profileOf(ctx, p, n)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		b.profiles.add(p.name, shares)
	}
	return nil
}

// profileOf is the CPU time by area, in microseconds of an invocation.
func (b *bench) profileOf(ctx context.Context, p program, n int) (map[string]float64, error) {
	file := filepath.Join(b.dir, "profile")
	defer os.Remove(file)
	l := b.usual(n)
	l.env = append(l.env, "bench_profile="+file)
	l.after = func(r *running) error { return awaitProfile(ctx, r, file) }
	if _, err := b.backlog(ctx, p, l); err != nil {
		return nil, err
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	parsed, err := profile.Parse(f)
	if err != nil {
		return nil, err
	}
	if b.keep != "" {
		if err := copyFile(file, filepath.Join(b.keep, strings.ReplaceAll(p.name, " ", "-")+".pprof")); err != nil {
			return nil, err
		}
	}
	return byArea(parsed, n), nil
}

// awaitProfile ends the profile of a process and waits until it is written.
func awaitProfile(ctx context.Context, r *running, file string) error {
	if err := r.cmd.Process.Signal(syscall.SIGUSR1); err != nil {
		return err
	}
	for {
		if _, err := os.Stat(file); err == nil || !errors.Is(err, os.ErrNotExist) {
			return err
		}
		if err := r.wait(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
}

func copyFile(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, 0o644)
}

// area is a part of the work, known by functions. A sample belongs to the first area of which any
// function of its stack is.
type area struct {
	name  string
	parts []string
}

var areas = []area{
	{"garbage collector", []string{"runtime.gcBgMarkWorker", "runtime.bgsweep", "runtime.bgscavenge"}},
	{"store: flush of memtables", []string{"pebble/v2.(*DB).flush"}}, // which calls compactAndWrite
	{"store: compaction", []string{"pebble/v2.(*DB).compact"}},
	{"store: log, written and synced", []string{"pebble/v2/record.", "pebble/v2/wal."}},
	{"store: batches into the memtable", []string{"pebble/v2.(*commitPipeline).Commit"}},
	{"store: committer", []string{"embedded.(*Store).commitLoop", "embedded.(*Store).syncLoop"}},
	{"store: read for the call", []string{"embedded.(*Store).LoadReady"}},
	{"store: settle, and in-flight markers", []string{"embedded.(*Store).Settle", "embedded.(*Store).Hold", "embedded.(*Store).Release"}},
	{"call over HTTP", []string{"pkg/invoke.", "net/http."}},
	{"decode", []string{"pkg/invocation.Decode", "encoding/json."}},
	{"NATS Streaming client", []string{"nats-io/nats%2ego.", "nats-io/stan%2ego."}},
	{"intake", []string{"pkg/intake."}},
	{"log", []string{"worker.(*Worker).logAttempt", "log/slog."}},
	{"memory of ends", []string{"pkg/finished."}},
	{"metrics", []string{"worker.(*Metrics)."}},
	{"lanes", []string{"worker.(*Lanes).take", "worker.(*Lanes).read", "worker.(*Lanes).fetch", "worker.(*Lanes).finish", "worker.(*Lanes).Ready", "worker.(*Lanes).askFirst", "worker.(*Lanes).learn", "worker.(*Lanes).wakeTimer"}},
	{"worker, the rest", []string{"pkg/worker."}},
	{"scheduler of Go", []string{"runtime.mcall", "runtime.mstart", "runtime.goexit0"}},
}

const areaOther = "other"

// byArea sums a profile by area, in microseconds of each of n invocations.
func byArea(p *profile.Profile, n int) map[string]float64 {
	sums := map[string]float64{}
	for _, s := range p.Sample {
		sums[areaOf(s)] += float64(s.Value[1]) / 1e3 / float64(n)
	}
	return sums
}

func areaOf(s *profile.Sample) string {
	for _, a := range areas {
		for _, l := range s.Location {
			for _, line := range l.Line {
				if slices.ContainsFunc(a.parts, func(part string) bool { return strings.Contains(line.Function.Name, part) }) {
					return a.name
				}
			}
		}
	}
	return areaOther
}

// profiles are the areas of each program.
type profiles struct {
	names  []string
	shares []map[string]float64
}

func (p *profiles) add(name string, shares map[string]float64) {
	p.names, p.shares = append(p.names, name), append(p.shares, shares)
}

// rows are the areas beside each other under a heading, the largest of the first program first.
func (p *profiles) rows() [][]string {
	all := []string{areaOther}
	for _, a := range areas {
		all = append(all, a.name)
	}
	slices.SortStableFunc(all, func(a, b string) int { return cmp.Compare(p.shares[0][b], p.shares[0][a]) })
	rows := [][]string{append([]string{"CPU us of an invocation"}, p.names...)}
	for _, name := range all {
		row := []string{name}
		for _, s := range p.shares {
			row = append(row, fmt.Sprintf("%.1f", s[name]))
		}
		rows = append(rows, row)
	}
	return rows
}

// print writes them for a terminal.
func (p *profiles) print(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range p.rows() {
		fmt.Fprintln(tw, strings.Join(row, "\t"))
	}
	return tw.Flush()
}

// markdown is the same for a page.
func (p *profiles) markdown() string {
	var b strings.Builder
	for i, row := range p.rows() {
		b.WriteString("| " + strings.Join(row, " | ") + " |\n")
		if i == 0 {
			b.WriteString("|" + strings.Repeat(" --- |", len(row)) + "\n")
		}
	}
	return b.String()
}
