// This file reads an environment into a Config and collects what is wrong.

package config

import (
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/caarlos0/env/v11"
)

// Load reads the settings from an environment in the form of os.Environ; names
// that it does not know are passed over, and of a name that comes twice the last
// one counts. Spaces around a value are dropped, and an empty value is the
// default. The error joins one Problem for every setting that is wrong, so its
// text has one line a problem.
func Load(environ []string) (*Config, error) {
	l := loader{vars: variables(environ), config: &Config{}, wrong: map[string]bool{}}
	l.parse()
	l.checkEach()
	l.checkTogether()
	l.readQueues()
	if len(l.problems) > 0 {
		return nil, l.failure()
	}
	c := l.config
	c.splitQueues()
	c.NATSAddress, c.GatewayAddress = unbracket(c.NATSAddress), unbracket(c.GatewayAddress)
	if c.GatewayURL == nil {
		c.GatewayURL = gatewayFrom(c.GatewayAddress, c.GatewayPort)
	}
	c.ignored = ignoredIn(l.vars)
	c.warnings = append(warningsOf(c, l.set, l.changed), nearMisses(l.vars)...)
	return c, nil
}

// Problem is one setting that is wrong.
type Problem struct {
	Name string
	// Value is what was written, fit to be shown: without credentials, and cut
	// when it is long.
	Value string
	// Want says what is expected.
	Want string
}

// Error is one line.
func (p *Problem) Error() string {
	return fmt.Sprintf("%s=%s: expected %s", p.Name, strconv.Quote(p.Value), p.Want)
}

// loader is one run of Load.
type loader struct {
	vars     map[string]string // what is set, names without empty values left out
	config   *Config
	wrong    map[string]bool // settings that have a problem already
	problems []*Problem
}

// variables makes a map of an environment. A variable without a name is left
// out: the library would take it for every field that has none.
func variables(environ []string) map[string]string {
	vars := make(map[string]string, len(environ))
	for _, v := range environ {
		if name, value, ok := strings.Cut(v, "="); ok && name != "" {
			vars[name] = strings.TrimSpace(value)
		}
	}
	return vars
}

// set reports whether a variable has a value.
func (l *loader) set(name string) bool { return l.vars[name] != "" }

// changed reports whether a variable has another value than its default.
func (l *loader) changed(name string) bool {
	i := slices.IndexFunc(settings, func(s setting) bool { return s.name == name })
	return l.set(name) && l.vars[name] != settings[i].standard()
}

// parse fills the fields by their types, and with zero where the word for it is
// written.
func (l *loader) parse() {
	err := env.ParseWithOptions(l.config, env.Options{Environment: l.withoutZeros(), FuncMap: parsers})
	var all env.AggregateError
	if errors.As(err, &all) {
		for _, err := range all.Errors {
			l.unparsed(err)
		}
	}
	c := reflect.ValueOf(l.config).Elem()
	for _, s := range settings {
		if l.isZero(s) {
			c.FieldByIndex(s.field.Index).SetZero()
		}
	}
}

// withoutZeros is what the library gets to read: the variables less those whose
// value is the word for zero, which no type could parse.
func (l *loader) withoutZeros() map[string]string {
	left := make(map[string]string, len(settings))
	for _, s := range settings {
		if value, ok := l.vars[s.name]; ok && !l.isZero(s) {
			left[s.name] = value
		}
	}
	return left
}

// isZero reports whether zero is what was written, in the word for it. An empty
// dead_set_codes is the one empty value that is not the default: it keeps none.
func (l *loader) isZero(s setting) bool {
	value, ok := l.vars[s.name]
	if s.name == "dead_set_codes" && ok && value == "" {
		return true
	}
	return s.zero != "" && value == s.zero
}

// unparsed reports a value that is not of its field's type.
func (l *loader) unparsed(err error) {
	var parse env.ParseError
	if !errors.As(err, &parse) {
		panic("config: the tags of Config are wrong: " + err.Error())
	}
	i := slices.IndexFunc(settings, func(s setting) bool { return s.field.Name == parse.Name })
	s := settings[i]
	var more want
	if errors.As(parse.Err, &more) {
		l.report(s.name, l.vars[s.name], string(more))
		return
	}
	l.report(s.name, l.vars[s.name], s.accepts())
}

// want is an error that says better than the setting's form what is expected.
type want string

func (w want) Error() string { return "expected " + string(w) }

// report notes a problem.
func (l *loader) report(name, value, expected string) {
	l.wrong[name] = true
	l.problems = append(l.problems, &Problem{Name: name, Value: shown(value), Want: expected})
}

// failure joins the problems in the order of the settings.
func (l *loader) failure() error {
	order := func(p *Problem) int {
		name, _, _ := strings.Cut(p.Name, queueMark)
		return slices.IndexFunc(settings, func(s setting) bool { return s.name == name })
	}
	slices.SortStableFunc(l.problems, func(a, b *Problem) int { return order(a) - order(b) })
	errs := make([]error, len(l.problems))
	for i, p := range l.problems {
		errs[i] = p
	}
	return errors.Join(errs...)
}

const (
	// maxShown bounds a value in a report: a line that can be read.
	maxShown = 80
	redacted = "[redacted]"
)

// shown is a value as it may be printed. A URL can hold credentials before an @,
// and tokens in its query and fragment, so these are cut out of every value; and
// of what should be a URL and cannot be parsed nothing is shown, because it is unknown
// knows which part of it is a password.
func shown(value string) string {
	if strings.Contains(value, "://") {
		if _, err := url.Parse(value); err != nil {
			return redacted
		}
	}
	if i := strings.LastIndexByte(value, '@'); i >= 0 {
		value = redacted + value[i:]
	}
	if i := strings.IndexAny(value, "?#"); i >= 0 {
		value = value[:i+1] + redacted
	}
	if r := []rune(value); len(r) > maxShown {
		value = string(r[:maxShown]) + "..."
	}
	return value
}
