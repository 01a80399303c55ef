# `make` lists the targets. They need Go and nothing else.
.DEFAULT_GOAL := help
SHELL := /bin/sh
GO ?= go
BIN := bin/dynapm
CONFIG ?= examples/quickstart.yaml

# The race detector needs cgo and a C compiler; without them the tests run all the same.
CC := $(firstword $(shell $(GO) env CC))
RACE := $(shell [ "$$($(GO) env CGO_ENABLED)" = 1 ] && command -v "$(CC)" >/dev/null 2>&1 && echo -race)
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

.PHONY: help build run test test-real soak simulate check fmt vet lint tidy fuzz bench bench-results bench-proxy bench-cold bench-quick bench-compare clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

build: ## build bin/dynapm
	@CGO_ENABLED=0 $(GO) build -trimpath -o $(BIN) ./engine/cmd/dynapm

run: build ## build and run the engine with examples/quickstart.yaml (CONFIG=FILE for another)
	@exec $(BIN) engine -config $(CONFIG)

test: ## run every test, with the race detector where a C compiler is there
	@[ -n "$(RACE)" ] || echo "no C compiler ($(CC)): the tests run without the race detector"
	$(GO) test $(RACE) -timeout 20m -shuffle=on ./...

test-real: ## run examples/ with Docker, PM2, nginx and others, limits in a virtual machine, loadtest beside wrk, and install what is missing
	@engine/e2e/real/install.sh
	DYNAPM_REAL=1 $(GO) test ./engine/e2e/real -count=1 -timeout 20m -parallel 6

soak: ## race requests with 1,000 idle stops, reset 100,000 connections, have 10,000 services, kill -9 in 200 rounds, and report (SOAK=1000)
	DYNAPM_MANY=1 $(GO) test ./engine/e2e -run '^Test(Soak|Many|KilledAtEveryPoint$$)' -count=1 -v -timeout 90m -soak $(or $(SOAK),1000)

simulate: ## random schedules, a million of the machine and 10,000 of all actors, and go on for a while (FOR=0)
	$(GO) test ./actors -run '^TestRandomWalk$$|^TestRoom' -count=1 -v -timeout 0 -walks 1000000 -rooms 10000 -walk $(or $(FOR),0) -room $(or $(FOR),0)

check: fmt vet lint tidy test ## what CI runs: format, vet, lint, tidy, import order and every test

fmt: ## fail where gofmt would change a file
	@files=$$(gofmt -l actors bench engine loadtest netio persist 2>/dev/null); \
	[ -z "$$files" ] || { echo "not gofmt-ed:"; echo "$$files"; echo "run: gofmt -w ."; exit 1; }

vet: ## go vet
	$(GO) vet ./...

lint: ## staticcheck
	$(GO) run $(STATICCHECK) ./...

tidy: ## fail where go.mod or go.sum are not tidy
	$(GO) mod tidy -diff

fuzz: ## fuzz the parsers and decoders (FUZZTIME=1m each)
	@grep -roh '^func Fuzz[A-Za-z]*' --include=*_test.go ./netio ./engine/config ./loadtest ./persist | cut -d' ' -f2 | while read -r target; do \
	  package=$$(dirname "$$(grep -rl "^func $$target(" --include=*_test.go netio engine loadtest persist)"); \
	  $(GO) test "./$$package" -run '^$$' -fuzz "^$$target$$" -fuzztime $(or $(FUZZTIME),1m) || exit 1; done

bench: ## the micro-benchmarks, then the whole comparison, in half an hour; reports in bench/report/ (ROUNDS=4 SCALE=1 DYNAPM_NODE=DIR SABLIER=PROGRAM)
	@$(GO) run ./bench micro -report bench/report
	@CGO_ENABLED=0 $(GO) run ./bench -incomplete -rounds $(or $(ROUNDS),4) -scale $(or $(SCALE),1) -report bench/report

bench-results: ## keep what make bench has measured: bench/RESULTS.md
	@$(GO) run ./bench results -from bench/report/report.json

bench-proxy: ## measure the engine beside nginx, HAProxy and other proxies (ROUNDS=7, SCENARIO=all)
	@$(GO) run ./bench -incomplete -rounds $(or $(ROUNDS),7) -scenario $(or $(SCENARIO),all)

bench-cold: ## measure what the engine adds to the start of a service, beside a plain shell loop (SCALE=1)
	@CGO_ENABLED=0 $(GO) run ./bench -scenario cold -only dynapm,direct -scale $(or $(SCALE),1)

bench-quick: ## the short comparison that CI makes, in about a minute; its report is in bench/report/ (ROUNDS=5)
	@CGO_ENABLED=0 $(GO) run ./bench -quick -incomplete -rounds $(or $(ROUNDS),5) -report bench/report

bench-compare: ## fail if the micro-benchmarks are slower than those of another commit (BASE=ref is wanted, such as main; ROUNDS=10)
	@$(GO) run ./bench compare -base "$(BASE)" -rounds $(or $(ROUNDS),10)

clean: ## remove what make built
	@rm -rf bin bench/report
