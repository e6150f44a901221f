// File dev.go runs everything on one machine.

package command

import (
	"fmt"
	"log/slog"
	"net"
	"strings"

	"github.com/spf13/cobra"

	"queue-worker/pkg/app"
	"queue-worker/pkg/config"
	"queue-worker/pkg/dev"
)

// devOptions are the flags of dev.
type devOptions struct {
	gateway, chaos, stan, http string
	data                       string
	postgres                   string
	functions, annotations     []string
}

func newDev(e *env) *cobra.Command {
	var o devOptions
	c := command("dev", "Run everything on this machine: NATS Streaming, worker, small gateway, chaos function", `
Everything the worker needs runs in one process: NATS Streaming, a small
gateway, and a function, chaos-fn, that fails on request. It listens on loopback
only and keeps its data over a restart or a kill. The worker's settings can be given
as environment variables, as always.

With --postgres three workers run, each in a process of its own, and share a store on
PostgreSQL: kill one and watch another one take over. The addresses of the second and the
third have the next two ports.`, codesPlain,
		"queue-worker dev", "queue-worker dev --postgres", "max_retry_attempts=2 initial_retry_wait=1s queue-worker dev")
	c.Args = noArgs
	c.RunE = func(*cobra.Command, []string) error { return e.reported(runDev(e, o)) }
	f := c.Flags()
	f.StringVar(&o.gateway, strings.TrimPrefix(dev.FlagGatewayListen, "--"), "127.0.0.1:8080", "address of the gateway")
	f.StringVar(&o.chaos, strings.TrimPrefix(dev.FlagChaosListen, "--"), "127.0.0.1:0", "address of the chaos function; port 0 takes a free one")
	f.StringVar(&o.stan, "stan-listen", "127.0.0.1:4222", "address of NATS Streaming")
	f.StringVar(&o.http, "http-listen", "127.0.0.1:8081", "address of the worker: dead set, health, metrics")
	f.StringVar(&o.data, "data", ".dev", "folder for the worker's and NATS Streaming's files")
	f.StringVar(&o.postgres, "postgres", "", "three workers that share a PostgreSQL: a private one in the folder, or the one of a URL or of a file that holds one")
	f.Lookup("postgres").NoOptDefVal = privatePostgres
	f.StringArrayVar(&o.functions, "function", nil, "a function to call, name=http://host:port; may be given more than once")
	f.StringArrayVar(&o.annotations, "annotation", nil, "an annotation of a function, name:key=value; may be given more than once")
	return c
}

func runDev(e *env, o devOptions) error {
	functions := dev.Functions{}
	for _, arg := range o.functions {
		if err := functions.Add(arg); err != nil {
			return usageError{err}
		}
	}
	for _, arg := range o.annotations {
		if err := functions.Annotate(arg); err != nil {
			return usageError{err}
		}
	}
	for flag, address := range map[string]*string{dev.FlagGatewayListen: &o.gateway, "--stan-listen": &o.stan, "--http-listen": &o.http} {
		if err := fixPort(address); err != nil {
			return usageError{fmt.Errorf("%s %q: expected an address that can be listened on, such as 127.0.0.1:8080: %w", flag, *address, err)}
		}
	}
	c, err := config.Load(devEnviron(e.Environ, o))
	if err != nil {
		return usageError{inDevFlags(err)}
	}
	if o.postgres != "" {
		return inDevFlags(runSeveral(e, o, c, functions))
	}
	return inDevFlags(runStand(e, o, c, functions))
}

// devFlags are the flags of dev in the place of settings.
var devFlags = strings.NewReplacer("http_listen_address", "--http-listen", "stan_listen_address", "--stan-listen", "data_dir ", "--data ",
	"data_dir=", "--data=", "set data_dir", "set --data", "gateway_url", dev.FlagGatewayListen)

// reworded is an error with another text.
type reworded struct {
	error
	text string
}

func (e reworded) Error() string { return e.text }
func (e reworded) Unwrap() error { return e.error }

// inDevFlags names flags in an error that names the settings that they set.
func inDevFlags(err error) error {
	if err == nil {
		return nil
	}
	return reworded{err, devFlags.Replace(err.Error())}
}

// runStand runs gateway and chaos function around the worker. They end after
// it, so that it can drain.
func runStand(e *env, o devOptions, c *config.Config, functions dev.Functions) (err error) {
	log, closeLog := newLogger(e.Stdout, c)
	defer closeLog()
	stand, err := startGateway(e, o, c, functions, log)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := stand.Close(); err == nil {
			err = cerr
		}
	}()
	return app.Run(e.drain, e.abort, app.Options{
		Config: c, Version: e.Version, Logger: log, Example: dev.ChaosFunction,
		Started: func(net.Addr) { greet(log, o, c.Console) },
	})
}

// startGateway starts gateway and chaos function.
func startGateway(e *env, o devOptions, c *config.Config, functions dev.Functions, log *slog.Logger) (*dev.Stand, error) {
	host, port, err := net.SplitHostPort(o.stan)
	if err != nil {
		return nil, usageError{err}
	}
	q := dev.Queue{Address: host, Cluster: c.NATSCluster, Channel: c.Channels[0]}
	if _, err := fmt.Sscan(port, &q.Port); err != nil {
		return nil, usageError{err}
	}
	return dev.Start(e.drain, dev.Options{
		Gateway: o.gateway, Chaos: o.chaos, Functions: functions, Namespace: c.DefaultNamespace, Queue: q, Logger: log,
	})
}

// greet says what to do next, the console last.
func greet(log *slog.Logger, o devOptions, console bool) {
	log.Info("ready", "gateway", "http://"+o.gateway, "worker", "http://"+o.http, "data", o.data,
		"try", "curl -i "+o.gateway+"/async-function/"+dev.ChaosFunction+" -d hello")
	if console {
		log.Info("console", "url", "http://"+o.http+"/")
	}
}

// devEnviron is the environment of the worker: what the stand needs is set,
// what fits a machine of one's own is a default, and the rest is the caller's.
func devEnviron(environ []string, o devOptions) []string {
	defaults := []string{"callback_allow=127.0.0.0/8,::1/128", "result_ttl=1h", "console_actions=true"}
	fixed := []string{
		"gateway_url=http://" + o.gateway, "data_dir=" + o.data, "stan_embedded=true",
		"stan_listen_address=" + o.stan, "http_listen_address=" + o.http,
	}
	return append(append(defaults, environ...), fixed...)
}

// fixPort puts a free port in the place of port 0, because others have to know
// it before it is listened on.
func fixPort(address *string) error {
	host, port, err := net.SplitHostPort(*address)
	if err != nil || port != "0" {
		return err
	}
	l, err := net.Listen("tcp", net.JoinHostPort(host, port)) //nolint:noctx // it is closed at once
	if err != nil {
		return err
	}
	*address = l.Addr().String()
	return l.Close()
}
