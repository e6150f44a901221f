# Targets for people and for .ci/run. Each finishes or fails loudly.

SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
IMAGE   ?= queue-worker:$(VERSION)
GO      ?= go
LDFLAGS := -s -w -X main.version=$(VERSION)

# The race detector needs a C compiler; `make test RACE=` goes without.
RACE     ?= -race
TESTTIME ?= 10m
# LONG are the packages whose tests ask for -short: the race detector sees the short form,
# and a second run without it the long one, one package at a time, since costs are counted.
# That of PostgreSQL, which mostly waits for the server, runs beside the black-box tests.
LONG := ./pkg/ingest ./pkg/store/embedded ./pkg/store/postgres ./pkg/worker
WAITING := ./pkg/store/postgres
# CONSOLE= leaves out the core of the browser tests, where make test-console runs too.
CONSOLE ?= core
# FUZZTIME is per fuzz target.
FUZZTIME ?= 15s

# What the simulation does: histories, and the time after which none is begun.
SEEDS   ?= 2000
SIMTIME ?= 10m

# How many invocations a soak has, and the time after which it begins no more of them.
SOAK     ?= 1000000
SOAKTIME ?= 1h

# The time after which chaos begins no further kill.
CHAOSTIME ?= 10m

# Linters are pinned in a module of their own, so that go.mod holds only what
# the program is built from.
TOOL := $(GO) tool -modfile=tools/go.mod

.PHONY: build run test test-quick lint vuln fuzz chaos sim soak bench test-nostan test-chart test-console browser image image-tar test-image clean help

build: ## build bin/queue-worker, static
	CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -ldflags '$(LDFLAGS)' -o bin/queue-worker ./cmd/queue-worker

run: build ## run everything on this machine: NATS Streaming, store, gateway on :8080, chaos function
	exec bin/queue-worker dev $(ARGS)

test: browser ## run all tests; with the race detector but for long forms and the black-box ones, which run the built binary
	@if [[ -n "$(RACE)" ]] && ! command -v "$$($(GO) env CC)" >/dev/null; then \
		echo "make test: the race detector needs the C compiler $$($(GO) env CC); install it, or run: make test RACE=" >&2; exit 1; fi
	$(GO) test $(RACE) -short -shuffle=on -timeout $(TESTTIME) $$($(GO) list ./... | grep -v -e '/e2e' -e '/internal/arch')
	$(GO) test -p 1 -shuffle=on -timeout $(TESTTIME) $(filter-out $(WAITING),$(LONG)) ./internal/arch
	$(GO) test -shuffle=on -timeout $(TESTTIME) ./e2e/... $(WAITING)
	$(if $(CONSOLE),$(GO) test -C e2e/console -short -timeout $(TESTTIME) ./...)
	$(GO) test -C bench -timeout $(TESTTIME) ./...

test-quick: ## before each commit: all tests but the black-box ones, in their short form, without the race detector
	$(GO) test -short -timeout $(TESTTIME) $$($(GO) list ./... | grep -v '/e2e')

lint: ## gofmt, go mod tidy, go vet and the linters of .golangci.yml
	@unformatted="$$(gofmt -l .)"; \
	if [[ -n "$$unformatted" ]]; then echo "make lint: not formatted, run gofmt -w on:" >&2; echo "$$unformatted" >&2; exit 1; fi
	$(GO) mod tidy -diff
	$(GO) mod tidy -C bench -diff
	$(GO) mod tidy -C tools -diff
	$(GO) mod tidy -C tools/image -diff
	$(GO) mod tidy -C chart/test -diff
	$(GO) mod tidy -C e2e/console -diff
	$(GO) vet ./...
	$(GO) vet -C bench ./...
	$(GO) vet -C e2e/console ./...
	$(TOOL) golangci-lint run ./...

vuln: ## look for known vulnerabilities in what the program calls; needs vuln.go.dev
	$(TOOL) govulncheck ./...

fuzz: ## run every fuzz target for FUZZTIME (15s)
	@done=0; failed=; for pkg in $$($(GO) list ./...); do \
		for target in $$($(GO) test -list '^Fuzz' "$$pkg" | grep '^Fuzz' || true); do \
			echo "fuzz: running, $$pkg $$target, $$done done, $${SECONDS} s"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$pkg" || failed+=" $$target"; \
			done=$$((done + 1)); \
		done; \
	done; \
	if [[ -n "$$failed" || $$done = 0 ]]; then echo "fuzz: FAIL, $$done targets, of these failed:$$failed" >&2; exit 1; fi; \
	echo "fuzz: PASS, $$done targets, $${SECONDS} s"

chaos: ## kill the worker and NATS Streaming, and count what is lost; no kill begins after CHAOSTIME (10m)
	CHAOS=long CHAOSTIME=$(CHAOSTIME) $(GO) test -C e2e -count=1 -timeout 0 -v -run Chaos

sim: ## simulate up to SEEDS (2000) histories of a worker with crashes and power cuts, for at most SIMTIME (10m)
	$(GO) test -C pkg/worker -run '^TestSimulation$$' -count=1 -timeout 0 -seeds $(SEEDS) -budget $(SIMTIME)

soak: ## SOAK (1000000) invocations through one worker, for at most SOAKTIME (1h): nothing grows, counters are exact
	SOAK=$(SOAK) SOAKTIME=$(SOAKTIME) $(GO) test -C e2e -count=1 -timeout 0 -run '^TestSoak$$'

bench: ## every figure beside its goal, at most 60 minutes; ARGS=-quick at most 5, ARGS=--help lists rows and flags
	$(GO) run -C bench . $(ARGS)

test-nostan: ## build without embedded NATS Streaming and test that it is refused
	CGO_ENABLED=0 $(GO) build -tags nostan -o /dev/null ./cmd/queue-worker
	$(GO) test -tags nostan -count=1 -timeout $(TESTTIME) -run '^TestABuildWithout' ./pkg/app

test-chart: ## lint and render the Helm chart, and check what comes out
	$(GO) test -C chart/test -vet=all -count=1 ./...

test-console: browser ## look at every page of the console with Chromium, in every look and by keyboard
	$(GO) test -C e2e/console -count=1 -timeout $(TESTTIME) ./...

browser: ## install what the browser tests need: Chromium and npm by apt-get as root, axe-core by npm
	@e2e/console/install

image: ## build the container image with docker, podman, buildah or BuildKit
	@VERSION='$(VERSION)' IMAGE='$(IMAGE)' ./.ci/image

image-tar: ## make a loadable image, dist/queue-worker.tar, and its SBOM; needs no container engine
	mkdir -p dist
	CGO_ENABLED=0 GOOS=linux $(GO) build -trimpath -buildvcs=false -ldflags '$(LDFLAGS)' -o dist/queue-worker ./cmd/queue-worker
	$(GO) run -C tools/image . -binary ../../dist/queue-worker -version '$(VERSION)' -name '$(IMAGE)' \
		-revision "$$(git rev-parse HEAD 2>/dev/null || echo unknown)" -created "$$(git log -1 --format=%ct 2>/dev/null || echo 0)" \
		-tar ../../dist/queue-worker.tar -sbom ../../dist/queue-worker.cdx.json

test-image: ## make an image, take it apart, and run what is in it
	$(GO) test -C tools/image -vet=all -count=1 ./...

clean: ## remove what the other targets made
	rm -rf bin dist coverage.out

help: ## print this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
