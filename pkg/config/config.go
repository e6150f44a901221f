// Package config has every setting of the queue-worker: name, default, accepted values
// and meaning. Settings are environment variables, as in OpenFaaS, and the names that
// OpenFaaS workers have read since 2021 keep their meaning.
//
// Load reads an environment once, at the start, and reports every problem at once.
// Config.Ignored returns names that charts set and that are ignored here, and
// Config.Warnings returns what is valid but should be checked.
//
// The table in docs/settings.md is generated from the tags of Config.
//
// Load opens no file. StanUser and StanTLS read those of the connection to NATS Streaming.
// The package opens no connection, logs nothing, and does not read the credentials under
// secret_mount_path.
package config

//go:generate go test -run "^(TestSettingsPage|TestTheChartKnowsEveryBound)$" . -update

import (
	"net/url"
	"time"
)

// Config holds the settings of one worker, checked and with defaults filled in.
// Sizes are in bytes. It must not be changed after Load.
//
// The tags of a field are: env, its name; envDefault, its default as it would be
// written (without one, the default is the zero value); group, the heading that
// begins at this field; doc, what it is for; was, its history in OpenFaaS; zero,
// a word that stands for the zero value; oneof, the words accepted; form, what
// is accepted where neither the type nor oneof says it.
type Config struct {
	// Where invocations come in. NATSAddress is a host, without brackets when it is
	// an IPv6 address.
	NATSAddress string   `group:"NATS Streaming" env:"faas_nats_address" envDefault:"nats" form:"a host name or IP address, without scheme and port" doc:"Host of the NATS Streaming server."`
	NATSPort    int      `env:"faas_nats_port" envDefault:"4222" doc:"Its port." was:"A wrong value became port 0 in the Community worker."`
	NATSCluster string   `env:"faas_nats_cluster_name" envDefault:"faas-cluster" form:"a name without spaces, '*', '>' and empty parts between dots" doc:"Its cluster id."`
	Channels    []string `env:"faas_nats_channel" envDefault:"faas-request" form:"names of letters, digits, '-', '_' and '.', at most 12, none twice, each with :<limit> from 1 to 10000 or without" doc:"The queues: channels to take invocations from, such as faas-request,slow-queue:5. Each has a subscription of its own; its durable name is the channel with '.' as '_'. A limit is how many of its calls run at a time, within max_inflight. HTTP requests go to the first." was:"One name, no list. Since December 2022 the Community worker reads faas-request whatever is set."`
	QueueGroup  string   `env:"faas_nats_queue_group" envDefault:"faas" form:"a name without spaces, '*', '>' and empty parts between dots" doc:"Queue group: workers of one group share the messages."`

	StanCredentials string `env:"stan_credentials_file" zero:"none" form:"a path, without the ~ of shells" doc:"File with user:password, or a token, on one line. The worker presents it to the NATS Streaming server, and reads it again for each connection. With stan_embedded publishers have to present it instead: the gateway has it in faas_nats_address, as in user:password@nats, it is read at start, and without it no credentials are required; the rights of publishers are the same with and without."`
	StanCA          string `env:"stan_ca_file" zero:"none" form:"a path, without the ~ of shells" doc:"File with the CA certificates, PEM, that the certificate of the NATS Streaming server is checked with. The connection is then always encrypted. none: it is encrypted where the server asks for it, and checked with the certificates of the system."`
	StanCert        string `env:"stan_cert_file" zero:"none" form:"a path, without the ~ of shells" doc:"File with the client certificate, PEM, for a NATS Streaming server that asks for one. The connection is then always encrypted. Read again for each connection, like stan_ca_file and stan_key_file."`
	StanKey         string `env:"stan_key_file" zero:"none" form:"a path, without the ~ of shells" doc:"File with the key of stan_cert_file, PEM."`

	AckWait           time.Duration `env:"ack_wait" envDefault:"60s" doc:"How long NATS Streaming waits for an ack before it delivers a message again. Not a limit on a call: with data_dir an ack takes milliseconds, and without it the subscription asks for 24h." was:"30s in the Community binary, 60s in its chart, 5m5s in faasd. There it had to be longer than the slowest function; here it need not."`
	MaxUnsettled      int           `env:"max_unsettled" envDefault:"10000" doc:"Without data_dir: maximum of unacked messages. At the bound the intake is paused."`
	MaxUnsettledBytes int64         `env:"max_unsettled_bytes" envDefault:"64MiB" doc:"Without data_dir: maximum of unacked bytes."`

	// The gateway that functions are called through. Read GatewayURL: it is made
	// of GatewayAddress and GatewayPort when gateway_url is not set. It has no
	// trailing slash, credentials, query or fragment.
	GatewayURL       *url.URL `group:"The gateway" env:"gateway_url" form:"a URL such as http://gateway:8080, http or https, without credentials, query and fragment" doc:"The gateway, with scheme. A path prefix is kept, slashes at the end are cut. It has precedence over faas_gateway_address and faas_gateway_port." was:"The name of the JetStream worker, since July 2022."`
	GatewayAddress   string   `env:"faas_gateway_address" envDefault:"gateway" form:"a host name or IP address, without scheme and port" doc:"Host of the gateway, when gateway_url is not set."`
	GatewayPort      int      `env:"faas_gateway_port" envDefault:"8080" doc:"Its port, when gateway_url is not set." was:"A wrong value was a panic in the Community worker."`
	DefaultNamespace string   `env:"default_function_name" envDefault:"openfaas-fn" form:"a namespace: letters, digits, '-' and '_'" doc:"The namespace of a function that is named without one, so that figlet and figlet.openfaas-fn are one function." was:"The odd name is the JetStream worker's, since July 2025."`

	// How functions are called, and called again.
	MaxInflight       int           `group:"Calls and retries" env:"max_inflight" envDefault:"50" doc:"Calls at a time, all functions together. From 8 on, the last eighth is kept for functions that have nothing in flight, so one function alone gets 44 of 50." was:"1 in the Community worker, and fixed to 1 since December 2022, although its chart passed 50 until July 2025. A value below 1 became 1; here it stops the start."`
	MaxRetryAttempts  int           `env:"max_retry_attempts" envDefault:"10" doc:"Retries after the first call: N means at most 1+N calls, 0 means none." was:"10 in charts until February 2026, then 100. Charts from July 2021 to July 2025 set the four retry settings for the Community worker too, which read none of them."`
	InitialRetryWait  time.Duration `env:"initial_retry_wait" envDefault:"10s" doc:"Wait before the first retry. It doubles with each further one. 0s: retries follow immediately." was:"The commercial worker up to 0.1.5 did not read it."`
	MaxRetryWait      time.Duration `env:"max_retry_wait" envDefault:"120s" doc:"Longest wait before a retry; a Retry-After may ask for more. Not below initial_retry_wait."`
	RetryCodes        string        `env:"retry_http_codes" envDefault:"408,429,500,502,503,504" form:"statuses from 100 to 599, classes such as 5xx, exceptions such as !501, with commas between them" doc:"Statuses of a function that are retried. Transport errors, timeouts and answers with X-OpenFaaS-Internal are always retried." was:"Without 503 until May 2022. Whole statuses only, no classes and exceptions."`
	Backoff           string        `env:"backoff" envDefault:"exponential" oneof:"exponential,full,equal,constant" doc:"How waits grow. full takes 0 to 100 %, equal 50 to 100 % of the exponential wait, at random; constant always waits initial_retry_wait." was:"Since August 2023, without constant. Charts write an empty value for the default."`
	LimiterEnabled    bool          `env:"limiter_enabled" envDefault:"true" doc:"Adapt the concurrency limit of each function to its answers: 429, 503, refused connections and timeouts lower it. Invocations beyond the limit wait without using up retries. false: only max_inflight applies." was:"The commercial worker's adaptive concurrency, since April 2026."`
	Breaker           bool          `env:"breaker" envDefault:"on" form:"on or off" doc:"Open the breaker of a function that is unreachable: it is only probed until it answers. Its invocations wait without using up retries."`
	MaxRetryAfter     time.Duration `env:"max_retry_after" envDefault:"1h" doc:"Longest wait that a Retry-After of a 429 or 503 can ask for. 0s: the header is ignored."`
	UpstreamTimeout   time.Duration `env:"upstream_timeout" zero:"none" doc:"Maximum duration of a function call. none: the gateway decides." was:"60s in the charts of the JetStream worker, since August 2022."`
	UnknownGrace      time.Duration `env:"unknown_function_grace" envDefault:"30s" doc:"How long a 404 is retried when the gateway says that it has no such function, since deployments roll. After it the invocation is dead as function_not_found. The gateway answers only with the credentials under secret_mount_path; a 404 of a function that it has is final."`
	HeaderPolicy      string        `env:"header_policy" envDefault:"lower" oneof:"lower,trust" doc:"What a message may ask for by X-Retry-Limit, X-Max-Age and X-Timeout. lower: less than its function's policy, because every caller can set them; trust: more too, but no call longer than upstream_timeout."`
	MaxResponseBytes  int64         `env:"max_response_bytes" envDefault:"8MiB" doc:"Bytes of a function's answer that are read. A longer one is cut for its callback and its result: marked there (X-Body-Truncated, truncated), without its digests and ETag, counted and logged."`
	MaxResponseMemory int64         `env:"max_response_memory" envDefault:"64MiB" doc:"Memory of all answers together, beyond 64 KiB of each, that a callback or result_ttl wants whole. It is taken as their bytes arrive. What does not fit goes to files under data_dir; without data_dir it is cut and marked."`
	DrainTimeout      time.Duration `env:"drain_timeout" envDefault:"25s" doc:"After SIGTERM, how long running calls may take to end. Keep it below terminationGracePeriodSeconds, which is 30 unless you set it."`

	// What is accepted and not over. An empty DataDir keeps it in memory.
	DataDir       string        `group:"The store" env:"data_dir" zero:"none" form:"a path, without the ~ of shells" doc:"The store's folder, on a volume that outlives the container. none: in memory. Then a message stays with NATS Streaming until it is settled, and the dead set is lost at a restart."`
	DataDirWait   time.Duration `env:"data_dir_wait" envDefault:"10m" doc:"How long a start waits for data_dir while another process has it, such as a pod that finishes its calls. It is not ready meanwhile; after that it exits. Keep it above the drain_timeout of the other. 0s: it does not wait."`
	StoreURL      string        `env:"store_url" zero:"none" form:"a URL such as postgres://queue-worker@postgres:5432/queue, without a password" doc:"A PostgreSQL, version 14 or later, that has the store instead of data_dir, in a database of its own. The tables are made there, in the schema queue_worker. One worker at a time uses a database; another one waits until it has ended. See docs/scaling.md."`
	StoreURLFile  string        `env:"store_url_file" zero:"none" form:"a path, without the ~ of shells" doc:"File with such a URL on one line, with the password, in place of store_url. It is read at the start."`
	StoreSync     time.Duration `env:"store_sync" zero:"always" doc:"When a change of state is on disk: always before it counts, or at this interval. With an interval a kill or a power cut may lose younger changes."`
	StoreMaxBytes int64         `env:"store_max_bytes" envDefault:"0" doc:"Size at which the store accepts nothing new: the intake is paused and HTTP answers 503. 0: limited by the disk only."`
	StoreMinFree  int64         `env:"store_min_free" envDefault:"256MiB" doc:"Free bytes on the disk below which the store accepts nothing new."`
	ResultTTL     time.Duration `env:"result_ttl" envDefault:"0" doc:"How long the result of a function's invocation is kept: outcome, last status, headers and body up to max_response_bytes, for GET /v1/invocations/{id}/result. 0: not at all."`
	EndTTL        time.Duration `env:"outcome_ttl" envDefault:"24h" doc:"With data_dir or store_url, how long it is remembered how an invocation ended: ids, function, outcome, status and times, about 60 bytes; no header, body or URL. 0: only the latest 10,000, until a restart."`
	EndBytes      int64         `env:"outcome_max_bytes" envDefault:"256MiB" doc:"Size above which the oldest of these outcomes are removed, and counted. 0: no bound."`

	// What was given up.
	DeadSet            bool          `group:"The dead set" env:"dead_set" envDefault:"on" form:"on or off" doc:"Keep invocations that were given up. off: they are discarded, as in OpenFaaS, logged and counted."`
	DeadSetCodes       string        `env:"dead_set_codes" envDefault:"4xx,5xx" zero:"none" form:"statuses from 100 to 599, classes such as 5xx, exceptions such as !404, with commas between them" doc:"Final statuses that are kept in the dead set; others are discarded. none, or an empty value: none of them. Invocations that used up their retries are always kept."`
	DeadSetMaxAge      time.Duration `env:"dead_set_max_age" envDefault:"720h" doc:"Age at which a dead letter is dropped, logged and counted. 0: never."`
	DeadSetMaxBytes    int64         `env:"dead_set_max_bytes" envDefault:"1GiB" doc:"Size of the dead set above which dead letters are dropped, logged and counted: the oldest of the function that uses most; all callbacks count as one, so do all unknown functions. 0: no bound."`
	DeadSetAnswerBytes int64         `env:"dead_set_answer_bytes" envDefault:"4KiB" doc:"Bytes of the body of a function's latest answer that are kept, with its status and content type, beside a request that is retried or dead. dead show, exports and the console show it. 0: none is kept, and a kept one is removed when its invocation is settled next."`

	// Where results go.
	CallbackPolicy      string        `group:"Callbacks" env:"callback_policy" envDefault:"guarded" oneof:"guarded,strict,open" doc:"Where a caller's X-Callback-Url may lead. guarded refuses loopback, link-local, metadata and reserved addresses, and ports of other protocols than HTTP; strict refuses private addresses too and is right where functions or their callers are not trusted, see SECURITY.md; open refuses none but the worker's own. Of the gateway, only /function/<name> and /async-function/<name> are allowed, under every policy."`
	CallbackAllow       []string      `env:"callback_allow" zero:"none" form:"host names, IP addresses and CIDR ranges, at most 256, none twice" doc:"Hosts, addresses and ranges that are allowed, with every port, whatever callback_policy says. It does not open other paths of the gateway."`
	CallbackTimeout     time.Duration `env:"callback_timeout" envDefault:"10s" doc:"Maximum duration of a callback; upstream_timeout when that is shorter."`
	CallbackMaxInflight int           `env:"callback_max_inflight" zero:"half" doc:"Calls of URLs at a time, callbacks and the callback producer together. half: half of max_inflight, rounded up. At most max_inflight; the last eighth of it is reserved for functions. Hosts that did not answer their last call, or were never called, share half of them. See docs/policy.md."`
	TLSInsecure         bool          `env:"tls_insecure" envDefault:"false" doc:"Do not check the certificates of https callbacks." was:"Since 2020, for callbacks."`

	// What the worker serves.
	ListenAddress   string `group:"HTTP" env:"http_listen_address" envDefault:":8081" form:"host:port or :port, the port from 0 to 65535" doc:"Address of the HTTP listener: submissions, stored invocations, health and metrics. Port 0 takes any free one, which is logged."`
	BasicAuth       bool   `env:"basic_auth" envDefault:"false" doc:"Require the credentials of OpenFaaS to read or change stored invocations. Without it only a loopback peer may do so." was:"For reports to the gateway until April 2022; charts still set it and mount the secret."`
	SecretMountPath string `env:"secret_mount_path" envDefault:"/var/secrets/gateway" form:"a path, without the ~ of shells" doc:"Folder with the files basic-auth-user and basic-auth-password; with basic-auth-read-user and basic-auth-read-password there is a read-only account too." was:"/var/secrets in charts until October 2021, /run/secrets in faasd."`
	Console         bool   `env:"console" envDefault:"true" doc:"Serve the web console at /. It shows what the API shows, to the same clients."`
	ConsoleActions  bool   `env:"console_actions" envDefault:"false" doc:"Let the console carry out operations: pause, resume, replay, drop, cancel, jobs. For callers with credentials, or this machine without basic_auth; with admin_open and no basic_auth for no caller."`
	AdminOpen       bool   `env:"admin_open" envDefault:"false" doc:"Without basic_auth: every client that reaches the port may read and change stored invocations."`

	// How work is accepted over HTTP.
	MaxRequestBytes   int64         `group:"Taking work in" env:"max_request_bytes" envDefault:"8MiB" doc:"Bytes of a body that POST /async-function, /deadletter and /queue/producer take; 413 beyond. Without data_dir NATS Streaming's max_payload bounds it too, to about 780 kB by default."`
	IdempotencyWindow time.Duration `env:"idempotency_window" envDefault:"1h" doc:"How long an Idempotency-Key of POST /async-function is remembered: a repetition of the request, with the same callback URL and credentials, gets the first call id, and nothing runs twice. So is that of a message, for functions annotated queue-worker.idempotency. Without data_dir a restart loses it. 0: the header is ignored."`
	IngestCheck       bool          `env:"ingest_check" envDefault:"true" doc:"Ask the gateway whether a function exists before POST /async-function accepts an invocation of it, and answer 404 when it does not. If the gateway is unreachable, refuses the credentials under secret_mount_path, or proves nothing by its 404 (docs/policy.md), every name is accepted."`
	IngestAuth        bool          `env:"ingest_auth" envDefault:"false" doc:"Require the credentials of OpenFaaS for submissions, too. false: every client that reaches the port may submit, as with the gateway."`

	LogEncoding string `group:"Logs" env:"log_encoding" envDefault:"console" oneof:"console,json" doc:"How a line is written." was:"The JetStream worker's, since July 2022."`
	LogLevel    string `env:"log_level" envDefault:"info" oneof:"info,warn,debug" doc:"How much is logged. warn leaves out attempts that succeeded or are retried, and keeps start, readiness, drain and dead letters. debug logs more; bodies, header values and query strings are never logged."`
	Debug       bool   `env:"debug" envDefault:"false" doc:"true means log_level=debug; with another log_level it stops the start." was:"The JetStream worker's, since July 2022."`

	// NATS Streaming inside this process.
	StanEmbedded      bool   `group:"Embedded NATS Streaming" env:"stan_embedded" envDefault:"false" doc:"Run NATS Streaming in the worker, so that the gateway publishes directly to it. It keeps its files under data_dir."`
	StanListenAddress string `env:"stan_listen_address" envDefault:"127.0.0.1:4222" form:"host:port or :port, the port from 0 to 65535" doc:"Where it listens. Port 0 takes any free one. A client that reaches it can publish and do nothing else."`

	// QueueLimits are the limits beside the names in faas_nats_channel. Channels has the
	// names alone.
	QueueLimits map[string]int

	retries  map[string]Retries // of queues that have their own
	ignored  []string
	warnings []string
}

// Ignored lists the names that are set in the environment, belong to one of the
// OpenFaaS workers, and mean nothing here. docs/settings.md says why.
func (c *Config) Ignored() []string { return c.ignored }

// Warnings lists what is legal and worth a look, one sentence each. None of
// them holds a secret.
func (c *Config) Warnings() []string { return c.warnings }
