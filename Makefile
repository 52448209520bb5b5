# The one door to this repository: people and CI use the same targets. `make` alone lists them.
#
#   CARGO_FLAGS   given to every cargo command that takes them, such as `--locked` or `--offline`
#   KUBECTL       the kubectl of `install`, `deploy` and so on: that of the machine, else the one that `tools/` pins
#   KUSTOMIZE     the kustomize of the same
#   IMG           the image that `deploy` runs and the `docker-` targets build, such as `IMG=registry.example.com/operator:v1`
#   STAGE         which stage of the Dockerfile `docker-buildx` builds: all of them, or `STAGE=operator`
#   BINARY        the program that `image` packs, in the place of a release build
#   SYSTEM        what `demo` shows: nothing for two charts of web servers, or `package-operator`,
#                 `tenant-onboarding`, `database-table`
#   SECONDS       how long `fuzz` spends on each target
#   TARGETS       which targets `fuzz` runs, such as `TARGETS=yaml`
#   SHARD         which part of all changes `mutants` tries, such as `SHARD=0/50`
#   MODULES       what `mutants` changes, such as `MODULES=src/status`
#   ARGS          arguments for the operator that `run` starts, such as `ARGS=--help`

SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

CARGO ?= cargo
CARGO_FLAGS ?=
TESTBED = $(CARGO) run --quiet $(CARGO_FLAGS) --package testbed --
KUBECTL ?= $(or $(shell command -v kubectl),$(TESTBED) tool kubectl)
KUSTOMIZE ?= $(or $(shell command -v kustomize),$(TESTBED) tool kustomize)
CONTAINER_TOOL ?= docker
IMG ?= controller:latest
PLATFORMS ?= linux/amd64,linux/arm64
STAGE ?=
BINARY ?=
ARGS ?=
SECONDS ?= 60
SHARD ?= 0/1
COMMIT ?= $(or $(shell git rev-parse HEAD 2> /dev/null),unknown)
SOURCE_DATE_EPOCH ?= $(or $(shell git log -1 --format=%ct 2> /dev/null),0)
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
GIVEN := chart-operator-v$(VERSION)-$(shell uname -s | tr A-Z a-z)-$(patsubst aarch64,arm64,$(patsubst x86_64,amd64,$(shell uname -m)))
# Paths of this machine, which must not be in what is given away.
REMAP := --remap-path-prefix=$(CURDIR)=. --remap-path-prefix=$(or $(CARGO_HOME),$(HOME)/.cargo)=cargo
MODULES ?= src/release/plan src/readiness src/watches src/status
TARGETS ?= $(notdir $(wildcard tests/golden/fuzz/*))

# The whole deployment, with IMG where it says `controller:latest`.
define deployment
$(KUSTOMIZE) build config/default | sed 's|image: controller:latest$$|image: $(IMG)|'
endef

##@ Everyday

.PHONY: help
help: ## List the targets
	@awk 'BEGIN { FS = ":.*## " } \
	  /^##@ / { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build everything in the development profile
	$(CARGO) build --workspace --all-targets $(CARGO_FLAGS)

.PHONY: fmt
fmt: ## Format the code
	$(CARGO) fmt --all

.PHONY: lint
lint: ## Check the format, and every lint without exception
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets $(CARGO_FLAGS) -- -D warnings
	$(CARGO) clippy --test cluster --test e2e $(CARGO_FLAGS) -- -D warnings
	$(CARGO) clippy --package testbed --test node $(CARGO_FLAGS) -- -D warnings

.PHONY: lint-workflows
lint-workflows: ## Check the workflows of GitHub; needs Go
	go -C tools/workflows tool actionlint $(addprefix $(CURDIR)/,$(wildcard .github/workflows/*.yml))

.PHONY: docs
docs: ## Build the documentation; a broken link fails
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps $(CARGO_FLAGS)

.PHONY: clean
clean: ## Remove what was built
	$(CARGO) clean

##@ Tests

.PHONY: test
test: lint lint-workflows test-unit test-cluster ## What a change must pass; CI runs this. `test-e2e-here` is beside it where the machine can run a node

.PHONY: test-unit
test-unit: ## Tests that need no cluster: units, architecture, golden files
	$(CARGO) test $(CARGO_FLAGS)

.PHONY: test-cluster
test-cluster: export TEST_SEED ?= 1
test-cluster: ## Tests against a real kube-apiserver, which is built first if it is not there; the testbed's own
	$(CARGO) run $(CARGO_FLAGS) --package testbed -- build
	$(CARGO) test $(CARGO_FLAGS) --package testbed
	$(CARGO) test $(CARGO_FLAGS) --test cluster

.PHONY: test-e2e
test-e2e: export RUST_TEST_THREADS = 64
test-e2e: ## Tests on a real node, in containers: needs root, and Debian's containerd; BINARY takes the place of the tests' program
	$(CARGO) build $(CARGO_FLAGS) --package testbed
	$(TESTBED) build all
	$(CARGO) test $(CARGO_FLAGS) --package testbed --test node
	BINARY="$(abspath $(BINARY))" $(CARGO) test $(CARGO_FLAGS) --test e2e

.PHONY: test-e2e-here
test-e2e-here: ## The same where this machine can run a node, and a line that says why where it cannot
	@if $(TESTBED) try; then $(MAKE) --no-print-directory test-e2e; else \
	  echo "NOT RUN: the tests on a real node (\`make test-e2e\`), which this machine does not allow for the reason above"; fi

.PHONY: packages
packages: ## Install the Debian packages that a real node, and tests with a database, need, where that is allowed
	@if [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null; then \
	  { apt-get update --quiet && DEBIAN_FRONTEND=noninteractive apt-get install --quiet --yes --no-install-recommends \
	    containerd runc containernetworking-plugins iptables iproute2 postgresql; } > /dev/null || \
	  echo "the packages of a real node and PostgreSQL could not be installed" >&2; \
	else echo "the packages of a real node and PostgreSQL are not installed: this needs root and apt" >&2; fi

.PHONY: test-long
test-long: export TEST_LONG = 1
test-long: test-unit test-cluster ## The same tests with every case of the long suites, of which `test` takes a sample

.PHONY: fuzz
fuzz: ## Look for texts that break what reads them; needs cargo-fuzz and a nightly compiler
	cp Cargo.lock fuzz/Cargo.lock
	cd fuzz && $(CARGO) +nightly fuzz build --sanitizer none
	ulimit -s 65536; cd fuzz; for target in $(TARGETS); do mkdir -p corpus/$$target; \
	  $(CARGO) +nightly fuzz run --sanitizer none $$target corpus/$$target ../tests/golden/fuzz/$$target -- \
	    -max_total_time=$(SECONDS) -timeout=5 -rss_limit_mb=1024 -max_len=4096; done

.PHONY: mutants
mutants: ## Change decisions one by one, and see whether unit tests notice: hours without SHARD; needs cargo-mutants
	@$(CARGO) mutants --version > /dev/null 2>&1 || \
	  { echo "\`make mutants\` needs cargo-mutants: \`cargo install cargo-mutants\` brings it" >&2; exit 1; }
	$(CARGO) mutants --package chart-operator --output target --shard $(SHARD) --sharding round-robin \
	  $(foreach module,$(MODULES),--file '$(module)/*.rs') -- --lib -- $(subst /,::,$(patsubst src/%,%,$(MODULES)))

.PHONY: bench
bench: ## Measure, and print the numbers beside the targets
	$(CARGO) bench $(CARGO_FLAGS)
	$(CARGO) run --release $(CARGO_FLAGS) --package testbed -- bench

.PHONY: deny
deny: ## Check licences, sources and doubled crates; needs cargo-deny
	$(CARGO) deny --all-features check bans licenses sources

.PHONY: advisories
advisories: ## Look for advisories about our dependencies; needs cargo-deny and the network
	$(CARGO) deny --all-features check advisories

##@ Releases

.PHONY: release
release: ## Build what is given away into target/dist, the same to the byte wherever and whenever it is built
	RUSTFLAGS="$(REMAP)" CHART_OPERATOR_COMMIT=$(COMMIT) \
	  $(CARGO) build --release --package chart-operator --target-dir target/given $(CARGO_FLAGS)
	rm -rf target/dist/$(GIVEN) && mkdir -p target/dist/$(GIVEN)/completions
	cp LICENSE README.md CHANGELOG.md target/given/release/chart-operator target/dist/$(GIVEN)
	target/given/release/chart-operator man target/dist/$(GIVEN)/man1
	for shell in bash elvish fish powershell zsh; do \
	  target/given/release/chart-operator completion $$shell > target/dist/$(GIVEN)/completions/chart-operator.$$shell; done
	tar --sort=name --mtime=@$(SOURCE_DATE_EPOCH) --owner=0 --group=0 --numeric-owner --mode=go=rX,u+rw,a-s \
	  -C target/dist -c $(GIVEN) | gzip -9n > target/dist/$(GIVEN).tar.gz
	rm -r target/dist/$(GIVEN)
	cd target/dist && sha256sum $(GIVEN).tar.gz | tee $(GIVEN).tar.gz.sha256

.PHONY: release-compare
release-compare: ## Fail unless the folders FIRST and SECOND hold the same bytes
	diff -r $(FIRST) $(SECOND)

.PHONY: release-check
release-check: ## Build HEAD twice, in two folders and from nothing, and compare: takes twice as long as `release`
	rm -rf target/twice
	for build in target/twice/first target/twice/second/deeper; do mkdir -p $$build; git archive HEAD | tar -x -C $$build; \
	  $(MAKE) -C $$build release; done
	$(MAKE) release-compare FIRST=target/twice/first/target/dist SECOND=target/twice/second/deeper/target/dist

##@ The operator

.PHONY: demo
demo: ## See it work on a local control plane: install, change, break, repair, delete; or what SYSTEM names
	$(CARGO) build --release --workspace $(CARGO_FLAGS)
	$(CARGO) run --release $(CARGO_FLAGS) --package testbed -- demo $(addprefix --system=,$(SYSTEM))

.PHONY: run
run: ## Run the operator here, against the cluster of the current kubeconfig
	$(CARGO) run $(CARGO_FLAGS) -- run $(ARGS)

.PHONY: rbac
rbac: ## Write the role of the charts that watches.yaml names
	$(CARGO) run --quiet $(CARGO_FLAGS) -- rbac > config/rbac/role.yaml.new
	mv config/rbac/role.yaml.new config/rbac/role.yaml

##@ Image

.PHONY: image
image: ## Write the images as archives, without a container engine, with a bill of what is in them: target/image
ifeq ($(BINARY),)
	$(CARGO) build --release $(CARGO_FLAGS)
endif
	$(TESTBED) image --name "$(IMG)" --binary $(or $(BINARY),target/release/chart-operator)

.PHONY: docker-build
docker-build: ## Build the image of this project
	$(CONTAINER_TOOL) build --tag $(IMG) .

.PHONY: docker-push
docker-push: ## Push it
	$(CONTAINER_TOOL) push $(IMG)

.PHONY: docker-buildx
docker-buildx: ## Build it for several platforms, and push it
	$(CONTAINER_TOOL) buildx build --push --platform=$(PLATFORMS) $(addprefix --target=,$(STAGE)) --tag $(IMG) .

##@ A real node

.PHONY: cluster-up
cluster-up: ## Start a cluster with a real node, in a network namespace; needs root, and Debian's containerd, runc, containernetworking-plugins
	$(TESTBED) up --real-node

.PHONY: cluster-load
cluster-load: ## Give it the images that `image` wrote
	$(TESTBED) load target/image/operator.tar target/image/project.tar

.PHONY: cluster-down
cluster-down: ## Stop it
	$(TESTBED) down

##@ Deployment

.PHONY: install
install: ## Create the custom resource definitions in the current cluster
	$(KUSTOMIZE) build config/crd | $(KUBECTL) apply --server-side --force-conflicts -f -

.PHONY: uninstall
uninstall: ## Delete the custom resource definitions, and with them every resource of these kinds
	$(KUSTOMIZE) build config/crd | $(KUBECTL) delete --ignore-not-found -f -

.PHONY: deploy
deploy: ## Deploy the operator with the image IMG to the current cluster
	$(deployment) | $(KUBECTL) apply --server-side --force-conflicts -f -

.PHONY: undeploy
undeploy: uninstall ## Delete what `deploy` has created: the resources first, while the operator is there to take them down
	$(deployment) | $(KUBECTL) delete --ignore-not-found -f -
