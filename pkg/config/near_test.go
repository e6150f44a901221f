package config

import (
	"slices"
	"strings"
	"testing"
)

func TestAVariableCloseToASettingIsWarnedOf(t *testing.T) {
	t.Parallel()
	for variable, want := range map[string]string{
		"MAX_INFLIGHT":                 "max_inflight",
		"maxInflight":                  "max_inflight",
		"max_infligth":                 "max_inflight",
		"max_inflights":                "max_inflight",
		"max_retry_atempts":            "max_retry_attempts",
		"initial_retry_waits__slow":    "initial_retry_wait__slow",
		"Initial_Retry_Wait__a":        "initial_retry_wait__a",
		"DEBUG":                        "debug",
		"de_bug":                       "debug",
		"debag":                        "", // too short for another letter
		"consol":                       "",
		"max_inflight":                 "",
		"max_retry_wait__faas_request": "",
		"max_flight_height":            "",
		"PATH":                         "",
		"nats_port":                    "",
		"QUEUE_WORKER_SERVER":          "",
		"OTEL_SERVICE_NAME":            "",
		"GATEWAY_URL_SERVICE_HOST":     "",
		"GATEWAY_SERVICE_PORT":         "",
		"GATEWAY_PORT_8080_TCP":        "",
	} {
		var got []string
		value := "1"
		if strings.HasPrefix(variable, "max_retry_wait") {
			value = "10m"
		}
		for _, w := range load(t, variable+"="+value, "faas_nats_channel=faas-request").Warnings() {
			if strings.HasPrefix(w, variable+" ") {
				got = append(got, w)
			}
		}
		all := []string(nil)
		if want != "" {
			all = []string{variable + " is not read: did you mean " + want + "?"}
		}
		if !slices.Equal(got, all) {
			t.Errorf("%s is warned of with %q, want %q", variable, got, all)
		}
	}
}

func TestAWarningOfAVariableHasNoValue(t *testing.T) {
	t.Parallel()
	environ := []string{"max_infligth=C4N4RY", "gateway_ur=http://user:C4N4RY@gw", "store_min_fre=tcp://C4N4RY"}
	for _, o := range []Overview{List(environ), List(append(environ, "max_inflight=none"))} {
		text := strings.Join(o.Warnings, "\n")
		if !strings.Contains(text, "max_infligth is not read") {
			t.Errorf("warnings are %q, want one of max_infligth", o.Warnings)
		}
		if strings.Contains(text, "store_min_fre") {
			t.Errorf("warnings are %q, want none of a variable that Kubernetes makes", o.Warnings)
		}
		if strings.Contains(text, "C4N4RY") {
			t.Errorf("warnings have a value: %q", o.Warnings)
		}
	}
}

func TestASettingThatAnotherMakesVoidIsWarnedOf(t *testing.T) {
	t.Parallel()
	for environ, want := range map[string]string{
		"stan_embedded=true faas_nats_port=4223":                 "faas_nats_port",
		"stan_listen_address=:4223":                              "stan_listen_address",
		"data_dir=/data max_unsettled=5":                         "max_unsettled",
		"data_dir=/data max_unsettled_bytes=2MiB":                "max_unsettled_bytes",
		"data_dir_wait=5m":                                       "data_dir_wait",
		"store_sync=1s":                                          "store_sync",
		"store_min_free=1GiB":                                    "store_min_free",
		"dead_set=off dead_set_codes=5xx":                        "dead_set_codes",
		"dead_set=off dead_set_max_age=1h":                       "dead_set_max_age",
		"dead_set=off dead_set_max_bytes=1MiB":                   "dead_set_max_bytes",
		"callback_policy=open callback_allow=10.0.0.0/8":         "callback_allow",
		"upstream_timeout=1s callback_timeout=5s":                "callback_timeout",
		"backoff=constant max_retry_wait=5m":                     "max_retry_wait",
		"gateway_url=http://gw:8080 faas_gateway_port=8081":      "faas_gateway_port",
		"store_min_free=256MiB":                                  "", // the default, as charts write it
		"data_dir=/data store_min_free=1GiB max_unsettled=10000": "",
		"dead_set_codes=5xx":                                     "",
	} {
		var got []string
		for _, w := range load(t, strings.Fields(environ)...).Warnings() {
			if name, _, void := strings.Cut(w, " has no effect: "); void {
				got = append(got, name)
			}
		}
		if text := strings.Join(got, " "); text != want {
			t.Errorf("%s: %q are void, want %q", environ, text, want)
		}
	}
}
