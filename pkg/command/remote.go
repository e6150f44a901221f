// File remote.go has what all commands share that use a worker: its address, the
// credentials, and the form of answers.

package command

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"queue-worker/pkg/client"
	"queue-worker/pkg/term"
)

// Variables of the environment. Those of the worker count too, where a command
// runs beside it: http_listen_address and secret_mount_path.
const (
	envServer   = "QUEUE_WORKER_SERVER"
	envUser     = "QUEUE_WORKER_USER"
	envPassword = "QUEUE_WORKER_PASSWORD" // #nosec G101 -- the name of a variable
)

// defaultPort is that of http_listen_address.
const defaultPort = "8081"

// remote are the flags of every command that asks a worker.
type remote struct {
	e             *env
	server        string
	user          string
	passwordFile  string
	passwordStdin bool
	secretDir     string
	output        string
	timeout       time.Duration
}

// newRemote adds the flags to a command and to those below it.
func newRemote(e *env, c *cobra.Command) *remote {
	r := &remote{e: e}
	f := c.PersistentFlags()
	f.StringVar(&r.server, "server", "", "address of the worker (default "+envServer+", or http://127.0.0.1:"+defaultPort+")")
	f.StringVar(&r.user, "user", "", "user for basic auth (default "+envUser+")")
	f.StringVar(&r.passwordFile, "password-file", "", "file with the password (default: the password in "+envPassword+")")
	f.BoolVar(&r.passwordStdin, "password-stdin", false, "read the password from standard input")
	f.StringVar(&r.secretDir, "secret-dir", "", "folder with basic-auth-user and basic-auth-password, as OpenFaaS mounts it, or with basic-auth-read-user and basic-auth-read-password (default secret_mount_path)")
	spanVar(f, &r.timeout, "request-timeout", client.DefaultTimeout, "how long an answer of the worker may take")
	addOutput(c, &r.output)
	return r
}

// addOutput adds the flag that chooses how answers look.
func addOutput(c *cobra.Command, output *string) {
	c.PersistentFlags().StringVarP(output, "output", "o", "table", "table, or json: what the worker has answered")
}

// session is what a command works with.
type session struct {
	*client.Client
	*term.Console
}

// run makes the function of a command of one that asks a worker.
func (r *remote) run(do func(ctx context.Context, s *session, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		console, err := r.e.console(r.output)
		if err != nil {
			return err
		}
		c, err := r.client()
		if err != nil {
			return usageError{err}
		}
		defer c.Close()
		return judged(inFlags(cmd, do(r.e.drain, &session{c, console}, args)))
	}
}

// judged makes a usage error of what the server has refused as such: values of
// flags are read there.
func judged(err error) error {
	e, ok := errors.AsType[*client.Error](err)
	if _, partly := errors.AsType[partlyError](err); ok && !partly && e.Status == http.StatusBadRequest && e.Reason != client.ReasonForeign {
		return usageError{err}
	}
	return err
}

// console is where a command writes.
func (e *env) console(output string) (*term.Console, error) {
	if output != "table" && output != "json" {
		return nil, usageError{fmt.Errorf("--output %q: expected table or json", output)}
	}
	c := term.New(e.drain, e.Stdin, e.Stdout, e.Stderr, e.get)
	c.JSON = output == "json"
	return c, nil
}

// client is made for the server that the flags name.
func (r *remote) client() (*client.Client, error) {
	if r.timeout == 0 {
		return nil, errors.New("--request-timeout: expected a duration above 0")
	}
	server := r.address()
	user, password, err := r.credentials(server)
	if err != nil {
		return nil, err
	}
	return client.New(client.Options{Server: server, User: user, Password: password, Timeout: r.timeout, Version: r.e.Version})
}

// address is the server: of the flag, of the environment, or of the worker beside
// which this runs.
func (r *remote) address() string {
	if r.server != "" {
		return r.server
	}
	if s := r.e.get(envServer); s != "" {
		return s
	}
	host, port, err := net.SplitHostPort(r.e.get("http_listen_address"))
	if err != nil || port == "0" {
		return "http://127.0.0.1:" + defaultPort
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}
