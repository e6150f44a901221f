// This file holds the range of every number, and why it is that.

package config

import (
	"time"

	"queue-worker/pkg/invocation"
)

const (
	// maxPort is the largest port there is.
	maxPort = 65535
	// maxChannels bounds the queues of one worker. NATS Streaming has room for
	// 100 channels by default, and each one costs a subscription.
	maxChannels = 12
	// maxAllow bounds callback_allow, which is gone through for every callback.
	maxAllow = 256
	// maxInflight bounds the calls at a time: each has a connection, a goroutine
	// and up to max_response_bytes of an answer.
	maxInflight = 10_000
	// maxRetries is more than anyone waits for: with the default waits it takes
	// almost four years.
	maxRetries = 1_000_000
	// maxUnsettled is how many messages a channel of NATS Streaming holds by
	// default.
	maxUnsettled = 1_000_000

	// minAckWait is what NATS Streaming accepts: it counts whole seconds.
	minAckWait = time.Second
	// minTimeout is the shortest limit on a call with which anything can succeed.
	minTimeout = time.Millisecond
	// maxWait bounds waits and calls. Both may last days; above 30 the unit is
	// wrong.
	maxWait = 30 * 24 * time.Hour
	// maxCallback bounds a callback, whose receiver only has to take the result.
	maxCallback = time.Hour
	// maxGrace bounds the wait for a function that is not there: no roll-out takes longer.
	maxGrace = time.Hour
	// maxDrain bounds the drain: no pod takes longer than a day to stop.
	maxDrain = 24 * time.Hour
	// maxDirWait bounds the wait for data_dir: longer than the longest drain.
	maxDirWait = 2 * maxDrain
	// maxSync bounds what a kill or a power cut may take.
	maxSync = time.Minute
	// minAge and maxAge bound the age of dead letters: what is younger than a
	// second has no effect, and ten years mean no limit, which is 0.
	minAge = time.Second
	maxAge = 10 * 365 * 24 * time.Hour

	// minDeadBytes is about the size of one small dead letter.
	minDeadBytes = 1 << 10
	// maxAnswer bounds the answer that is kept with a dead letter: it is a part of its record.
	maxAnswer = invocation.MaxAnswerBody
	// minStore is what the store's own files take before there is anything in it.
	minStore = 1 << 20
	// minUnsettledBytes is the largest message of NATS with its default settings:
	// below it the intake could rest for ever.
	minUnsettledBytes = 1 << 20
	// maxMemory bounds what is held in memory, above which the unit is wrong.
	maxMemory = 64 << 30
	// minAnswers is the least memory of large answers with which anything but files is of use.
	minAnswers = 1 << 20
	// maxResponse bounds one answer. It is held in memory and stored in one batch.
	maxResponse = 256 << 20
	// minRequest is the smallest bound on a body that leaves room for any use, and
	// maxRequest the largest: it is held in memory and stored in one batch.
	minRequest, maxRequest = 1 << 10, 256 << 20
	// minWindow and maxWindow bound how long keys and results are remembered. A key
	// takes about 150 bytes on disk, a result as much as its answer.
	minWindow, maxWindow = time.Second, 30 * 24 * time.Hour
	// maxDisk bounds sizes on disk, above which the unit is wrong.
	maxDisk = 1 << 50
)

// bound is the range of a number, both ends included, in nanoseconds for
// durations. With orZero the zero value is legal although min is above it.
type bound struct {
	min, max int64
	orZero   bool
}

var bounds = map[string]bound{
	"faas_nats_port":         {min: 1, max: maxPort},
	"ack_wait":               {min: int64(minAckWait), max: int64(maxWait)},
	"max_unsettled":          {min: 1, max: maxUnsettled},
	"max_unsettled_bytes":    {min: minUnsettledBytes, max: maxMemory},
	"faas_gateway_port":      {min: 1, max: maxPort},
	"max_inflight":           {min: 1, max: maxInflight},
	"max_retry_attempts":     {min: 0, max: maxRetries},
	"initial_retry_wait":     {min: 0, max: int64(maxWait)},
	"max_retry_wait":         {min: 0, max: int64(maxWait)},
	"max_retry_after":        {min: 0, max: int64(maxWait)},
	"upstream_timeout":       {min: int64(minTimeout), max: int64(maxWait), orZero: true},
	"unknown_function_grace": {min: 0, max: int64(maxGrace)},
	"max_response_bytes":     {min: 1, max: maxResponse},
	"max_response_memory":    {min: minAnswers, max: maxMemory},
	"drain_timeout":          {min: int64(minTimeout), max: int64(maxDrain)},
	"data_dir_wait":          {min: 0, max: int64(maxDirWait)},
	"store_sync":             {min: int64(minTimeout), max: int64(maxSync), orZero: true},
	"store_max_bytes":        {min: minStore, max: maxDisk, orZero: true},
	"store_min_free":         {min: 0, max: maxDisk},
	"result_ttl":             {min: int64(minWindow), max: int64(maxWindow), orZero: true},
	"outcome_ttl":            {min: int64(minWindow), max: int64(maxWindow), orZero: true},
	"outcome_max_bytes":      {min: minStore, max: maxDisk, orZero: true},
	"dead_set_max_age":       {min: int64(minAge), max: int64(maxAge), orZero: true},
	"dead_set_max_bytes":     {min: minDeadBytes, max: maxDisk, orZero: true},
	"dead_set_answer_bytes":  {min: 0, max: maxAnswer},
	"callback_max_inflight":  {min: 1, max: maxInflight, orZero: true},
	"callback_timeout":       {min: int64(minTimeout), max: int64(maxCallback)},
	"max_request_bytes":      {min: minRequest, max: maxRequest},
	"idempotency_window":     {min: int64(minWindow), max: int64(maxWindow), orZero: true},
}

// holds reports whether n is in range.
func (b bound) holds(n int64) bool {
	return b.min <= n && n <= b.max || b.orZero && n == 0
}
