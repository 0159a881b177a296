# Thin verbs over cargo and the scripts in hack/. `make` alone lists them.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo demo-kube cluster cluster-down test check bench gen golden try e2e kube bookinfo property tools build-tools clean fmt clippy tidy gen-check deny doc scripts

# Programs are always built with `--workspace`, even one alone: then every verb agrees on the features of what is shared, and nothing
# is compiled twice.
BUILT := $(or $(CARGO_TARGET_DIR),target)/debug
XTASK := cargo build --quiet --workspace --bin xtask && $(BUILT)/xtask
# With one test among the targets, cargo gives dependencies what tests ask of them as well: so these are the very programs of
# `make test`, and who builds the one has the other.
PROGRAMS := cargo build --workspace --bin pilothouse --bin e2e --test kube

help: ## list the verbs
	@printf 'make VERB, where VERB is one of\n\n'
	@sed -nE 's/^([a-z0-9-]+):.*## (.*)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 14
	@printf '\nThe first build takes some minutes. The verbs with real Envoy need root (network namespaces and iptables).\n'

demo: tools ## a small mesh from a folder of YAML, changed while traffic flows
	$(PROGRAMS)
	$(BUILT)/e2e demo

demo-kube: build-tools ## the same in a Kubernetes of its own, or in that of make cluster, with kubectl
	$(PROGRAMS)
	$(BUILT)/e2e demo-kube

# One build of programs and tests together, so that the end-to-end tests find the programs of this very tree.
test: tools ## all tests, from unit tests to real Envoy 1.37.0 and 1.40.0
	cargo build --workspace --bins --tests
	$(XTASK) commands --check
	cargo test --workspace --no-fail-fast

e2e: tools ## the end-to-end tests alone; ARGS="NAME --nocapture" picks some
	cargo build --workspace --bins --tests
	cargo test --workspace --test envoy -- $(ARGS)

kube: tools ## the tests on a real Kubernetes alone; ARGS as for e2e
	cargo build --workspace --bins --tests
	cargo test --workspace --test kube -- $(ARGS)

bookinfo: tools ## Istio's Bookinfo sample on real Envoys: make bookinfo FIXTURES=FOLDER
	@[ -n "$(FIXTURES)" ] || { printf 'make bookinfo FIXTURES=FOLDER (the sample of an Istio release)\n'; exit 64; }
	cargo build --workspace --bins --tests
	PILOTHOUSE_E2E_FIXTURES=$(abspath $(FIXTURES)) cargo test --workspace --test bookinfo

try: tools ## open a scenario with real Envoys and stay there: make try SCENARIO=NAME
	@[ -n "$(SCENARIO)" ] || { printf 'make try SCENARIO=NAME\n'; exit 64; }
	$(PROGRAMS)
	$(BUILT)/e2e try $(SCENARIO)

check: build-tools scripts fmt clippy tidy gen-check deny doc ## formatting, lints, crate graph, licences, generated files, docs
	@printf 'check: all fine\n'

bench: build-tools ## time and memory, from one cluster to a whole city; ARGS=office picks a mesh
	@printf 'Built like what is shipped; the first build takes some minutes.\n'
	cargo bench --workspace --bench resources --bench serve --bench admission
	cargo bench --workspace --bench meshes -- $(ARGS)

gen: build-tools ## write every generated file again
	$(XTASK) gen
	$(PROGRAMS)
	$(XTASK) commands

golden: build-tools ## refresh the snapshots, then show what changed in them
	INSTA_UPDATE=always INSTA_FORCE_PASS=1 cargo test --workspace --exclude pilothouse-e2e --quiet
	@git --no-pager diff --stat -- '*.snap'

cluster: build-tools ## a real one-node Kubernetes with our images; ID=NAME for one beside it
	$(PROGRAMS)
	@hack/cluster/up.sh

cluster-down: ## end it and leave nothing behind; ID=NAME ends another
	@hack/cluster/down.sh

property: build-tools ## the properties with many seeds: make property CASES=100000
	PROPTEST_CASES=$(or $(CASES),20000) cargo test --release --package pilothouse-engine --package pilothouse-xds

clean: ## remove what was built here (fetched tools stay)
	cargo clean

# ---- parts ----

build-tools:
	@hack/build-tools.sh

tools: build-tools
	@hack/tools.sh

scripts:
	@for script in hack/*.sh hack/cluster/*.sh .ci/run; do bash -n "$$script"; done

fmt:
	cargo fmt --all --check

clippy:
	cargo clippy --workspace --all-targets -- --deny warnings
	cargo clippy --workspace --test bookinfo -- --deny warnings

tidy:
	$(XTASK) tidy

gen-check:
	$(XTASK) gen --check

deny:
	$(XTASK) deny --program "$$(hack/deny.sh)"

doc:
	RUSTDOCFLAGS="--deny warnings" cargo doc --workspace --no-deps --quiet
