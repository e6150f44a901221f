package wire

// Problem is the document of every error.
type Problem struct {
	Text    string   `json:"error"`
	Reason  Reason   `json:"reason"`
	Hint    string   `json:"hint"`
	Reasons []string `json:"reasons,omitempty"` // of what is not ready or not accepted, one sentence each
	// IDs are the invocations of a call id that was used more than once.
	IDs []string `json:"ids,omitempty"`
}

// Reason is the word for a program that reads an error. The set is closed.
type Reason string

// Reasons, and the status with which each is answered.
const (
	BadRequest       Reason = "bad_request"        // 400: a parameter or an id
	Unauthorized     Reason = "unauthorized"       // 401: credentials are missing or wrong
	Forbidden        Reason = "forbidden"          // 403: not from there, or no credentials can be checked
	NotFound         Reason = "not_found"          // 404: no such path, or no such dead letter
	NoResult         Reason = "no_result"          // 404: it has finished, and no result was kept
	UnknownFunction  Reason = "unknown_function"   // 404: the gateway says that there is no such function
	MethodNotAllowed Reason = "method_not_allowed" // 405
	Superseded       Reason = "superseded"         // 409: a callback of an outcome before a replay
	NotDead          Reason = "not_dead"           // 409: it is there, but not dead
	IsDead           Reason = "dead"               // 409: it is in the dead set
	NotOver          Reason = "not_over"           // 409: it is pending
	Ambiguous        Reason = "ambiguous"          // 409: a call id that came more than once
	NotPlanned       Reason = "not_planned"        // 409: the job has been applied
	NotApplied       Reason = "not_applied"        // 409: the job is a plan
	Expired          Reason = "expired"            // 409: the plan is too old
	IsOver           Reason = "over"               // 409: the job or the invocation has finished
	TooMany          Reason = "too_many"           // 409: too many jobs are open, or functions paused
	TooLarge         Reason = "too_large"          // 413, 431
	KeyReused        Reason = "key_reused"         // 422: the Idempotency-Key stands for something else
	Internal         Reason = "internal"           // 500: see the log
	Unhealthy        Reason = "unhealthy"          // 503: only a restart can help
	NotReady         Reason = "not_ready"          // 503: see reasons
	Stalled          Reason = "stalled"            // 503: the outcome is not known yet
	Busy             Reason = "busy"               // 503: nothing was done
	StoreFull        Reason = "store_full"         // 503: nothing is accepted for lack of room
	NotConnected     Reason = "not_connected"      // 503: nothing is accepted, because NATS Streaming is away
)
