// This file reads what is set for one queue alone: its limit, which stands beside its
// name in faas_nats_channel, and its retries, <setting>__<queue>.

package config

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"queue-worker/pkg/duration"
)

// Retries are the settings that a queue may have of its own.
type Retries struct {
	MaxRetryAttempts int
	InitialRetryWait time.Duration
	MaxRetryWait     time.Duration
	RetryCodes       string
	Backoff          string
	// Own are the names of those that are the queue's own, sorted.
	Own []string
}

// ofQueues are their names.
var ofQueues = []string{"max_retry_attempts", "initial_retry_wait", "max_retry_wait", "retry_http_codes", "backoff"}

// queueMark stands between a setting's name and a queue's.
const queueMark = "__"

// Retries are the retry settings of a queue: the worker's, but for what is its own.
func (c *Config) Retries(queue string) Retries {
	if r, ok := c.retries[queue]; ok {
		return r
	}
	return c.common()
}

func (c *Config) common() Retries {
	return Retries{
		MaxRetryAttempts: c.MaxRetryAttempts, InitialRetryWait: c.InitialRetryWait, MaxRetryWait: c.MaxRetryWait,
		RetryCodes: c.RetryCodes, Backoff: c.Backoff,
	}
}

// isQueue accepts a channel, and a channel with a limit.
func isQueue(s string) bool {
	name, limit, limited := strings.Cut(s, ":")
	if limited {
		n, err := strconv.ParseUint(limit, 10, 31)
		if err != nil || n < 1 || n > maxInflight {
			return false
		}
	}
	return isChannel(name)
}

// queueName is the name in an entry of faas_nats_channel.
func queueName(s string) string {
	name, _, _ := strings.Cut(s, ":")
	return name
}

// splitQueues takes the limits out of faas_nats_channel, which was checked.
func (c *Config) splitQueues() {
	for i, entry := range c.Channels {
		name, limit, limited := strings.Cut(entry, ":")
		c.Channels[i] = name
		if !limited {
			continue
		}
		if c.QueueLimits == nil {
			c.QueueLimits = map[string]int{}
		}
		c.QueueLimits[name], _ = strconv.Atoi(limit)
	}
}

// inVariable is a queue's name as it can stand in the name of any variable: shells
// and compose files know neither hyphens nor dots there.
func inVariable(queue string) string { return strings.NewReplacer("-", "_", ".", "_").Replace(queue) }

// readQueues reads the retries of single queues. It comes after everything else was
// checked and the limits were taken out.
func (l *loader) readQueues() {
	own := map[string]map[string]string{} // queue, setting, variable
	for _, name := range slices.Sorted(maps.Keys(l.vars)) {
		setting, suffix, ok := strings.Cut(name, queueMark)
		if !ok || !l.set(name) || !isSetting(setting) {
			continue
		}
		queue, problem := l.queueOf(setting, suffix)
		switch {
		case problem != "":
			l.report(name, l.vars[name], problem)
		case own[queue][setting] != "":
			l.report(name, l.vars[name], "to be set once: "+own[queue][setting]+" is of the same queue")
		default:
			if own[queue] == nil {
				own[queue] = map[string]string{}
			}
			own[queue][setting] = name
		}
	}
	for _, queue := range slices.Sorted(maps.Keys(own)) {
		l.readQueue(queue, own[queue])
	}
}

func isSetting(name string) bool {
	return slices.ContainsFunc(settings, func(s setting) bool { return s.name == name })
}

// queueOf finds the queue that a suffix stands for, or says what is wrong with it.
func (l *loader) queueOf(setting, suffix string) (queue, problem string) {
	if !slices.Contains(ofQueues, setting) {
		problem = "no " + setting + " of one queue: only " + strings.Join(ofQueues, ", ") + " can be its own"
		if setting == "max_inflight" {
			problem += ", and its limit stands in faas_nats_channel, as in slow-queue:5"
		}
		return "", problem
	}
	var found []string
	for _, entry := range l.config.Channels {
		if name := queueName(entry); inVariable(name) == inVariable(suffix) {
			found = append(found, name)
		}
	}
	switch len(found) {
	case 0:
		return "", "a queue of faas_nats_channel after " + queueMark + ", with '_' for '-' and '.'"
	case 1:
		return found[0], ""
	}
	return "", "one queue to be meant: " + strings.Join(found, " and ") + " have the same name in variables"
}

// readQueue reads the settings of a queue as if they were the worker's, and reports
// what is wrong under the names of its variables.
func (l *loader) readQueue(queue string, names map[string]string) {
	q := loader{vars: maps.Clone(l.vars), config: &Config{}, wrong: map[string]bool{}}
	for setting, name := range names {
		q.vars[setting] = l.vars[name]
	}
	q.parse()
	q.checkEach()
	for _, p := range q.problems {
		if name := names[p.Name]; name != "" {
			l.report(name, l.vars[name], p.Want)
		}
	}
	r := q.config.common()
	if q.right(ofQueues...) && r.MaxRetryWait < r.InitialRetryWait && l.right("max_retry_wait", "initial_retry_wait") {
		l.reportQueueWaits(names, r)
	}
	r.Own = slices.Sorted(maps.Keys(names))
	if l.config.retries == nil {
		l.config.retries = map[string]Retries{}
	}
	l.config.retries[queue] = r
}

// reportQueueWaits reports a first wait above the longest, under the name of one that
// the queue has of its own.
func (l *loader) reportQueueWaits(names map[string]string, r Retries) {
	if name := names["max_retry_wait"]; name != "" {
		l.report(name, l.vars[name], fmt.Sprintf("at least the initial_retry_wait of this queue, which is %s", duration.Format(r.InitialRetryWait)))
		return
	}
	if name := names["initial_retry_wait"]; name != "" {
		l.report(name, l.vars[name], fmt.Sprintf("at most the max_retry_wait of this queue, which is %s", duration.Format(r.MaxRetryWait)))
	}
}

// queueEntries list the settings of single queues, right or wrong.
func (l *loader) queueEntries(s setting, expects map[string]string) []Entry {
	var entries []Entry
	for _, name := range slices.Sorted(maps.Keys(l.vars)) {
		if base, _, ok := strings.Cut(name, queueMark); ok && base == s.name && l.set(name) {
			entries = append(entries, Entry{
				Name: name, Group: s.group, Value: shown(l.vars[name]), Default: s.standard(), From: FromEnvironment, Expects: expects[name],
			})
		}
	}
	return entries
}
