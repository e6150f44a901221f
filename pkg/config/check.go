// This file checks values: each by itself, and those that have to fit together.

package config

import (
	"fmt"
	"net"
	"net/netip"
	"reflect"
	"slices"
	"strconv"

	"queue-worker/pkg/duration"
)

// valid are the checks of texts by name; of lists, of each item.
var valid = map[string]func(string) bool{
	"faas_nats_address":      isAddress,
	"faas_nats_cluster_name": isSubject,
	"faas_nats_channel":      isQueue,
	"faas_nats_queue_group":  isSubject,
	"faas_gateway_address":   isAddress,
	"default_function_name":  isNamespace,
	"retry_http_codes":       areCodes,
	"data_dir":               isPath,
	"store_url":              isDatabase,
	"store_url_file":         isPath,
	"dead_set_codes":         areCodes,
	"callback_allow":         isHostOrRange,
	"http_listen_address":    isListenAddress,
	"secret_mount_path":      isPath,
	"stan_listen_address":    isListenAddress,
	"stan_credentials_file":  isPath,
	"stan_ca_file":           isPath,
	"stan_cert_file":         isPath,
	"stan_key_file":          isPath,
}

// checkEach holds every value against the range or the form of its setting.
func (l *loader) checkEach() {
	c := reflect.ValueOf(l.config).Elem()
	for _, s := range settings {
		if !l.wrong[s.name] && !l.isZero(s) {
			l.check(s, c.FieldByIndex(s.field.Index))
		}
	}
}

func (l *loader) check(s setting, value reflect.Value) {
	switch v := value.Interface().(type) {
	case string:
		ok := slices.Contains(s.oneof, v)
		if is := valid[s.name]; is != nil {
			ok = v == "" || is(v)
		}
		if !ok {
			l.report(s.name, v, s.accepts())
		}
	case []string:
		l.checkItems(s, v)
	default:
		if value.CanInt() && !bounds[s.name].holds(value.Int()) {
			l.report(s.name, l.vars[s.name], s.accepts())
		}
	}
}

// maxItems bounds the lists.
var maxItems = map[string]int{"faas_nats_channel": maxChannels, "callback_allow": maxAllow}

// checkItems reports the first item of a list that is wrong, or that the list is
// too long.
func (l *loader) checkItems(s setting, items []string) {
	if len(items) > maxItems[s.name] {
		l.report(s.name, l.vars[s.name], s.accepts())
		return
	}
	for i, item := range items {
		if !valid[s.name](item) || slices.ContainsFunc(items[:i], func(other string) bool { return s.same(item, other) }) {
			l.report(s.name, item, s.accepts())
			return
		}
	}
}

// same reports whether two items of a list are about the same thing.
func (s setting) same(a, b string) bool {
	if s.name == "faas_nats_channel" {
		return queueName(a) == queueName(b)
	}
	return a == b
}

// checkTogether reports settings that are right by themselves and wrong beside
// each other.
func (l *loader) checkTogether() {
	c := l.config
	l.checkLevel()
	if l.right("max_retry_wait", "initial_retry_wait") && c.MaxRetryWait < c.InitialRetryWait {
		l.reportWaits(duration.Format(c.InitialRetryWait), duration.Format(c.MaxRetryWait))
	}
	if l.right("callback_max_inflight", "max_inflight") && c.CallbackMaxInflight > c.MaxInflight {
		l.report("callback_max_inflight", strconv.Itoa(c.CallbackMaxInflight), fmt.Sprintf("at most max_inflight, which is %d", c.MaxInflight))
	}
	if l.right("stan_cert_file", "stan_key_file") && (c.StanCert == "") != (c.StanKey == "") {
		l.reportPair(c.StanCert, c.StanKey)
	}
	l.checkStore()
	if l.right("stan_embedded", "stan_listen_address", "http_listen_address") && c.StanEmbedded && sameListener(c.StanListenAddress, c.ListenAddress) {
		l.report("stan_listen_address", c.StanListenAddress,
			fmt.Sprintf("another port than that of http_listen_address, which is %s", c.ListenAddress))
	}
}

// reportPair reports a client certificate without its key, or a key without its certificate.
func (l *loader) reportPair(cert, key string) {
	if cert != "" {
		l.report("stan_cert_file", cert, "stan_key_file beside it")
		return
	}
	l.report("stan_key_file", key, "stan_cert_file beside it")
}

// checkLevel reports a debug that contradicts log_level, and lets one of them set the other.
func (l *loader) checkLevel() {
	c := l.config
	if !l.right("debug", "log_level") {
		return
	}
	if l.set("debug") && l.set("log_level") && c.Debug != (c.LogLevel == levelDebug) {
		l.report("debug", l.vars["debug"], "nothing beside log_level, or the same: log_level is "+c.LogLevel)
		return
	}
	if c.Debug {
		c.LogLevel = levelDebug
	}
	c.Debug = c.LogLevel == levelDebug
}

// levelDebug is the log_level that debug=true stands for.
const levelDebug = "debug"

// reportWaits reports a first wait above the longest, under the name of the one
// that was written.
func (l *loader) reportWaits(initial, longest string) {
	if l.set("max_retry_wait") {
		l.report("max_retry_wait", longest, "at least initial_retry_wait, which is "+initial)
		return
	}
	l.report("initial_retry_wait", initial, "at most max_retry_wait, which is "+longest)
}

// right reports whether none of the settings has a problem.
func (l *loader) right(names ...string) bool {
	return !slices.ContainsFunc(names, func(name string) bool { return l.wrong[name] })
}

// sameListener reports whether two addresses cannot be listened on at once.
func sameListener(a, b string) bool {
	hostA, portA, _ := net.SplitHostPort(a)
	hostB, portB, _ := net.SplitHostPort(b)
	return portA == portB && portA != "0" && (hostA == hostB || isEverywhere(hostA) || isEverywhere(hostB))
}

// isEverywhere reports whether a host to listen on stands for all addresses.
func isEverywhere(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "" || err == nil && addr.IsUnspecified()
}
