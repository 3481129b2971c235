# The entry point for people and CI. `make` lists the targets.

SHELL := /bin/bash
.DEFAULT_GOAL := help

# Downloads and builds are outside the clone, so that a second clone reuses them.
export VEDETTE_CACHE ?= $(HOME)/.cache/vedette
export CARGO_TARGET_DIR ?= $(VEDETTE_CACHE)/target
export VEDETTE_DEMO_VIDEO ?= $(VEDETTE_CACHE)/demo/vtest.mp4
export VEDETTE_TEST_VIDEO ?= $(VEDETTE_DEMO_VIDEO)
# No build by make contains the placeholder of the page.
export VEDETTE_REQUIRE_PAGE := 1

VEDETTE := $(CARGO_TARGET_DIR)/release/vedette
RUN_PACKAGES := build-essential pkg-config libssl-dev libgstreamer1.0-dev libgstreamer-plugins-base1.0-dev \
	gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly \
	gstreamer1.0-libav python3
TEST_PACKAGES := libgstrtspserver-1.0-dev gstreamer1.0-tools chromium postgresql nginx \
	openssl dbconfig-sqlite3
FOR ?=
WHAT ?=
BUS ?= embedded
SEEDS ?= 1000
SEED ?=

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

.PHONY: deps
deps:
	@scripts/install-packages $(RUN_PACKAGES)
	@command -v npm >/dev/null || scripts/install-packages nodejs npm
	@python3 -c 'import venv, ensurepip' 2>/dev/null || scripts/install-packages python3-venv
	@python3 -m pip --version >/dev/null 2>&1 || scripts/install-packages python3-pip

.PHONY: test-deps
test-deps: deps
	@scripts/install-packages $(TEST_PACKAGES)
# After dbconfig-sqlite3, without which it brings the client of MySQL. Its service would have a password that everybody knows.
	@scripts/install-packages --no-service glewlwyd
	@command -v java >/dev/null || scripts/install-packages default-jre-headless
	@command -v mvn >/dev/null || scripts/install-packages maven

.PHONY: web
web: deps
	@scripts/build-web

.PHONY: build
build: web ## Build the release binary
	cargo build --release --locked -p vedette

.PHONY: assets
assets: build
	@$(VEDETTE) models fetch
	@scripts/fetch-recording "$(VEDETTE)" "$(VEDETTE_DEMO_VIDEO)"

.PHONY: demo
demo: assets ## Run the whole product on the demo site (FOR=90s to stop after 90 s, BUS=kafka for a broker from make kafka)
	$(VEDETTE) demo --bus $(BUS) $(if $(FOR),--for $(FOR))

.PHONY: kafka
kafka: test-deps ## Start a real Apache Kafka broker on 127.0.0.1:9092 in the foreground
	deploy/kafka/start.sh

.PHONY: test
test: test-deps web ## Run every test, real Kafka, Keycloak, Glewlwyd and headless Chromium included
	cargo build-all --bin vedette
	@$(CARGO_TARGET_DIR)/debug/vedette models fetch
	@scripts/fetch-recording "$(CARGO_TARGET_DIR)/debug/vedette" "$(VEDETTE_DEMO_VIDEO)"
	@deploy/kafka/start.sh --fetch-only
	@deploy/keycloak/start.sh --fetch-only
	VEDETTE_REQUIRE_KAFKA=1 VEDETTE_REQUIRE_KEYCLOAK=1 VEDETTE_REQUIRE_GLEWLWYD=1 VEDETTE_REQUIRE_NGINX=1 cargo test-all

.PHONY: test-pure
test-pure: ## Run the tests of the crates that need no native library: formats, geometry, rules, the analysis
	cargo test --locked --features vedette-address/disturb -p vedette-core -p vedette-wire -p vedette-interchange -p vedette-track \
		-p vedette-rules -p vedette-locate -p vedette-address -p vedette-alerts -p vedette-picture -p vedette-analysis -p vedette-tuning

.PHONY: chaos
chaos: test-deps web ## Inject faults into the simulated product with SEEDS=1000 seeds (SEED=17 repeats one): nothing may be lost or duplicated
	VEDETTE_CHAOS_SEEDS=$(SEEDS) $(if $(SEED),VEDETTE_CHAOS_SEED=$(SEED)) \
		cargo test --release --locked -p vedette --test it simulation:: -- --nocapture

.PHONY: chaos-kafka
chaos-kafka: assets test-deps ## Inject faults into the product on three real brokers and write docs/CHAOS.md (CHAOS="--quick --only worker-kill" for a part)
	@deploy/kafka/start.sh --fetch-only
	cargo build --release --locked -p vedette --example chaos
	$(CARGO_TARGET_DIR)/release/examples/chaos $(or $(CHAOS),--report docs/CHAOS.md)

.PHONY: cameras
cameras: test-deps web ## Play every kind of camera of the test table at once, on a machine that does nothing else: each is analysed, or offline for its reason
	cargo build-all --bin vedette
	@$(CARGO_TARGET_DIR)/debug/vedette models fetch
	@scripts/fetch-recording "$(CARGO_TARGET_DIR)/debug/vedette" "$(VEDETTE_DEMO_VIDEO)"
	cargo test-all --test it -- hostile::every --ignored

.PHONY: fuzz
fuzz: deps ## Fuzz every reader of input from outside: a minute each, or FOR=1h for all together
	@scripts/fuzz $(FOR)

.PHONY: lint
lint: test-deps web ## rustfmt, clippy and cargo-deny
	cargo fmt --all --check
	cargo clippy-all -- -D warnings
	@scripts/cargo-deny

.PHONY: bench
bench: assets test-deps ## Run the benchmarks and print the figures of the README's first table (WHAT="offline growth" for some of them)
	benches/run $(WHAT)

.PHONY: clean
clean: ## Remove build outputs, but no downloads
	rm -rf "$(CARGO_TARGET_DIR)" crates/console/web/dist crates/console/web/node_modules crates/console/web/src/openapi.d.ts
