# Everything here needs Go and nothing else; what more a target needs it builds
# itself, into .build.

SHELL := /bin/bash
BUILD := .build
TOOLS := $(BUILD)/tools
MODULE := github.com/caddy-proxypool/proxypool
FUZZTIME ?= 10s
SOAK_TIME ?= 10m
BENCHFLAGS ?=
TESTFLAGS ?=

# The race detector needs cgo and a C compiler. Without one the tests run
# without it, and say so.
CC_FOUND := $(shell [ "$$(CGO_ENABLED=1 go env CGO_ENABLED)" = 1 ] && command -v $$(go env CC) >/dev/null 2>&1 && echo yes)
ifeq ($(CC_FOUND),yes)
RACE := CGO_ENABLED=1 go test -race
else
RACE := echo "no C compiler found: testing without the race detector" && go test
endif

.DEFAULT_GOAL := help

.PHONY: help
help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z][a-z0-9-]*:.*## / {printf "  %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run
run: build ## Start the quickstart: upstream proxies, a stand-in API, and Caddy on :8080 and :3128 (Ctrl-C ends all)
	@go build -o $(BUILD)/quickstart ./examples/quickstart
	@exec $(BUILD)/quickstart $(BUILD)/caddy examples/quickstart/Caddyfile examples/quickstart/vps.Caddyfile

.PHONY: build
build: ## Build Caddy with this module into .build/caddy
	go build -o $(BUILD)/caddy ./cmd/caddy

# The version keeps Go from asking the proxy which versions of the module exist.
.PHONY: xcaddy
xcaddy: $(TOOLS)/xcaddy ## Build Caddy with this module as users do, with xcaddy, into .build/caddy-xcaddy
	$(TOOLS)/xcaddy build "$$(go list -m -f '{{.Version}}' github.com/caddyserver/caddy/v2)" \
		--with $(MODULE)@v0.0.0=. --output $(BUILD)/caddy-xcaddy
	@$(BUILD)/caddy-xcaddy list-modules > $(BUILD)/xcaddy-modules
	@for id in proxy_pool http.handlers.proxy_pool http.handlers.proxy_pool_forward http.handlers.proxy_pool_dashboard; do \
		grep -qxF "$$id" $(BUILD)/xcaddy-modules || { echo "the build lacks the module $$id" >&2; exit 1; }; \
	done; echo "the build has the modules of $(MODULE):"; grep -F proxy_pool $(BUILD)/xcaddy-modules

.PHONY: test
test: ## Run all tests, with the race detector where there is a C compiler
	@$(RACE) $(TESTFLAGS) ./...

.PHONY: quick
quick: ## Run all tests without the race detector
	go test $(TESTFLAGS) ./...

.PHONY: frugal
frugal: ## Run the tests of allocations, memory and time, which mean nothing with the race detector
	go test -count=1 -run '^(TestAllocations|TestIdleTunnelsAreCheap|TestSchedulerIsCheap|TestScrapeOfThousand)$$' $(TESTFLAGS) . ./relay ./health

.PHONY: browser
browser: ## Look at the dashboard with Chromium; screenshots go to .build/screenshots
	go -C dashboard/browsertest test -v -count=1 -timeout 10m $(TESTFLAGS) ./...

.PHONY: e2e
e2e: ## Meet real proxies, clients and networks, installing them where it can, under ten minutes
	@e2e/install
	@e2e/run $(TESTFLAGS)

.PHONY: soak
soak: ## Let Caddy live through SOAK_TIME (10m) of chaos; SOAK_SEED=<seed> repeats a run
	SOAK_TIME=$(SOAK_TIME) go test -v -count=1 -timeout 3h $(TESTFLAGS) ./e2e/soak

.PHONY: long
long: ## Run the long rounds of the end-to-end tests, three times over, more than half an hour
	SOAK=1 go test -v -count=3 -timeout 2h $(TESTFLAGS) ./e2e

.PHONY: fuzz
fuzz: ## Run every fuzz test for FUZZTIME (10s), three at once
	@.ci/fuzz $(FUZZTIME)

.PHONY: first-hour
first-hour: ## Follow the READMEs word by word in a fresh root; needs root and Debian's debootstrap
	@firsthour/root.sh README.md README.fa.md

.PHONY: lint
lint: $(TOOLS)/golangci-lint ## Run the linters named in .golangci.yml
	$(TOOLS)/golangci-lint run ./...
	cd dashboard/browsertest && ../../$(TOOLS)/golangci-lint run --config ../../.golangci.yml ./...
	cd bench/plot && ../../$(TOOLS)/golangci-lint run --config ../../.golangci.yml ./...

.PHONY: fmt
fmt: $(TOOLS)/golangci-lint ## Format the code
	$(TOOLS)/golangci-lint fmt ./...

.PHONY: bench
bench: build ## Compare with Caddy's own reverse_proxy, weigh the books, and print the tables (BENCHFLAGS="-only books -short")
	@go test -run '^$$' -bench 'Choose|Schedule|Tick|Look|Compare|Message' -benchmem ./pool ./health ./alert
	@go build -o $(BUILD)/bench ./bench
	@exec $(BUILD)/bench -caddy $(BUILD)/caddy $(BENCHFLAGS)

.PHONY: plots
plots: build ## Measure how CPU goes with proxies and clients, and draw docs/plots anew
	@go build -o $(BUILD)/bench ./bench
	@rm -f $(BUILD)/points.json
	@$(BUILD)/bench -caddy $(BUILD)/caddy -only scale -points $(BUILD)/points.json
	@go -C bench/plot run . -in ../../$(BUILD)/points.json -out ../../docs/plots

.PHONY: tidy
tidy: ## Check that go.mod and go.sum are tidy, here and in the modules of tests, plots and tools
	go mod tidy -diff
	go -C dashboard/browsertest mod tidy -diff
	go -C bench/plot mod tidy -diff
	go -C internal/tools mod tidy -diff

.PHONY: clean
clean: ## Remove what was built
	rm -rf $(BUILD) dist

# The tools have a go.mod of their own, so that they add nothing to what
# importers of the module get.
$(TOOLS)/%: internal/tools/go.mod internal/tools/go.sum
	go build -C internal/tools -o "$(CURDIR)/$(TOOLS)/" tool
	@touch $(TOOLS)/*
