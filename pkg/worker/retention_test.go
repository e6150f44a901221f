package worker

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"queue-worker/pkg/invocation"
	"queue-worker/pkg/store"
)

// expiredLine is what the log says of the dead letters of one lane that were removed.
type expiredLine struct {
	Level    string `json:"level"`
	Message  string `json:"msg"`
	Count    int    `json:"count"`
	Class    string `json:"class"`
	Queue    string `json:"queue"`
	Lane     string `json:"lane"`
	FirstID  string `json:"first_id"`
	LastID   string `json:"last_id"`
	DiedFrom string `json:"died_from"`
	DiedTo   string `json:"died_to"`
}

func TestRemovedDeadLettersAreLoggedByClassQueueAndLane(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	r := &Retention{Logger: slog.New(slog.NewJSONHandler(&out, nil))}
	died := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	var letters []*invocation.Invocation
	add := func(queue, lane string) {
		at := died.Add(time.Duration(len(letters)) * time.Second)
		letters = append(letters, &invocation.Invocation{
			ID: invocation.NewID(at), Lane: invocation.Lane{Queue: queue, Name: lane}, State: invocation.Dead, DiedAt: at,
		})
	}
	add("q", "fn0")
	add("slow", "fn0")
	for i := range 12 { // 10 lanes have a line each, with those of both queues
		add("q", fmt.Sprint("fn", i))
	}
	r.logExpired(store.Expired{Class: store.ClassUnknown, Letters: letters})

	line := func(first, last, count int, queue, lane string) expiredLine {
		return expiredLine{
			Level: "WARN", Message: "dead letters dropped by dead_set_max_age or dead_set_max_bytes", Count: count,
			Class: store.ClassUnknown, Queue: queue, Lane: lane, FirstID: letters[first].ID.String(), LastID: letters[last].ID.String(),
			DiedFrom: letters[first].DiedAt.Format(time.RFC3339), DiedTo: letters[last].DiedAt.Format(time.RFC3339),
		}
	}
	want := []expiredLine{line(0, 2, 2, "q", "fn0"), line(1, 1, 1, "slow", "fn0")}
	for i := 1; i <= 8; i++ {
		want = append(want, line(i+2, i+2, 1, "q", fmt.Sprint("fn", i)))
	}
	want = append(want, line(11, 13, 3, "", "(other)"))
	for i, d := 0, json.NewDecoder(&out); d.More() || i < len(want); i++ {
		var got expiredLine
		switch err := d.Decode(&got); {
		case err != nil:
			t.Fatalf("line %d is %+v, %v, want no error", i, got, err)
		case i >= len(want):
			t.Fatalf("line %d is %+v, %v, want i below %d", i, got, err, len(want))
		case got != want[i]:
			t.Fatalf("line %d is %+v, %v, want %v", i, got, err, want[i])
		}
	}
}

func TestARetainedFunctionIsOneThatSurelyExists(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ known, sure, want bool }{
		"the gateway has it":                 {true, true, true},
		"the gateway does not have it":       {false, true, false},
		"the gateway had it, and is away":    {true, false, false},
		"the gateway has never been reached": {false, false, false},
	} {
		r := &Retention{Lanes: NewLanes(LanesOptions{MaxInflight: 1}), Known: func(context.Context, string) (known, sure bool) { return tt.known, tt.sure }}
		if got := r.knownFunctions()(t.Context(), "fn"); got != tt.want {
			t.Errorf("%s: known is %t, want %t", name, got, tt.want)
		}
	}
}
