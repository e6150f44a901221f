package testkit

import (
	"testing"
	"time"
)

// Patience is how long a test waits for what must happen, on a machine that is busy with
// other things.
const Patience = time.Minute

// Eventually waits up to Patience for what can only be asked for again and again.
func Eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for late := time.Now().Add(Patience); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(late) {
			t.Fatalf("after %s: got nothing, want %s", Patience, what)
		}
	}
}
