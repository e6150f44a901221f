package intake

import (
	"testing"
	"time"
)

func TestAnAgeInTheHeaderCountsFromWhenTheMessageIsTaken(t *testing.T) {
	t.Parallel()
	ns := startNATS(t, "", "")
	s := newRecorder(t, true)
	r := run(t, s, ns.URL())
	c := r.publisher(t)
	for _, tt := range []struct {
		header string
		age    time.Duration // 0: it has no end
	}{
		{`{"X-Max-Age":["90s"]}`, 90 * time.Second},
		{`{"X-Max-Age":["90"]}`, 90 * time.Second},
		{`{"X-Max-Age":["soon"]}`, 0}, // the worker logs it
		{`{}`, 0},
	} {
		publish(t, c, channel, []byte(`{"Header":`+tt.header+`,"Body":"aGk=","Method":"POST","Function":"figlet"}`))
		inv := s.got(t, 1)[0].Inv
		s.set(func() { s.taken = nil })
		switch want := inv.Accepted.Add(tt.age); {
		case tt.age == 0 && inv.Terms != nil:
			t.Errorf("%s: it ends at %s, terms %+v, want terms nil", tt.header, inv.Expires(), inv.Terms)
		case tt.age > 0 && !inv.Expires().Equal(want):
			t.Errorf("%s: it ends at %s, terms %+v, want expires %v", tt.header, inv.Expires(), inv.Terms, want)
		}
	}
}
