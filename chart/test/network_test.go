package chart

// What the NetworkPolicies let through, worked out as Kubernetes defines it.

import (
	"net/netip"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// other is the other end of a connection: a pod, or an address outside.
type other struct {
	namespace string
	labels    map[string]string // of the pod
	team      string            // a label of the namespace
	ip        string
}

func matches(t *testing.T, s *metav1.LabelSelector, set map[string]string) bool {
	t.Helper()
	selector, err := metav1.LabelSelectorAsSelector(s)
	if err != nil {
		t.Fatal(err)
	}
	return selector.Matches(labels.Set(set))
}

func (o other) isOneOf(t *testing.T, peers []networkingv1.NetworkPolicyPeer) bool {
	t.Helper()
	for _, p := range peers {
		if p.IPBlock != nil {
			if o.ip != "" && inBlock(t, p.IPBlock, o.ip) {
				return true
			}
			continue
		}
		sameNamespace := p.NamespaceSelector == nil && o.namespace == "openfaas"
		named := p.NamespaceSelector != nil && matches(t, p.NamespaceSelector, map[string]string{"kubernetes.io/metadata.name": o.namespace, "team": o.team})
		if o.ip == "" && (sameNamespace || named) && (p.PodSelector == nil || matches(t, p.PodSelector, o.labels)) {
			return true
		}
	}
	return len(peers) == 0 // no list: everyone
}

func inBlock(t *testing.T, b *networkingv1.IPBlock, ip string) bool {
	t.Helper()
	in := func(cidr string) bool {
		p, err := netip.ParsePrefix(cidr)
		if err != nil {
			t.Fatal(err)
		}
		return p.Contains(netip.MustParseAddr(ip))
	}
	for _, e := range b.Except {
		if in(e) {
			return false
		}
	}
	return in(b.CIDR)
}

func onPort(ports []networkingv1.NetworkPolicyPort, port int) bool {
	for _, p := range ports {
		if p.Port.Type == intstr.Int && p.Port.IntValue() == port && (p.Protocol == nil || *p.Protocol == corev1.ProtocolTCP) {
			return true
		}
	}
	return len(ports) == 0
}

// may reports whether the worker's pod may be reached by o (in), or reach it.
func (r rendered) may(t *testing.T, in bool, o other, port int) bool {
	t.Helper()
	restricted := false
	for _, p := range all[*networkingv1.NetworkPolicy](r) {
		if !matches(t, &p.Spec.PodSelector, r.pod(t).Labels) {
			t.Errorf("the policy %s selects other pods: matches(t, &p.Spec.PodSelector, r.pod(t).Labels) = false, want true", p.Name)
		}
		for _, kind := range p.Spec.PolicyTypes {
			restricted = restricted || in == (kind == networkingv1.PolicyTypeIngress)
		}
		if in {
			for _, rule := range p.Spec.Ingress {
				if onPort(rule.Ports, port) && o.isOneOf(t, rule.From) {
					return true
				}
			}
			continue
		}
		for _, rule := range p.Spec.Egress {
			if onPort(rule.Ports, port) && o.isOneOf(t, rule.To) {
				return true
			}
		}
	}
	return !restricted
}

func TestWhoMayReachTheWorkerAndWhomItMayReach(t *testing.T) {
	t.Parallel()
	gateway := other{namespace: "openfaas", labels: map[string]string{"app": "gateway"}}
	nats := other{namespace: "openfaas", labels: map[string]string{"app": "nats"}}
	elsewhere := other{namespace: "faas", labels: map[string]string{"app": "gateway"}}
	function := other{namespace: "openfaas-fn", labels: map[string]string{"faas_function": "f"}}
	stranger := other{namespace: "default", labels: map[string]string{"app": "gateway"}}
	prometheus := other{namespace: "monitoring"}
	billing := other{namespace: "payments", team: "billing"}
	const guarded, embedded = "networkPolicy: {enabled: true}\n", "stanEmbedded: true\n"
	const named = "networkPolicy: {enabled: true, apiFrom: [{namespaceSelector: {matchLabels: {team: billing}}}], egressTo: [{namespaceSelector: {matchLabels: {team: billing}}}]}\n"
	tests := []struct {
		name, values string
		in           bool
		who          other
		port         int
		want         bool
	}{
		{"nothing is guarded by default", "{}", true, stranger, 8081, true},
		{"the gateway reaches the embedded server", embedded, true, gateway, 4222, true},
		{"a function does not reach the embedded server", embedded, true, function, 4222, false},
		{"no other pod does, whatever labels it has", embedded, true, stranger, 4222, false},
		{"Prometheus does not reach the embedded server", embedded + guarded, true, prometheus, 4222, false},
		{"an address outside does not reach the embedded server", embedded, true, other{ip: "8.8.8.8"}, 4222, false},
		{"embedded NATS Streaming alone leaves the API open", embedded, true, stranger, 8081, true},
		{"embedded NATS Streaming alone leaves calls free", embedded, false, other{ip: "10.1.2.3"}, 9999, true},
		{"the gateway of another namespace reaches its embedded server", embedded + "openfaasNamespace: faas", true, elsewhere, 4222, true},
		{"and then the one beside the worker does not", embedded + "openfaasNamespace: faas", true, gateway, 4222, false},
		{"a function posts to the mailbox", guarded, true, function, 8081, true},
		{"Prometheus scrapes", guarded, true, prometheus, 8081, true},
		{"a stranger does not reach the API", guarded, true, stranger, 8081, false},
		{"who is named reaches the API", named, true, billing, 8081, true},
		{"no pod reaches another port", guarded, true, gateway, 6060, false},
		{"the worker calls the gateway", guarded, false, gateway, 8080, true},
		{"and not its other ports", guarded, false, gateway, 8082, false},
		{"a gateway with a port of its own", guarded + "gatewayUrl: 'http://gw.example:8888/x'", false, other{ip: "10.1.2.3"}, 8888, true},
		{"a gateway over https", guarded + "gatewayUrl: 'https://gw.example'", false, other{ip: "10.1.2.3"}, 443, true},
		{"the worker reads NATS Streaming", guarded, false, nats, 4222, true},
		{"one with a port of its own", guarded + "nats: {external: {enabled: true, host: h, port: 4223}}", false, other{ip: "10.1.2.3"}, 4223, true},
		{"with an embedded server it connects to no other", guarded + embedded, false, nats, 4222, false},
		{"names are resolved", guarded, false, other{namespace: "kube-system"}, 53, true},
		{"callbacks go to the internet", guarded, false, other{ip: "93.184.216.34"}, 443, true},
		{"over IPv6 too", guarded, false, other{ip: "2606:2800:220:1::1"}, 443, true},
		{"not to odd ports", guarded, false, other{ip: "93.184.216.34"}, 22, false},
		{"not to private addresses", guarded, false, other{ip: "10.1.2.3"}, 80, false},
		{"not to the cloud's metadata", guarded, false, other{ip: "169.254.169.254"}, 80, false},
		{"not to that of Azure", guarded, false, other{ip: "168.63.129.16"}, 80, false},
		{"not to that of Oracle", guarded, false, other{ip: "192.0.0.192"}, 80, false},
		{"not to benchmarking addresses", guarded, false, other{ip: "198.19.0.1"}, 80, false},
		{"not to addresses that hold others", guarded, false, other{ip: "2002:a9fe:a9fe::1"}, 80, false},
		{"not to local IPv6 addresses", guarded, false, other{ip: "fd00:ec2::254"}, 80, false},
		{"not to other pods", guarded, false, stranger, 80, false},
		{"unless they are named", named, false, billing, 8443, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := render(t, tt.values).may(t, tt.in, tt.who, tt.port); got != tt.want {
				t.Errorf("may is %t, want %t", got, tt.want)
			}
		})
	}
}
