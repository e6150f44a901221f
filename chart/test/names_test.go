package chart

// Keys at the top: those of the OpenFaaS chart are taken, those that are nearly ours are refused.

import (
	"strings"
	"testing"
)

func TestAKeyThatIsNearlyOursIsRefused(t *testing.T) {
	t.Parallel()
	for key, ours := range map[string]string{
		"persistance": "persistence", "Persistence": "persistence", "persistenc": "persistence", "queueworkerPro": "queueWorkerPro",
		"drain_Seconds": "drainSeconds", "gatewayURLs": "gatewayUrl", "setting": "settings", "stanEmbeded": "stanEmbedded",
		"mailboxes": "mailbox", "extraENV": "extraEnv", "network_Policy": "networkPolicy", "NATS": "nats",
	} {
		_, err := files(t, key+": {}")
		if want := key + " is no value of this chart or of the OpenFaaS chart: did you mean " + ours + "?"; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", key, err, want)
		}
	}
}

func TestAKeyThatIsFarFromOursIsIgnored(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"monitoring", "x-defaults", "global", "tags", "images", "persistentVolumes"} {
		if _, err := files(t, key+": {}"); err != nil {
			t.Errorf("%s: got %v, want it taken", key, err)
		}
	}
}

// TestEveryBlockOfOpenFaaSIsTaken: so a values file of the OpenFaaS chart of any year installs unchanged.
func TestEveryBlockOfOpenFaaSIsTaken(t *testing.T) {
	t.Parallel()
	want := render(t, "{}").text
	for _, key := range strings.Fields(read(t, "../queue-worker/files/openfaas-keys.txt")) {
		if _, ours := load(t).Values[key]; ours {
			continue
		}
		r := render(t, key+": {enabled: true, replicas: 3}")
		if r.text != want {
			t.Errorf("%s: the chart renders otherwise than by default: got text %v, want %v", key, r.text, want)
		}
		if strings.Contains(r.notes, "is ignored") {
			t.Errorf("%s: got notes\n%s\nwant none that it is ignored", key, r.notes)
		}
	}
}
