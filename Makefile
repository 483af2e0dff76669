# Variables given to make reach the service: `make run PORT=8080 LOG_LEVEL=debug`.
.DEFAULT_GOAL := help
.PHONY: help build run example test unit e2e deploy-tests chaos soak cost fuzz sanitize lint format clean
.PHONY: bench bench-curve bench-latency bench-memory bench-scale bench-steady

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build the release binary, .build/release/items
	@scripts/build

run: ## install what is missing, build, start a private PostgreSQL unless DB_HOST is set, and serve
	@scripts/run

# A name in the environment is no example's; one given to make wins.
example: NAME = Orders
example: ## the same with the service in Examples/NAME, on port 5002; NAME=Orders
	@scripts/run '$(NAME)'

test: ## install what is missing, then run every check and every test
	@scripts/test

unit: ## the Swift tests alone, against a private PostgreSQL
	@scripts/test unit

e2e: ## the end-to-end tests alone, against the release binary; E2E="-k drain" chooses
	@scripts/test e2e

deploy-tests: ## the tests of image, boot, infrastructure, instance refresh and workflows alone
	@scripts/test deploy

chaos: ## break the database under load and judge the service; SEED=1 SCENARIO=promote RUNS=200 LONG=1 QUICK=1 LIST=1
	@scripts/chaos

soak: ## hostile and honest clients at once for SECONDS=300; SEED=… replays a run
	@SOAK_SECONDS=$(or $(SECONDS),300) scripts/soak

cost: ## instructions and system calls per request against those on record; RECORD=1, or PROFILE=root for where they go
	@scripts/cost

fuzz: ## what a fuzzer finds in the parsers within SECONDS=60
	@scripts/fuzz $(or $(SECONDS),60)

sanitize: ## the Swift tests under the thread and the address sanitizer
	@scripts/sanitize

bench: ## rate, latency and cost of every workload; PEERS=all AGAINST='../other/items serve' ROUNDS=5 SECONDS=3 JSON=out.json
	@BENCH_SECONDS=$(SECONDS) scripts/bench

bench-curve: ## item over CONCURRENCY=1,2,4,…,512 connections, drawn to PLOT=curve.svg
	@BENCH_SECONDS=$(SECONDS) scripts/bench curve

bench-latency: ## item at half the maximum rate, or at RATE=…, for SECONDS=60: percentiles and stalls
	@BENCH_SECONDS=$(SECONDS) scripts/bench latency

bench-memory: ## memory idle, under load and for each of IDLE=10000 connections; time to start
	@BENCH_SECONDS=$(SECONDS) scripts/bench memory

bench-scale: ## list and item over ROWS=10000,1000000 and CONCURRENCY=64,1000
	@BENCH_SECONDS=$(SECONDS) scripts/bench scale

bench-steady: ## cost and memory of item in each of MINUTES=10, under load all the time
	@BENCH_SECONDS=$(SECONDS) scripts/bench steady

lint: ## formatting, imports and shell scripts
	@scripts/lint

format: ## rewrite the Swift sources in the project's format
	swift format --in-place --parallel --recursive Package.swift Sources Tests Examples

clean: ## remove what was built; the data under .data/ stays
	rm -rf .build Examples/*/.build
