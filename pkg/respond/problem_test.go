package respond_test

import (
	"testing"

	"queue-worker/pkg/api/apitest"
	"queue-worker/pkg/respond"
)

func TestErrorsHaveTheShapeOfTheGoldenFile(t *testing.T) {
	t.Parallel()
	apitest.GoldenProblems(t, respond.Problems())
}
