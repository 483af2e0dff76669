# Variables given to make reach the service: `make run PORT=8080 LOG_LEVEL=debug`.
.DEFAULT_GOAL := help
.PHONY: help build run example test test-all unit e2e deploy-tests simulate chaos soak cost fuzz sanitize lint format clean
.PHONY: bench bench-curve bench-latency bench-memory bench-scale bench-steady

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## install what is missing and build the release binary, .build/release/items
	@scripts/install-dependencies build
	@scripts/build

run: ## install what is missing, build, start a private PostgreSQL unless DB_HOST is set, and serve
	@scripts/run

# A name in the environment is no example's; one given to make wins.
example: NAME = Orders
example: ## the same for the service in Examples/NAME, on port 5002; NAME=Orders
	@scripts/run '$(NAME)'

test: ## install what is missing, check the sources, run the Swift and the end-to-end tests, check the cost of a request
	@scripts/test

test-all: ## run what `make test` leaves out: chaos, deployment, fuzzing, tests of the benchmarks
	@scripts/test rest

unit: ## run the Swift tests only, against a private PostgreSQL
	@scripts/test unit

e2e: ## run the end-to-end tests only, against the release binary; E2E="-k drain" selects some
	@scripts/test e2e

deploy-tests: ## run the tests of image, boot, infrastructure, instance refresh and workflows only
	@scripts/test deploy

simulate: ## try the deciders in virtual time: SCHEDULES=100000 from seed FROM=1, or SEED=… step by step
	@scripts/simulate $(if $(SEED),--seed $(SEED),--schedules $(or $(SCHEDULES),100000) --from $(or $(FROM),1))

chaos: ## break the database under load and judge the service; SEED=1 SCENARIO=promote RUNS=200 LONG=1 QUICK=1 LIST=1
	@scripts/chaos

soak: ## run hostile and honest clients at once for SECONDS=300; SEED=… replays a run
	@SOAK_SECONDS=$(or $(SECONDS),300) scripts/soak

cost: ## compare instructions and system calls per request with the record; WORKLOADS=root,item RECORD=1, or PROFILE=root for the functions
	@scripts/cost

fuzz: ## fuzz the parsers for SECONDS=60
	@scripts/fuzz $(or $(SECONDS),60)

sanitize: ## run the Swift tests under the thread and the address sanitizer
	@scripts/sanitize

bench: ## measure rate, latency and cost of every workload; PEERS=all AGAINST='../other/items serve' ROUNDS=5 JSON=out.json PLOT=out.svg
	@BENCH_SECONDS=$(SECONDS) scripts/bench

bench-curve: ## measure item over CONCURRENCY=1,2,4,…,512 connections and draw it to PLOT=curve.svg
	@BENCH_SECONDS=$(SECONDS) scripts/bench curve

bench-latency: ## measure item at half the maximum rate, or at RATE=…, for SECONDS=60: percentiles and stalls
	@BENCH_SECONDS=$(SECONDS) scripts/bench latency

bench-memory: ## measure memory idle, under load and per connection of IDLE=10000; time to start
	@BENCH_SECONDS=$(SECONDS) scripts/bench memory

bench-scale: ## measure list and item over ROWS=10000,1000000 and CONCURRENCY=64,1000
	@BENCH_SECONDS=$(SECONDS) scripts/bench scale

bench-steady: ## measure cost and memory of item in each of MINUTES=10, under constant load
	@BENCH_SECONDS=$(SECONDS) scripts/bench steady

lint: ## check formatting, imports, shell scripts and the root's entries
	@scripts/lint

format: ## rewrite the Swift sources in the project's format
	swift format --in-place --parallel --recursive Package.swift Sources Tests Examples

clean: ## remove the builds; the data under .data/ stays
	rm -rf .build Examples/*/.build
