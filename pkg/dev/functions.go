// The functions that the gateway knows: their names, addresses and annotations.

package dev

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"strings"

	"queue-worker/pkg/invocation"
)

// functionName is what the gateway's routes accept as a name.
var functionName = regexp.MustCompile(`^[-a-zA-Z_0-9.]+$`)

// Function is one function that the gateway can call.
type Function struct {
	// URL is where it listens, http://host:port with an optional path before
	// the caller's.
	URL *url.URL
	// Annotations are shown by /system/function/<fn>, where a worker looks for
	// com.openfaas.retry.*.
	Annotations map[string]string
}

// Functions are functions by name, with or without namespace.
type Functions map[string]Function

// Add reads one --function name=http://host:port.
func (f Functions) Add(arg string) error {
	name, address, ok := strings.Cut(arg, "=")
	if !ok || !functionName.MatchString(name) {
		return fmt.Errorf("--function %q: expected name=http://host:port", arg)
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("--function %q: expected name=http://host:port", arg)
	}
	fn := f[name]
	if fn.URL != nil {
		return fmt.Errorf("--function %q: %s was given before", arg, name)
	}
	fn.URL = u
	f[name] = fn
	return nil
}

// Annotate reads one --annotation name:key=value. It may come before or after
// the function itself is added.
func (f Functions) Annotate(arg string) error {
	name, annotation, ok := strings.Cut(arg, ":")
	key, value, hasValue := strings.Cut(annotation, "=")
	if !ok || !hasValue || key == "" || !functionName.MatchString(name) {
		return fmt.Errorf("--annotation %q: expected function:key=value, such as %s:com.openfaas.retry.attempts=2", arg, ChaosFunction)
	}
	fn := f[name]
	fn.Annotations = maps.Clone(fn.Annotations)
	if fn.Annotations == nil {
		fn.Annotations = map[string]string{}
	}
	fn.Annotations[key] = value
	f[name] = fn
	return nil
}

// withChaos is a copy whose keys are canonical names, with the chaos function
// in it. It fails when a function has no address or is there in both forms.
func (f Functions) withChaos(chaos *url.URL, names invocation.Names) (Functions, error) {
	out := make(Functions, len(f)+1)
	for name, fn := range f {
		short := names.Canonical(name)
		if _, twice := out[short]; twice {
			return nil, fmt.Errorf("function %s is given twice, with and without its namespace %s", short, names.DefaultNamespace)
		}
		if fn.URL == nil && short != ChaosFunction {
			return nil, fmt.Errorf("function %s has annotations but no address: add --function %s=http://host:port", name, name)
		}
		out[short] = fn
	}
	fn := out[ChaosFunction]
	if fn.URL == nil {
		fn.URL = chaos
	}
	out[ChaosFunction] = fn
	return out, nil
}
