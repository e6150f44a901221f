package worker

import (
	"flag"
	"testing"

	"go.uber.org/goleak"
)

// TestMain looks for goroutines that are left when all tests have ended.
func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue {
		_ = f.Value.Set("1500") // an act of a model costs microseconds
	}
	goleak.VerifyTestMain(m)
}
