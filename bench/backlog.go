// File backlog.go measures how fast a full channel is worked off, and what that costs.

package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"
)

// runTimeout bounds one run.
const runTimeout = 5 * time.Minute

// usual is the load that most rows have.
func (b *bench) usual(messages int) load {
	return load{messages: messages, body: b.body, inflight: b.inflight, functions: 1, timeout: runTimeout}
}

// backlogSizes are the messages for a worker, and for the Community one, which makes one call at a time.
func (b *bench) backlogSizes() (n, community int) {
	return pick(b, b.messages, b.messages/5), pick(b, b.messages/10, b.messages/50)
}

// roundsOr is -rounds, or else what the row has.
func (b *bench) roundsOr(whole int) int {
	if b.rounds > 0 {
		return b.rounds
	}
	return pick(b, whole, 1)
}

func (b *bench) runBacklog(ctx context.Context, e entrant) (result, error) {
	return b.backlog(ctx, e.program, e.load)
}

func (b *bench) measureBacklog(ctx context.Context) error {
	n, community := b.backlogSizes()
	all := []entrant{
		{nameOurs, b.ours, b.usual(n)}, {nameBare, b.bare, b.usual(n)},
		{nameBareOurs, b.bareOurs, b.usual(n)}, {nameCommunity, b.community, b.usual(community)},
	}
	if b.otherBuild != nil {
		all = append(all, entrant{nameOther, *b.otherBuild, b.usual(n)})
	}
	rs, err := b.race(ctx, "backlog", b.roundsOr(5), all, b.runBacklog)
	b.rates = rs
	if err != nil {
		return err
	}
	ratio := rs.rate(nameOurs) / rs.rate(nameBare)
	f := b.table.set("backlog", ratio, "%.2f", ratio >= 0.8)
	f.beside, f.costs, f.note = b.besides(rs, all), rs.costs(nameOurs), rs.note(nameOurs, nameBare)
	b.setCPU("cpu.bare", rs, nameBare, 0)
	b.setCPU("cpu.client", rs, nameBareOurs, 45)
	c := rs.costs(nameOurs)
	b.table.set("memory.load", c.peak/1e6, "%.0f MB", c.peak <= 80e6)
	return nil
}

func (b *bench) setCPU(key string, rs results, beside string, most float64) {
	ours, other := rs.costs(nameOurs), rs.costs(beside)
	more := ours.cpu - other.cpu
	f := b.table.set(key, more, "%+.1f us", more <= most)
	f.beside = fmt.Sprintf("%s %.1f, %s %.1f us", nameOurs, ours.cpu, beside, other.cpu)
	f.costs, f.note = ours, rs.note(nameOurs, beside)
}

// besides names the rates of all entrants.
func (b *bench) besides(rs results, all []entrant) string {
	var parts []string
	for _, e := range all {
		if rate := rs.rate(e.name); !math.IsNaN(rate) {
			parts = append(parts, fmt.Sprintf("%s %.0f/s", e.name, rate))
		}
	}
	return sentence(parts)
}

func (b *bench) measureEmbedded(ctx context.Context) error {
	n, _ := b.backlogSizes()
	l := b.usual(n)
	l.embedded = filepath.Join(b.dir, "embedded")
	defer os.RemoveAll(l.embedded)
	if err := fillServer(l); err != nil {
		return err
	}
	all := []entrant{{nameOurs, b.ours, l}, {nameBare, b.bare, l}}
	if b.otherBuild != nil {
		all = append(all, entrant{nameOther, *b.otherBuild, l})
	}
	rs, err := b.race(ctx, "embedded", b.roundsOr(5), all, b.runBacklog)
	if err != nil {
		return err
	}
	ratio := rs.rate(nameOurs) / rs.rate(nameBare)
	f := b.table.set("embedded", ratio, "%.2f", ratio >= 0.95)
	f.beside, f.costs, f.note = b.besides(rs, all), rs.costs(nameOurs), rs.note(nameOurs, nameBare)
	return nil
}

// fillServer publishes the messages of a load to an embedded server, and closes it.
func fillServer(l load) error {
	s, err := startEmbedded(l.embedded)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := publishTo(s.URL(), l.messages, l.message); err != nil {
		return fmt.Errorf("fill the embedded server: %w", err)
	}
	return nil
}
