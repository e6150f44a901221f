package invoke

import (
	"net/http"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/openfaas/faas-provider/types"

	"queue-worker/pkg/invocation"
)

// TestTheTraceOfAnAttemptIsSent instead of the caller's, to functions and to
// callbacks, whatever else of a header goes there.
func TestTheTraceOfAnAttemptIsSent(t *testing.T) {
	t.Parallel()
	full := http.Header{"Traceparent": {"caller"}, "Tracestate": {"a=1", "b=2"}}
	crowded := http.Header{}
	for i := range maxFields {
		crowded["X-"+strconv.Itoa(i)] = []string{""}
	}
	function := func(c *Client, call Call) (http.Header, error) { return functionHeader(c, call) }
	callback := func(c *Client, call Call) (http.Header, error) { return c.postHeader(call, nil) }
	producer := &invocation.Terms{Source: invocation.SourceProducer}
	for _, tt := range []struct {
		name          string
		make          func(*Client, Call) (http.Header, error)
		header        http.Header
		call          Call
		parent, state []string
	}{
		{"without one a function gets the caller's", function, full, Call{}, []string{"caller"}, []string{"a=1", "b=2"}},
		{"a function", function, full, Call{TraceParent: "ours", TraceState: "c=3"}, []string{"ours"}, []string{"c=3"}},
		{"a function, and no state", function, full, Call{TraceParent: "ours"}, []string{"ours"}, nil},
		{"a function whose caller has as many fields as can be", function, crowded, Call{TraceParent: "ours"}, []string{"ours"}, nil},
		{"a callback", callback, nil, Call{TraceParent: "ours", TraceState: "c=3"}, []string{"ours"}, []string{"c=3"}},
		{"without one a producer's message gets none", callback, full, Call{Terms: producer}, nil, nil},
		{"a producer's message", callback, full, Call{TraceParent: "ours", Terms: producer}, []string{"ours"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.call.ID, tt.call.Request = testID, decoded(t, types.QueueRequest{Function: "fn", Header: tt.header})
			h, err := tt.make(newClient(t, "127.0.0.1:1", nil), tt.call)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff([][]string{tt.parent, tt.state}, [][]string{h["Traceparent"], h["Tracestate"]}); d != "" {
				t.Errorf("traceparent and tracestate (-want +got):\n%s", d)
			}
		})
	}
}
