// This file lists the settings that are in force, for operators.

package config

import (
	"errors"
	"reflect"
)

// Where a value comes from.
const (
	FromDefault     = "default"
	FromEnvironment = "environment"
	// FromOthers is for gateway_url, which is made of an address and a port.
	FromOthers = "other settings"
)

// Entry is one setting as it is in force.
type Entry struct {
	Name    string `json:"name"`
	Group   string `json:"group"`
	Value   string `json:"value"` // as it would be written; what may be secret is cut out
	Default string `json:"default"`
	From    string `json:"from"`
	Expects string `json:"expects,omitempty"` // what is accepted, when the value is wrong
}

// Overview is everything there is to know about an environment.
type Overview struct {
	Settings []Entry  `json:"settings"`
	Problems []string `json:"problems"` // what stops a start, one sentence each
	Warnings []string `json:"warnings"` // what is legal and worth a look
	Ignored  []string `json:"ignored"`  // names that are set and mean nothing here
}

// List describes the settings that an environment makes, right or wrong.
func List(environ []string) Overview {
	c, err := Load(environ)
	o := Overview{Problems: []string{}, Warnings: []string{}, Ignored: []string{}}
	expects := map[string]string{}
	for _, p := range problemsOf(err) {
		o.Problems = append(o.Problems, p.Error())
		expects[p.Name] = p.Want
	}
	if c == nil {
		o.Warnings = append(o.Warnings, nearMisses(variables(environ))...)
	} else {
		o.Warnings, o.Ignored = append(o.Warnings, c.Warnings()...), append(o.Ignored, c.Ignored()...)
	}
	l := loader{vars: variables(environ)}
	for _, s := range settings {
		e := Entry{Name: s.name, Group: s.group, Value: s.standard(), Default: s.standard(), From: FromDefault, Expects: expects[s.name]}
		switch {
		case l.set(s.name):
			e.Value, e.From = shown(l.vars[s.name]), FromEnvironment
		case l.isZero(s):
			e.Value, e.From = s.zero, FromEnvironment
		case c != nil && s.field.Type == reflect.TypeOf(c.GatewayURL):
			e.Value, e.From = c.GatewayURL.String(), FromOthers
		}
		o.Settings = append(append(o.Settings, e), l.queueEntries(s, expects)...)
	}
	return o
}

// problemsOf are the problems that Load has joined.
func problemsOf(err error) []*Problem {
	var all []*Problem
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return nil
	}
	for _, err := range joined.Unwrap() {
		if p, ok := errors.AsType[*Problem](err); ok {
			all = append(all, p)
		}
	}
	return all
}
