package embedded

import (
	"errors"
	"testing"
)

// TestAStepAloneBeginsABatch: what it reads is what the batches before it have written.
func TestAStepAloneBeginsABatch(t *testing.T) {
	t.Parallel()
	o := &step{alone: true, run: func(*txn) error { return nil }}
	if err := o.stage(&txn{ops: []op{o}}); !errors.Is(err, errConflict) {
		t.Errorf("in a batch that has begun: got %v, want %v", err, errConflict)
	}
	if err := o.stage(&txn{}); err != nil {
		t.Errorf("first in a batch: got %v, want nil", err)
	}
}
