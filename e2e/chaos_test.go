package e2e

// Chaos: worker and NATS Streaming are killed again and again while messages come
// and functions fail, and in the end every one of them has to be somewhere.
//
// A run is made of a seed: what each function does, what is killed after how many
// calls, and with which pause. The same seed gives the same plan; the moment at
// which a kill strikes is the machine's.

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"
)

// chaos is the size of a run.
type chaos struct {
	messages    int
	workerKills int      // kill -9
	drains      int      // SIGTERM
	brokerKills int      // kill -9
	freezes     int      // of NATS Streaming, by SIGSTOP, long enough to be noticed or not
	points      []string // named places at which the worker dies, each crashes times
	crashes     int
	percent     int  // of CHAOSTIME, after which no strike begins
	embedded    bool // NATS Streaming is in the worker
	settings    []string
	// stillness is how long a worker that is ready and has nothing to do is waited
	// for while confirmed messages have not been called; then they are lost. 0: 15 s.
	stillness time.Duration
}

// isLong is CHAOS=long, which make chaos sets.
func isLong() bool { return os.Getenv("CHAOS") == "long" }

// strikeTime is how long strikes of a run may begin: its part of CHAOSTIME, 0 for as long as it takes.
func (c chaos) strikeTime() time.Duration {
	d, err := time.ParseDuration(os.Getenv("CHAOSTIME"))
	if err != nil || !isLong() {
		return 0
	}
	return d * time.Duration(c.percent) / 100
}

var crashPoints = []string{"before-commit", "before-ack", "before-call", "before-settle", "after-settle"}

// What the workers of all runs are set to. The waits are short, so that many fall
// due in a run.
const (
	chaosLimit    = 3
	chaosInflight = 16
	chaosWait     = 100 * time.Millisecond
	chaosMaxWait  = 300 * time.Millisecond
)

func chaosRules(durable bool) rules {
	return rules{limit: chaosLimit, atOnce: chaosInflight, durable: durable, wait: func(n int) time.Duration {
		return min(chaosWait<<(n-1), chaosMaxWait)
	}}
}

// seedOf is the seed of a run: CHAOS_SEED, or a new one. It is printed with the
// command that runs it again.
func seedOf(t *testing.T) uint64 {
	t.Helper()
	seed, err := strconv.ParseUint(os.Getenv("CHAOS_SEED"), 10, 64)
	if err != nil {
		seed = rand.Uint64()
	}
	long := ""
	if isLong() {
		long = "CHAOS=long "
	}
	t.Logf("seed %d; to run it again: %sCHAOS_SEED=%d go test -count=1 -run '^%s$' ./e2e", seed, long, seed, t.Name())
	return seed
}

// TestChaosLosesNothingAndRepeatsOnlyWhatWasInFlight holds what docs/guarantees.md
// promises of kills: nothing is lost, early, over the limit or called without need, and
// every invocation is accounted for.
func TestChaosLosesNothingAndRepeatsOnlyWhatWasInFlight(t *testing.T) {
	c := chaos{messages: 2000, workerKills: 6, drains: 1, brokerKills: 3}
	if isLong() {
		c = chaos{messages: 20_000, workerKills: 50, drains: 10, brokerKills: 20, freezes: 5, points: crashPoints, crashes: 20, percent: 60}
	}
	c.run(t)
}

// TestChaosOfEmbeddedNATSStreaming kills the worker with NATS Streaming inside.
func TestChaosOfEmbeddedNATSStreaming(t *testing.T) {
	c := chaos{messages: 400, workerKills: 3, embedded: true}
	if isLong() {
		c = chaos{messages: 5000, workerKills: 20, points: crashPoints, crashes: 4, embedded: true, percent: 20}
	}
	c.run(t)
}

// TestChaosWithoutADataDir loses nothing that was not settled. A kill forgets how
// many attempts there were, and who is dead.
func TestChaosWithoutADataDir(t *testing.T) {
	c := chaos{messages: 400, workerKills: 2, drains: 1, brokerKills: 1, settings: []string{"data_dir="}}
	if isLong() {
		c = chaos{messages: 5000, workerKills: 15, drains: 5, brokerKills: 5, settings: []string{"data_dir="}, percent: 20}
	}
	c.run(t)
}

// TestChaosFindsWhatAnUnsyncedStoreLoses is the test of the test with real
// processes: a store that syncs once a minute forgets what a kill takes, and the
// ledger has to find that.
func TestChaosFindsWhatAnUnsyncedStoreLoses(t *testing.T) {
	v := chaos{messages: 400, workerKills: 4, settings: []string{"store_sync=1m"}, stillness: 2 * time.Second}.play(t)
	if len(v.wrong) == 0 {
		t.Errorf("nothing is wrong with a run that has lost what it had confirmed: got %v, want at least 1 wrong", len(v.wrong))
	}
	t.Logf("found, as it has to be:\n%s", v)
}
