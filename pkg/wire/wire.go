// Package wire has the JSON documents of the HTTP surface: what requests and answers
// contain. pkg/admin and pkg/ingest write them, pkg/client and the commands read them.
//
// Each document is one struct, whose tags say how it is written. Readers take any document
// of a newer version too: they skip keys that they do not know. Requests and filters are
// checked by the server. openapi.yaml describes the same documents for other programs.
//
// The package has no logic beyond that of its types, and knows neither HTTP nor the store.
package wire

// Header fields of requests that carry terms of an invocation.
const (
	HeaderDelay          = "X-Delay-Duration"
	HeaderNotBefore      = "X-Not-Before"
	HeaderMaxAge         = "X-Max-Age"
	HeaderIdempotencyKey = "Idempotency-Key"
)

// HeaderInvocationID is the field of an answer with the id of the accepted invocation.
const HeaderInvocationID = "X-Invocation-Id"

// Header fields of a result that are not the function's. The first marks an answer as that
// of a function.
const (
	HeaderOutcome   = "X-Queue-Worker-Outcome"   // done, dead, dropped or cancelled
	HeaderStatus    = "X-Queue-Worker-Status"    // the function's, also where HTTP could not carry it
	HeaderTruncated = "X-Queue-Worker-Truncated" // true: the body is only the beginning
)

// MediaLines is the media type of exports and imports: one JSON document per line.
const MediaLines = "application/x-ndjson"

// MaxPage is the largest page of a listing.
const MaxPage = 500
