// What the chart needs to know of the settings, so that it refuses what the program would: files/bounds.yaml of the
// chart is written from the same bounds.

package config

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"queue-worker/internal/testkit"
)

const chartBounds = "../../chart/queue-worker/files/bounds.yaml"

func TestTheChartKnowsEveryBound(t *testing.T) {
	t.Parallel()
	testkit.Golden(t, chartBounds, renderBounds())
}

// renderBounds is one line for each setting that the chart can check.
func renderBounds() string {
	var b strings.Builder
	b.WriteString("# Written by go generate from pkg/config. Change it there. Durations are in seconds, sizes in bytes.\n")
	for _, s := range settings {
		if kind := s.kind(); kind != "" {
			fmt.Fprintf(&b, "%s: {kind: %s%s, expects: %s}\n", s.name, kind, s.limits(), strconv.Quote(s.accepts()))
		}
	}
	return b.String()
}

// texts are the kinds of the texts that values of the chart reach.
var texts = map[string]string{
	"faas_nats_address": "host", "faas_nats_cluster_name": "subject", "faas_nats_queue_group": "subject",
	"gateway_url": "url", "default_function_name": "namespace", "callback_allow": "hosts",
}

// kind names how the chart has to read a value; empty for texts that no value reaches.
func (s setting) kind() string {
	switch {
	case s.oneof != nil:
		return "word"
	case s.field.Type == reflect.TypeFor[time.Duration]():
		return "duration"
	case s.field.Type.Kind() == reflect.Int64:
		return "size"
	case s.field.Type.Kind() == reflect.Int:
		return "number"
	case s.field.Type.Kind() == reflect.Bool:
		return "yesno"
	case strings.HasSuffix(s.name, "_codes"):
		return "codes"
	}
	return texts[s.name]
}

// limits are the words or the range of a setting.
func (s setting) limits() string {
	text := ""
	if s.zero != "" {
		text = ", zero: " + strconv.Quote(s.zero)
	}
	if s.oneof != nil {
		return text + ", words: [" + strings.Join(s.oneof, ", ") + "]"
	}
	b, ok := bounds[s.name]
	if !ok {
		return text
	}
	unit := 1.0
	if s.kind() == "duration" {
		unit = float64(time.Second)
	}
	text += fmt.Sprintf(", min: %s, max: %s", number(b.min, unit), number(b.max, unit))
	if b.orZero {
		text += ", orZero: true"
	}
	return text
}

func number(n int64, unit float64) string { return strconv.FormatFloat(float64(n)/unit, 'f', -1, 64) }
