# Everything a developer does. `make` alone shows the targets.

SHELL := /bin/sh
.DEFAULT_GOAL := help
PYTHON := .venv/bin/python
RUN_ENVIRONMENT = @requirements/install.sh stack
DEV_ENVIRONMENT = @requirements/install.sh dev
PROTO := $(shell find proto -name '*.proto')

# uv, Go and npm keep their caches at home: where there is none to write to, as in a container with a bare user id, here.
ifneq ($(shell [ -n "$$HOME" ] && [ -d "$$HOME" ] && [ -w "$$HOME" ] && echo yes),yes)
export HOME := $(CURDIR)/build/home
endif

# Python keeps what it compiled: without that, each of the processes that tests start takes twice as long to start.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## This screen
	@printf 'usage: make <target>\n\n'
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@printf '\nCLARION_DATA (.clarion), CLARION_PORT (8080, at the first start or the next free), CLARION_REPLICAS (gateway=2,ingest=2)\n'
	@printf 'choose another data folder, port and number of processes. CLARION_EGRESS_ALLOW and CLARION_EGRESS_WEBHOOK_ALLOW\n(127.0.0.1:*) allow mail servers and webhook receivers on this machine. More: docs/local-stack.md\n'

.PHONY: run
run: ## Start everything here and keep it running; Ctrl-C stops it
	$(RUN_ENVIRONMENT)
	@exec $(PYTHON) -m stack

.PHONY: pages
pages: ## Build the console and the inbox component, and fetch what /docs needs; `make run` does it too
	$(RUN_ENVIRONMENT)
	@$(PYTHON) -m stack.pages

.PHONY: smoke
smoke: ## Prove that a running stack works: e-mail, SMS, push, inbox, timeline
	$(RUN_ENVIRONMENT)
	@$(PYTHON) -m checks.smoke

.PHONY: test
test: ## Run all tests; each that fails runs once more, alone
	$(DEV_ENVIRONMENT)
	@$(PYTHON) -m tests.run --numprocesses 3

.PHONY: durations
durations: ## Run all tests and note how long each file takes: the longest start first
	$(DEV_ENVIRONMENT)
	@$(PYTHON) -m tests.run --renew-durations --numprocesses 3

.PHONY: conformance
conformance: ## Hold the published contracts: Orqestra's, Nahook's and Sendmator's pages row by row, the Handlebars specification, and our own by schemathesis
	$(DEV_ENVIRONMENT)
	@$(PYTHON) -m pytest -q --no-header --tb=short $(wildcard tests/conformance/orqestra tests/conformance/nahook tests/conformance/sendmator tests/conformance/handlebars tests/conformance/openapi)

.PHONY: check
check: ## Format, lint, types, imports, proto: before each commit
	$(DEV_ENVIRONMENT)
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target check-types check-rest

# Beside the rest, because it takes about as long as all of that.
.PHONY: check-types
check-types:
	@.venv/bin/mypy

.PHONY: check-rest
check-rest:
	@.venv/bin/ruff format --check .
	@.venv/bin/ruff check .
	@.venv/bin/lint-imports --no-logo
	@.venv/bin/buf lint proto
	@.venv/bin/buf breaking proto --against proto/released.binpb || \
	  { echo 'a process of the last release could not read these messages' >&2; exit 1; }
	@$(MAKE) --no-print-directory gen-drift
	@$(PYTHON) -m stack.npm console check
	@$(PYTHON) -m stack.npm inbox check

.PHONY: unit
unit: ## Run the unit tests
	$(DEV_ENVIRONMENT)
	@$(PYTHON) -m pytest -q tests/unit

.PHONY: fmt
fmt: ## Format the code and fix what can be fixed
	$(DEV_ENVIRONMENT)
	@.venv/bin/ruff check --fix-only --quiet .
	@.venv/bin/ruff format .
	@$(PYTHON) -m stack.npm console fmt

.PHONY: gen
gen: ## Generate gen/ from proto/, what follows from the lists in services/domain, and the console's types
	$(DEV_ENVIRONMENT)
	@$(call generate,gen)
	@$(PYTHON) -m services.domain.reference
	@$(PYTHON) -m gateway.openapi.console build/openapi.json
	@$(PYTHON) -m stack.npm console types
	@$(PYTHON) -m gateway.access.reference

.PHONY: gen-drift
gen-drift:
	@rm -rf build/gen && mkdir -p build/gen
	@$(call generate,build/gen)
	@diff -r -x __pycache__ build/gen gen || { echo 'gen/ is not what proto/ makes: run `make gen`' >&2; exit 1; }
	@$(PYTHON) -m services.domain.reference --check
	@$(PYTHON) -m gateway.openapi.console build/openapi.json
	@$(PYTHON) -m stack.npm console types --check >build/types.log 2>&1 || \
	  { cat build/types.log; echo 'console/src/api/schema.d.ts is not what the OpenAPI document makes: run `make gen`' >&2; exit 1; }
	@$(PYTHON) -m gateway.access.reference --check

.PHONY: release-proto
release-proto: ## At a release: what `make check` compares later versions of proto/ with
	$(DEV_ENVIRONMENT)
	@.venv/bin/buf build proto --exclude-source-info --output proto/released.binpb

.PHONY: chaos
chaos: ## Kill each part in a burst of events and count what is lost
	$(RUN_ENVIRONMENT)
	@$(PYTHON) -m checks.chaos

.PHONY: siege
siege: ## Attack a stack of its own and measure an uninvolved tenant; ONLY=a3 one alone, SCALE=1 in full size
	$(DEV_ENVIRONMENT)
	@$(PYTHON) -m checks.siege $(ONLY)

.PHONY: bench
bench: ## Measure throughput, latency and memory beside their baselines
	$(DEV_ENVIRONMENT)
	@$(PYTHON) -m bench

.PHONY: doctor
doctor: ## Check everything the running stack depends on
	$(RUN_ENVIRONMENT)
	@variables=$$($(PYTHON) -m stack.client) && eval "$$variables" && $(PYTHON) -m cli doctor

.PHONY: migrate
migrate: ## Bring the running stack's PostgreSQL and NATS up to this version
	$(RUN_ENVIRONMENT)
	@variables=$$($(PYTHON) -m stack.client) && eval "$$variables" && $(PYTHON) -m cli migrate

.PHONY: clean
clean: ## Remove the data of the local stack and all built files; not .venv
	@requirements/clean.sh

define generate
$(PYTHON) -m grpc_tools.protoc -I proto \
  --plugin=protoc-gen-mypy=.venv/bin/protoc-gen-mypy \
  --plugin=protoc-gen-mypy_grpc=.venv/bin/protoc-gen-mypy_grpc \
  --python_out=$(1) --grpc_python_out=$(1) --mypy_out=quiet:$(1) --mypy_grpc_out=quiet:$(1) $(PROTO)
endef
