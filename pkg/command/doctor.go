// File doctor.go has the commands doctor and config.

package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"queue-worker/pkg/config"
	"queue-worker/pkg/doctor"
	"queue-worker/pkg/escape"
	"queue-worker/pkg/term"
)

func newDoctor(e *env) *cobra.Command {
	c := command("doctor", "Check everything the worker depends on, with advice", `
The settings are those of the environment, as for the worker, so run it where the
worker runs: kubectl -n openfaas exec deploy/queue-worker -- /worker doctor. It checks
settings, NATS Streaming, store, gateway, credentials, clock and
limits, and queries the worker at --server. Each line says ok, warn or bad.`,
		"0 all checks passed, 1 some checks failed, 2 wrong usage",
		"queue-worker doctor", "gateway_url=http://127.0.0.1:8080 data_dir=/data queue-worker doctor -o json")
	c.Args = noArgs
	r := newRemote(e, c)
	c.RunE = func(*cobra.Command, []string) error {
		console, err := e.console(r.output)
		if err != nil {
			return err
		}
		worker, err := r.client()
		if err != nil {
			return usageError{err}
		}
		defer worker.Close()
		host, err := os.Hostname()
		if err != nil {
			host = "unknown" // it only names a connection
		}
		o := doctor.Options{Worker: worker, Version: e.Version, Hostname: host}
		if o.Config, err = config.Load(e.Environ); err != nil {
			o.Problems = config.List(e.Environ).Problems
		}
		return showFindings(console, doctor.Examine(e.drain, o))
	}
	return c
}

func showFindings(c *term.Console, all []doctor.Finding) error {
	bad := 0
	rows := make([][]term.Cell, len(all))
	for i, f := range all {
		if f.Status == doctor.Bad {
			bad++
		}
		rows[i] = []term.Cell{term.Text(string(f.Status)), term.Text(checkLabel(f.Check)), term.Text(f.Text), term.Text(f.Advice)}
	}
	err := writeFindings(c, all, rows)
	if err == nil && bad > 0 {
		err = fmt.Errorf("%d of %d checks failed", bad, len(all))
	}
	return err
}

// checkLabel is the name of a check for readers. Documents have the names that they always had.
func checkLabel(check string) string {
	if check == "door" {
		return "source"
	}
	return check
}

func writeFindings(c *term.Console, all []doctor.Finding, rows [][]term.Cell) error {
	switch {
	case c.JSON:
		return writeJSON(c, struct {
			Findings []doctor.Finding `json:"findings"`
		}{all})
	case !c.Showing:
		return c.Table(nil, rows)
	}
	for _, f := range all {
		mark := map[doctor.Status]func(string) string{doctor.OK: c.Good, doctor.Warn: c.Doubtful, doctor.Bad: c.Wrong}[f.Status]
		text := escape.Line(f.Text)
		if f.Advice != "" {
			text += " -- " + escape.Line(f.Advice)
		}
		if err := c.Marked(mark, string(f.Status), checkLabel(f.Check), text); err != nil {
			return err
		}
	}
	return nil
}

// writeJSON writes a document of our own.
func writeJSON(c *term.Console, v any) error {
	e := json.NewEncoder(c.Documents())
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

func newConfig(e *env) *cobra.Command {
	c := command("config", "Show the settings in force and their errors", `
The settings are those of the environment, as for the worker. What may be secret in a
value is hidden. Not on a terminal, the columns are tab separated and have no
headings: name, value, origin, default.`,
		"0 the worker would start, 1 it would not, 2 wrong usage",
		"queue-worker config", "kubectl -n openfaas exec deploy/queue-worker -- /worker config -o json")
	c.Args = noArgs
	var output string
	addOutput(c, &output)
	c.RunE = func(*cobra.Command, []string) error {
		console, err := e.console(output)
		if err != nil {
			return err
		}
		return showConfig(console, config.List(e.Environ))
	}
	return c
}

var errSettings = errors.New("the worker would not start with these settings")

func showConfig(c *term.Console, o config.Overview) error {
	err := writeConfig(c, o)
	if err == nil && len(o.Problems) > 0 {
		err = errSettings
	}
	return err
}

func writeConfig(c *term.Console, o config.Overview) error {
	if c.JSON {
		return writeJSON(c, o)
	}
	rows := make([][]term.Cell, len(o.Settings))
	for i, s := range o.Settings {
		standard := term.Text(s.Default)
		if s.From == config.FromDefault {
			standard.Short = ""
		}
		rows[i] = []term.Cell{term.Text(s.Name), term.Text(s.Value), term.Text(s.From), standard}
	}
	if err := c.Table([]term.Column{{Title: "name"}, {Title: "value", Wide: true}, {Title: "from"}, {Title: "default", Wide: true}}, rows); err != nil {
		return err
	}
	for _, p := range o.Problems {
		c.Tell("wrong: %s", p)
	}
	for _, w := range o.Warnings {
		c.Tell("warning: %s", w)
	}
	for _, name := range o.Ignored {
		c.Tell("ignored: %s", name)
	}
	return nil
}
