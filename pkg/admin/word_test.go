package admin

import (
	"testing"

	"queue-worker/pkg/jobs"
	"queue-worker/pkg/store"
	"queue-worker/pkg/wire"
)

// TestTheWordsOfDocumentsAreThoseOfTheParts: pkg/wire imports neither the jobs nor the store.
func TestTheWordsOfDocumentsAreThoseOfTheParts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ document, part string }{
		{wire.ActReplay, string(jobs.Replay)}, {wire.ActDrop, string(jobs.Drop)}, {wire.ActPurge, string(jobs.Purge)},
		{wire.JobPlanned, string(jobs.Planned)}, {wire.JobRunning, string(jobs.Running)}, {wire.JobWaiting, string(jobs.Waiting)},
		{wire.JobPaused, string(jobs.Paused)}, {wire.JobStopped, string(jobs.Stopped)}, {wire.JobCancelled, string(jobs.Cancelled)},
		{wire.JobDone, string(jobs.Done)}, {wire.StateReady, store.StateReady}, {wire.StateDelayed, store.StateDelayed},
	} {
		if tt.document != tt.part {
			t.Errorf("got %q in documents, want %q", tt.document, tt.part)
		}
	}
}
