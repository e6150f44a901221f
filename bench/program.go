// File program.go has the programs that are measured: how each is built, started and ended.

package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"time"
)

// communityModule is the Community worker; bench/go.mod has its exact version.
const communityModule = "github.com/openfaas/nats-queue-worker"

// program is one of those that are compared.
type program struct {
	name string
	args []string
	env  []string // beside what all get
	// keeps: it has a store, and needs a folder for it.
	keeps bool
	// reports: it serves metrics with its allocations.
	reports bool
}

// programs are what the rows of the table choose from.
type programs struct {
	ours, bare, bareOurs, community program
	otherBuild                      *program // another build of ours, to compare with
	binary, nostan                  string   // files of our builds
}

const (
	nameOurs      = "ours"
	nameBare      = "bare loop"
	nameBareOurs  = "bare loop, our client"
	nameCommunity = "Community"
	nameOther     = "other build"
)

// buildAll compiles what is measured into dir.
func buildAll(ctx context.Context, dir string, o options) (p programs, err error) {
	p.binary = filepath.Join(dir, "queue-worker")
	community := filepath.Join(dir, "community")
	if err := goBuild(ctx, "..", p.binary, "./cmd/queue-worker"); err != nil {
		return p, err
	}
	if err := goBuild(ctx, ".", community, communityModule); err != nil {
		return p, err
	}
	self, err := os.Executable()
	if err != nil {
		return p, err
	}
	window := "bare_window=" + strconv.Itoa(o.window)
	p.ours = program{name: nameOurs, args: []string{p.binary}, keeps: true, reports: true}
	p.bare = program{name: nameBare, args: []string{self, "child-bare"}, env: []string{window}, reports: true}
	p.bareOurs = program{name: nameBareOurs, args: []string{self, "child-bare"}, env: []string{window, "bare_client=ours"}, reports: true}
	p.community = program{name: nameCommunity, args: []string{community}}
	if o.other != "" {
		other, err := filepath.Abs(o.other)
		if err != nil {
			return p, err
		}
		p.otherBuild = &program{name: nameOther, args: []string{other}, keeps: true, reports: true}
	}
	return p, nil
}

func goBuild(ctx context.Context, in, out, pkg string, flags ...string) error {
	args := append([]string{"build", "-trimpath", "-ldflags", "-s -w", "-o", out}, flags...)
	cmd := exec.CommandContext(ctx, "go", append(args, pkg)...)
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

// running is a started program.
type running struct {
	cmd   *exec.Cmd
	admin string        // port of its metrics; empty when it has none
	ended chan struct{} // closed when it has ended
	why   error         // how it ended; read after ended
}

// start runs a program with a folder of its own. Its output is discarded, for all alike.
func (p program) start(ctx context.Context, dir string, env []string) (*running, error) {
	env = append(append(env, p.env...), "GOTRACEBACK=single")
	if p.keeps {
		env = append(env, "data_dir="+dir)
	}
	r := &running{ended: make(chan struct{})}
	if p.reports {
		port, err := freePort()
		if err != nil {
			return nil, err
		}
		r.admin = port
		env = append(env, "http_listen_address=127.0.0.1:"+port)
	}
	r.cmd = exec.CommandContext(ctx, p.args[0], p.args[1:]...)
	r.cmd.Env = env
	if err := r.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		err := r.cmd.Wait()
		r.why = fmt.Errorf("the program ended (%w); see why with: env %q %q", errors.Join(err, context.Cause(ctx)), env, p.args)
		close(r.ended)
	}()
	return r, nil
}

// usage is what the program has used since its start, with its allocations where it reports them.
func (r *running) usage() usage {
	u := usageOf(r.cmd.Process.Pid)
	if r.admin == "" {
		return u
	}
	if m, err := metrics(r.admin, mallocsMetric, allocatedMetric); err == nil {
		u.mallocs, u.allocated = m[0], m[1]
	}
	return u
}

// wait returns when d has passed, or an error when the program or the time has ended.
func (r *running) wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-r.ended:
		return r.why
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// kill ends a program whose running calls do not matter any more.
func (r *running) kill() {
	_ = r.cmd.Process.Kill()
	<-r.ended
}

var unsupported = regexp.MustCompile("[^a-zA-Z0-9-_]+")

// clientID is the one that every worker of this machine has.
func clientID() string {
	host, _ := os.Hostname()
	return "faas-worker-" + unsupported.ReplaceAllString(host, "_")
}

// freePort finds a free port.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port), nil
}

// fileSize is the size of a file in bytes, or NaN.
func fileSize(path string) float64 {
	info, err := os.Stat(path)
	if err != nil {
		return math.NaN()
	}
	return float64(info.Size())
}
