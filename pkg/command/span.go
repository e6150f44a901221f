// File span.go has flags that are durations.

package command

import (
	"errors"
	"time"

	"github.com/spf13/pflag"

	"queue-worker/pkg/duration"
)

// span is a duration as the value of a flag. It is written as in settings.
type span time.Duration

var _ pflag.Value = (*span)(nil)

// spanVar adds a flag that is a duration to a command.
func spanVar(f *pflag.FlagSet, d *time.Duration, name string, value time.Duration, usage string) {
	*d = value
	f.Var((*span)(d), name, usage)
}

var errNegative = errors.New("expected a duration that is not below 0")

// String implements pflag.Value.
func (s *span) String() string { return duration.Format(time.Duration(*s)) }

// Set implements pflag.Value.
func (s *span) Set(text string) error {
	d, err := duration.Parse(text)
	if err != nil {
		return err
	}
	if d < 0 {
		return errNegative
	}
	*s = span(d)
	return nil
}

// Type implements pflag.Value: the name of the value in help texts.
func (*span) Type() string { return "duration" }
