// File health.go says how what the worker depends on does, and what to try first.

package console

import (
	"fmt"
	"strings"

	"queue-worker/pkg/wire"
)

func healthOf(s wire.Status) []health {
	return []health{
		{"Store", storeHealth(s.Store)},
		{"NATS Streaming", sourceHealth(s)},
		{"Gateway", gatewayHealth(s.Worker.Gateway)},
		{"Unaccounted", accountHealth(s.Worker.Unaccounted)},
	}
}

func storeHealth(st wire.StoreStatus) condition {
	switch {
	case st.Error != "":
		return condition{Tone: toneBad, Icon: "alert", Word: "failing", Detail: Text(st.Error)}
	case st.Full != "":
		return condition{Tone: toneBad, Icon: "alert", Word: "full", Detail: Text(st.Full)}
	case !st.Durable:
		return condition{Tone: toneWarning, Icon: "clock", Word: "in memory", Detail: sizes(st)}
	}
	return condition{Tone: toneGood, Icon: "tick", Word: "durable", Detail: Text(st.Path) + ", " + sizes(st)}
}

// sizes says how much is stored, and how much may be.
func sizes(st wire.StoreStatus) string {
	held := Bytes(bytesOf(st.RequestBytes) + bytesOf(st.ResultBytes))
	if st.MaxBytes > 0 {
		held += " of " + Bytes(bytesOf(st.MaxBytes))
	}
	if st.FreeBytes > 0 {
		held += ", " + Bytes(st.FreeBytes) + " free"
	}
	return held
}

// bytesOf is a size that is never negative.
func bytesOf(n int64) uint64 { return uint64(max(n, 0)) }

func sourceHealth(s wire.Status) condition {
	src := s.Worker.Source
	where := Text(src.URL)
	if src.Embedded {
		where = "in this process, " + where
	}
	switch {
	case !src.Connected:
		return condition{Tone: toneBad, Icon: "alert", Word: "not connected", Detail: where + because(src.Error)}
	case src.Paused != "":
		return condition{Tone: toneWarning, Icon: "pause", Word: "paused", Detail: Text(src.Paused)}
	}
	return condition{Tone: toneGood, Icon: "tick", Word: "connected", Detail: where}
}

func gatewayHealth(g wire.GatewayStatus) condition {
	if g.Error != "" {
		return condition{Tone: toneWarning, Icon: "clock", Word: "no answers", Detail: Text(g.URL) + because(g.Error)}
	}
	return condition{Tone: toneGood, Icon: "tick", Word: "ok", Detail: Text(g.URL)}
}

func accountHealth(n int64) condition {
	if n != 0 {
		return condition{Tone: toneBad, Icon: "alert", Word: Count(int(n)), Detail: "accepted minus stored minus finished invocations; this is a bug"}
	}
	return condition{Tone: toneGood, Icon: "tick", Word: "0", Detail: "accepted minus stored minus finished invocations"}
}

// steps are what to try first. Example is a function that can be made to fail.
func (o Overview) steps() []step {
	gateway := strings.TrimSuffix(Text(o.Status.Worker.Gateway.URL), "/")
	if o.Example == "" {
		return []step{
			{"Call a function of yours asynchronously; it appears here:", fmt.Sprintf("curl -i %s/async-function/NAME -d hello", gateway)},
			{"See what became of it, with the X-Call-Id of that answer:", "queue-worker invocation get CALL-ID"},
		}
	}
	return []step{
		{"Make the function of this machine fail:", fmt.Sprintf(`curl -i %s/function/%s/set -d '{"status":500}'`, gateway, o.Example)},
		{"Call it asynchronously; it appears here when you load this page again:", fmt.Sprintf("curl -i %s/async-function/%s -d hello", gateway, o.Example)},
		{"Let it succeed; the next retry is done:", fmt.Sprintf(`curl -i %s/function/%s/set -d '{"status":200}'`, gateway, o.Example)},
	}
}
