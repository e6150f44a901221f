package admin_test

import (
	"testing"

	"queue-worker/pkg/api/apitest"
	"queue-worker/pkg/store/embedded"
)

// rig is the whole surface with its store.
type rig struct{ *apitest.Rig }

func newRig(t testing.TB, edits ...func(*apitest.Options)) *rig {
	t.Helper()
	return &rig{apitest.New(t, edits...)}
}

func newRigOn(t testing.TB, s *embedded.Store, edits ...func(*apitest.Options)) *rig {
	t.Helper()
	return &rig{apitest.NewOn(t, s, edits...)}
}
