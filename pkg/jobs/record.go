// File record.go has a job as it is stored: one note of JSON.

package jobs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// notePrefix begins the names of our notes; the job's id follows.
const notePrefix = "job/"

// noteBytes is what a note may have at most. The store takes more of one, but all
// notes together are bounded, too.
const noteBytes = 32 << 10

// recordVersion is what this program writes.
const recordVersion = 1

// record is a job with all that it needs to continue after a restart.
type record struct {
	Version int `json:"v"`
	Job         // State is never Waiting: that is known in memory only
	// Cut is the moment of planning. What died, or was accepted, at or after it is
	// not in the set.
	Cut time.Time `json:"cut"`
	End *place    `json:"end,omitempty"` // the last letter of the set, with a limit
	way
}

// way is where a job is on its way through the set.
type way struct {
	Cursor string `json:"cursor,omitempty"`
	AtEnd  bool   `json:"at_end,omitempty"` // nothing comes after Cursor
	Took   bool   `json:"took,omitempty"`   // of a purge: this pass has taken something
	// Low is the earliest time that the clock has shown since the plan, if that is
	// before the plan: it was set back.
	Low time.Time `json:"low,omitzero"`

	Stage    int             `json:"stage,omitempty"` // of a canary: index into stages
	InStage  int             `json:"in_stage,omitempty"`
	Watch    []invocation.ID `json:"watch,omitempty"`    // replayed, and not over yet
	Outcomes string          `json:"outcomes,omitempty"` // of those watched, latest last, good or bad
	// Discarded and Cancelled are how many of those that left the store are in Outcomes as bad, and
	// in none of them.
	Discarded int `json:"discarded,omitempty"`
	Cancelled int `json:"cancelled,omitempty"`
}

// fork is a copy that can be changed.
func (r record) fork() record {
	r.Watch = slices.Clone(r.Watch)
	return r
}

// place is where a letter stands in the dead set.
type place struct {
	At time.Time     `json:"at"`
	ID invocation.ID `json:"id"`
}

func placeOf(letter *invocation.Invocation) *place { return &place{letter.DiedAt, letter.ID} }

// isBefore reports whether a letter stands behind the place.
func (p *place) isBefore(letter *invocation.Invocation) bool {
	if c := p.At.Compare(letter.DiedAt); c != 0 {
		return c < 0
	}
	return bytes.Compare(p.ID[:], letter.ID[:]) < 0
}

func noteName(id invocation.ID) string { return notePrefix + id.String() }

// note is the record as the store keeps it.
func (r *record) note() (*store.Note, error) {
	r.Version = recordVersion
	b, err := json.Marshal(r)
	for err == nil && len(b) > noteBytes && len(r.Plan.Groups) > 0 {
		half := len(r.Plan.Groups) / 2
		r.Plan.MoreGroups += len(r.Plan.Groups) - half
		r.Plan.Groups = r.Plan.Groups[:half]
		b, err = json.Marshal(r)
	}
	return &store.Note{Name: noteName(r.ID), Value: b}, err
}

// readRecord is the reverse of note.
func readRecord(name string, b []byte) (record, error) {
	var r record
	if err := json.Unmarshal(b, &r); err != nil {
		return r, err
	}
	switch {
	case r.Version != recordVersion:
		return r, fmt.Errorf("unknown version %d", r.Version)
	case noteName(r.ID) != name:
		return r, fmt.Errorf("its id is %s", r.ID)
	case !slices.Contains(States(), r.State) || r.State == Waiting:
		return r, fmt.Errorf("unknown state %q", r.State)
	case r.Act != Replay && r.Act != Drop && r.Act != Purge:
		return r, fmt.Errorf("unknown act %q", r.Act)
	}
	return r, nil
}
