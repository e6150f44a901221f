package descriptor

import "testing"

func TestSharesAreAsDocumented(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		limit  int64
		demand Demand
		want   Shares
	}{
		{1024, Demand{MaxInflight: 50}, Shares{Needed: 566, Callers: 490}},
		{1024, Demand{MaxInflight: 50, Channels: 1}, Shares{Needed: 634, Callers: 341, Publishers: 113}},
		{0, Demand{MaxInflight: 50}, Shares{Needed: 566, Callers: 490}},
		{128, Demand{MaxInflight: 50, Channels: 1}, Shares{Needed: 452, Callers: 32, Publishers: 32}},
		{65536, Demand{MaxInflight: 10000, Channels: 3}, Shares{Needed: 31236, Callers: 34108, Publishers: 256}},
		{1 << 62, Demand{MaxInflight: 1}, Shares{Needed: 1163, Callers: 1 << 20}},
	} {
		if got := Divide(tt.limit, tt.demand); got != tt.want {
			t.Errorf("limit %d, %+v: %+v, want %+v", tt.limit, tt.demand, got, tt.want)
		}
	}
}

func TestBothListenersLeaveRoomForStoreAndCalls(t *testing.T) {
	t.Parallel()
	for limit := int64(1); limit < 1<<21; limit += 1 + limit/7 {
		for _, d := range []Demand{{1, 0}, {1, 1}, {50, 0}, {50, 1}, {50, 20}, {10000, 1}} {
			s := Divide(limit, d)
			listeners := int64(s.Callers + s.Publishers)
			need := s.Needed - minConnections
			if d.Channels > 0 {
				need -= minConnections
			}
			if s.Callers < minConnections || d.Channels > 0 && s.Publishers < minConnections || d.Channels == 0 && s.Publishers != 0 {
				t.Fatalf("limit %d, %+v: %+v has too few connections", limit, d, s)
			}
			if limit >= s.Needed && listeners > limit-need {
				t.Fatalf("limit %d, %+v: %+v leaves too few for the rest", limit, d, s)
			}
		}
	}
}

func TestTheStoreKeepsAQuarterOfTheLimitOpen(t *testing.T) {
	t.Parallel()
	for limit, want := range map[int64]int{0: 256, 1: 74, 256: 74, 400: 100, 1024: 256, 65536: 1000} {
		if got := Tables(limit); got != want {
			t.Errorf("limit %d: %d, want %d", limit, got, want)
		}
	}
}
