// File labels.go bounds the label function_name, whose values callers choose.

package worker

import (
	"sync"

	"queue-worker/pkg/invocation"
)

const (
	// maxLabels is how many functions have a label of their own in this process's
	// life; more share one. Prometheus keeps every label value that it has seen, and the page
	// of metrics has to stay below 2 MB.
	maxLabels = 800
	// maxUnproven is how many of these labels names may take that nothing has answered
	// to yet. Callers invent names; the other labels are left to functions.
	maxUnproven = maxLabels / 2
)

// Label values that are no function's name.
const (
	otherLabel    = "_other"
	callbackLabel = "_url"
	unnamedLabel  = "_unnamed" // the message names no usable function
)

// Labels gives functions their label values: name.namespace, as the gateway's
// metrics have them.
type Labels struct {
	names invocation.Names

	mu    sync.RWMutex
	known map[string]string
}

// NewLabels makes an empty set.
func NewLabels(names invocation.Names) *Labels {
	return &Labels{names: names, known: map[string]string{}}
}

// Lane is the label of a lane.
func (l *Labels) Lane(lane invocation.Lane) string { return l.label(lane, maxUnproven) }

// Answered is the label of a lane whose function has answered, so that no caller
// has invented its name.
func (l *Labels) Answered(lane invocation.Lane) string { return l.label(lane, maxLabels) }

// label is the label of a lane, a new one while there are fewer than most.
func (l *Labels) label(lane invocation.Lane, most int) string {
	switch {
	case invocation.IsCallbackLane(lane.Name):
		return callbackLabel
	case lane.Name == "":
		return unnamedLabel
	}
	l.mu.RLock()
	label, ok := l.known[lane.Name]
	l.mu.RUnlock()
	if ok {
		return label
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if label, ok := l.known[lane.Name]; ok {
		return label
	}
	if len(l.known) >= most {
		return otherLabel
	}
	label = l.names.Qualified(lane.Name)
	l.known[lane.Name] = label
	return label
}
