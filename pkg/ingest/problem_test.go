package ingest_test

import (
	"testing"

	"queue-worker/pkg/api/apitest"
	"queue-worker/pkg/ingest"
)

func TestErrorsHaveTheShapeOfTheGoldenFile(t *testing.T) {
	t.Parallel()
	apitest.GoldenProblems(t, ingest.Problems())
}
