// File lanes_model_index_test.go has the model's index of ready invocations, from which lanes take.

package worker

import (
	"context"
	"fmt"
	"slices"
	"time"

	"pgregory.net/rapid"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// commit adds entries to the index.
func (m *lanesModel) commit() {
	for range rapid.SampledFrom([]int{1, 1, 2, 5, 12}).Draw(m.t, "how many") {
		m.insert(m.draw())
	}
}

// draw makes an entry that has not been there before.
func (m *lanesModel) draw() store.Ready {
	m.ids++
	r := store.Ready{Lane: invocation.Lane{Queue: rapid.SampledFrom([]string{"q", "narrow"}).Draw(m.t, "queue"), Name: m.name()}}
	at := m.ids
	if !m.ordered {
		at = rapid.IntRange(1, 50).Draw(m.t, "since")
	}
	r.Since = time.Unix(0, int64(at))
	copy(r.ID[:], fmt.Sprintf("%016d", m.ids))
	return r
}

func (m *lanesModel) insert(r store.Ready) {
	entries := m.index[r.Lane]
	i, _ := slices.BinarySearchFunc(entries, r, compare)
	m.index[r.Lane] = slices.Insert(entries, i, r)
	m.untold = append(m.untold, r)
}

func compare(a, b store.Ready) int {
	if c := a.Since.Compare(b.Since); c != 0 {
		return c
	}
	return slices.Compare(a.ID[:], b.ID[:])
}

// tell reports what was committed.
func (m *lanesModel) tell() {
	m.lanes.Ready(m.untold)
	m.untold = nil
}

// Take implements index. The world changes between the reading and the return.
func (m *lanesModel) Take(ctx context.Context, l invocation.Lane, from store.Ready, limit int) ([]store.Ready, error) {
	var found []store.Ready
	for _, r := range m.index[l] {
		if (from.ID.IsZero() || compare(r, from) > 0) && len(found) < limit {
			found = append(found, r)
		}
	}
	err := m.Err()
	if m.failing {
		err = errModel
	}
	m.meanwhile()
	if err != nil {
		return nil, err
	}
	return found, nil
}

// Give implements index.
func (*lanesModel) Give(context.Context, []store.Ready) error { return nil }

// meanwhile lets time pass and others act.
func (m *lanesModel) meanwhile() {
	if m.nested >= 3 {
		return
	}
	m.nested++
	m.settled()
	for range rapid.IntRange(0, 5).Draw(m.t, "meanwhile") {
		m.act()
	}
	m.nested--
}

// ReadyLanes implements scan, as Take does index.
func (m *lanesModel) ReadyLanes(ctx context.Context, from invocation.Lane, urls bool, limit int) ([]invocation.Lane, error) {
	found := readyLanes(m.index, from, urls, limit)
	if m.failing {
		return nil, errModel
	}
	m.meanwhile()
	return found, nil
}

func (m *lanesModel) Err() error {
	if m.down {
		return errModel
	}
	return nil
}
