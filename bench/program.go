// The programs that are measured: how each is built and started.

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// communityModule is the Community worker; bench/go.mod has its exact version.
const communityModule = "github.com/openfaas/nats-queue-worker"

// stopTimeout is how long a program may take to end after its last call.
const stopTimeout = time.Minute

// program is one contestant.
type program struct {
	name     string
	args     []string
	env      func(dir string) []string // beside what all get
	messages int
}

// build compiles the programs that are asked for into dir.
func build(ctx context.Context, dir string, o options) ([]program, error) {
	ours, community := filepath.Join(dir, "queue-worker"), filepath.Join(dir, "community")
	var programs []program
	for name := range strings.SplitSeq(o.programs, ",") {
		switch name {
		case "ours":
			if err := goBuild(ctx, "..", ours, "./cmd/queue-worker"); err != nil {
				return nil, err
			}
			programs = append(programs, program{name, []string{ours}, func(dir string) []string {
				return []string{"data_dir=" + dir, "http_listen_address=127.0.0.1:0"}
			}, o.messages})
		case "bare":
			self, err := os.Executable()
			if err != nil {
				return nil, err
			}
			programs = append(programs, program{name, []string{self, "child-bare"}, func(string) []string {
				return []string{"bare_window=" + strconv.Itoa(o.window)}
			}, o.messages})
		case "community":
			if err := goBuild(ctx, ".", community, communityModule); err != nil {
				return nil, err
			}
			programs = append(programs, program{name, []string{community}, func(string) []string { return nil }, o.community})
		default:
			return nil, fmt.Errorf("-programs: there is no %q", name)
		}
	}
	return programs, nil
}

func goBuild(ctx context.Context, in, out, pkg string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", out, pkg)
	cmd.Dir = in
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if b, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", pkg, err, b)
	}
	return nil
}

// environment is what every program gets, in the names of both generations.
func environment(natsPort, sinkPort string, inflight int) []string {
	return []string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + os.Getenv("HOME"),
		"faas_nats_address=127.0.0.1",
		"faas_nats_port=" + natsPort,
		"faas_nats_cluster_name=" + cluster,
		"faas_nats_channel=" + channel,
		"faas_gateway_address=127.0.0.1",
		"faas_gateway_port=" + sinkPort,
		"gateway_url=http://127.0.0.1:" + sinkPort,
		"ack_wait=60s",
		"max_inflight=" + strconv.Itoa(inflight),
	}
}

// running is a program at work.
type running struct {
	cmd  *exec.Cmd
	over chan struct{} // closed when it has ended
}

// start runs a program. What it writes goes nowhere, for all alike. When it ends
// by itself, ended is called.
func (p program) start(ctx context.Context, env []string, ended context.CancelCauseFunc) (*running, error) {
	cmd := exec.CommandContext(ctx, p.args[0], p.args[1:]...)
	cmd.Env = env
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	r := &running{cmd, make(chan struct{})}
	go func() {
		err := cmd.Wait()
		close(r.over)
		ended(fmt.Errorf("the program ended (%w); see why with: env %q %q", err, env, p.args))
	}()
	return r, nil
}

// stop ends a program with SIGTERM and tells what it took. The Community worker
// dies of that at once; on an interrupt it would take its durable subscription
// with it, and the next run would get every message again.
func (r *running) stop() (usage, error) {
	peak := peakRSS(r.cmd.Process.Pid)
	_ = r.cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself
	select {
	case <-r.over:
	case <-time.After(stopTimeout):
		_ = r.cmd.Process.Kill()
		<-r.over
		return usage{}, errors.New("the program did not end")
	}
	s := r.cmd.ProcessState
	return usage{s.UserTime() + s.SystemTime(), peak}, nil
}

// kill ends a program that has calls under way for which nobody wants to wait.
func (r *running) kill() {
	_ = r.cmd.Process.Kill()
	<-r.over
}

var unsupported = regexp.MustCompile("[^a-zA-Z0-9-_]+")

// clientID is the one that every worker of this machine has. NATS Streaming
// hands over what a dead client had in hand when its id comes again.
func clientID() string {
	host, _ := os.Hostname()
	return "faas-worker-" + unsupported.ReplaceAllString(host, "_")
}
