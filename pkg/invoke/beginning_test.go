package invoke

import "testing"

// TestOfAFailureTheBeginningIsKept asks for the beginning of bodies, with a limit of 8 bytes on all.
func TestOfAFailureTheBeginningIsKept(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		status    int
		body      string
		want      string
		size      int64
		truncated bool
	}{
		"a success":                {200, "hello", "", 5, false},
		"a failure":                {500, "hello", "hell", 5, false},
		"a short failure":          {404, "no", "no", 2, false},
		"a failure beyond a limit": {404, "123456789", "1234", 8, true},
		"an empty failure":         {500, "", "", 0, false},
	} {
		s := answering(t, wire(tt.status, tt.body))
		c := newClient(t, s.address, func(o *Options) { o.MaxResponseBytes = 8 })
		call := callOf(t, "x")
		call.KeepBody, call.KeepBeginning = false, 4
		r := c.Function(t.Context(), call)
		if got := string(r.Body); got != tt.want {
			t.Errorf("%s: got the body %q, want %q", name, got, tt.want)
		}
		if r.Size != tt.size {
			t.Errorf("%s: got the size %d, want %d", name, r.Size, tt.size)
		}
		if r.Truncated != tt.truncated {
			t.Errorf("%s: got truncated %t, want %t", name, r.Truncated, tt.truncated)
		}
	}
}
