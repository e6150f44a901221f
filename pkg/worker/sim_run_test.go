package worker

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// The runs of the simulation, see sim_test.go: of some seeds or of as many as there is time for, and
// with planted bugs.

var (
	oneSeed  = flag.Uint64("seed", 0, "simulate this seed only")
	simSeeds = flag.Uint64("seeds", 200, "how many seeds to simulate")
	budget   = flag.Duration("budget", 0, "begin no further seed after this time; 0 for no bound, and for no progress")
)

func TestSimulation(t *testing.T) {
	t.Parallel()
	if *oneSeed != 0 {
		t.Run(fmt.Sprint("seed ", *oneSeed), func(t *testing.T) { simulation(t, *oneSeed) })
		return
	}
	seeds := *simSeeds
	if testing.Short() {
		seeds = min(seeds, 4) // as the race detector sees it
	}
	p := newSimProgress(t, seeds)
	for seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed+1), func(t *testing.T) {
			t.Parallel()
			if !p.begin() {
				t.Skip("the budget is used up")
			}
			simulation(t, seed+1)
			p.end(!t.Failed())
		})
	}
}

// simulation runs one seed as a test.
func simulation(t *testing.T, seed uint64) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		w := simulate(seed, defect{})
		for _, c := range w.complaints {
			t.Error(c)
		}
		if t.Failed() {
			t.Logf("go test ./pkg/worker -run TestSimulation -seed %d\n%s", seed, w.log)
		}
		t.Logf("%d messages, %d attempts, %d crashes in %s", len(w.order), len(w.calls), w.crashes, time.Since(begun))
	})
}

// simProgress prints how far a long simulation is, and what came of it.
type simProgress struct {
	seeds uint64
	begun time.Time

	mu           sync.Mutex
	done, failed uint64
	said         time.Time
}

const saidEvery = 10 * time.Second

func newSimProgress(t *testing.T, seeds uint64) *simProgress {
	p := &simProgress{seeds: seeds, begun: time.Now()}
	if *budget > 0 {
		t.Cleanup(func() {
			result := "PASS"
			if p.failed > 0 || p.done == 0 {
				result = "FAIL"
			}
			p.say(result)
		})
	}
	return p
}

// begin reports whether there is time for another seed.
func (p *simProgress) begin() bool { return *budget == 0 || time.Since(p.begun) < *budget }

func (p *simProgress) end(passed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done++
	if !passed {
		p.failed++
	}
	if *budget > 0 && time.Since(p.said) > saidEvery {
		p.said = time.Now()
		p.say("running")
	}
}

func (p *simProgress) say(state string) {
	fmt.Fprintf(os.Stderr, "simulation: %s, %d of %d seeds, %d failed, %s\n", state, p.done, p.seeds, p.failed, time.Since(p.begun).Round(time.Second))
}

// TestTheSimulationFindsPlantedBugs is the test of the test.
func TestTheSimulationFindsPlantedBugs(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		defect defect
		want   string
	}{
		{"a message that is acked before it is durable", defect{ackEarly: true}, "lost"},
		{"a settlement that is confirmed before it is written", defect{settleEarly: true}, "without a crash"},
		{"a retry that falls due too soon", defect{dueEarly: true}, "early"},
		{"a count of attempts that is not stored", defect{markless: true}, "without a crash"},
		{"a pause that is forgotten", defect{pauseless: true}, "is paused"},
		{"a cancelled call that is made again", defect{cancelless: true}, "without a crash"},
		{"a failed attempt that counts as two", defect{countTwice: true}, "has not failed"},
		{"a clock of the store that is ahead after a restart", defect{clockAhead: true}, "early"},
		{"due times that count from the restart", defect{downtime: true}, "late"},
		{"a lane that is not unlocked", defect{wakeless: true}, "stalled"},
		{"a stale callback after a replay", defect{staleHook: true}, "is stale"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(50) {
				var found []string
				synctest.Test(t, func(*testing.T) { found = simulate(seed+1, tt.defect).complaints })
				if all := strings.Join(found, "\n"); strings.Contains(all, tt.want) {
					t.Logf("found by seed %d: %.200s", seed+1, all)
					return
				}
			}
			t.Error("50 seeds have not found it")
		})
	}
}
