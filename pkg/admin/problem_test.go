package admin_test

import (
	"testing"

	"queue-worker/pkg/admin"
	"queue-worker/pkg/api/apitest"
)

func TestErrorsHaveTheShapeOfTheGoldenFile(t *testing.T) {
	t.Parallel()
	apitest.GoldenProblems(t, admin.Problems())
}
