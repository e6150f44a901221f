package e2e

// A gateway whose certificate is of a private CA.

import (
	"encoding/pem"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
)

// TestAGatewayOfAPrivateCAIsCalled: SSL_CERT_DIR, which the chart sets for caSecret, adds to the certificates of the
// system; without it nothing is called, and nothing is lost.
func TestAGatewayOfAPrivateCAIsCalled(t *testing.T) {
	t.Parallel()
	s := newStand(t, "initial_retry_wait=50ms", "max_retry_wait=50ms", "max_retry_attempts=1000")
	gateway := httptest.NewTLSServer(s.gateway)
	t.Cleanup(gateway.Close)
	ca := t.TempDir()
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: gateway.Certificate().Raw})
	if err := os.WriteFile(filepath.Join(ca, "ca.crt"), text, 0o600); err != nil {
		t.Fatal(err)
	}

	w := s.worker("gateway_url="+gateway.URL, "ingest_check=false")
	m := w.submit(t, "/async-function/figlet", "hello")
	if got := w.next(t, m, "retry").text("cause"); got != "tls" {
		t.Errorf("without the CA: got cause %q, want tls", got)
	}
	w.kill()
	w.exit(t)

	w = s.worker("gateway_url="+gateway.URL, "SSL_CERT_DIR="+ca)
	w.next(t, m, "done")
	if got := string(s.gateway.calls()[0].Body); got != "hello" {
		t.Errorf("with the CA: got body %q, want hello", got)
	}
	if got := s.doctor(w, "gateway_url="+gateway.URL, "SSL_CERT_DIR="+ca).statuses(t)["gateway"]; got == "bad" {
		t.Errorf("doctor: got %s for the gateway, want it not bad", got)
	}
}
