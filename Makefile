# Two targets do everything: `make demo` and `make test`. `make help` lists the rest.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SCENARIO ?= frontend-unreachable
LIVE ?= tests/live
PARALLEL ?= 2
# The kubectl that `reprise up` builds, for machines that have none of their own.
export PATH := $(PATH):$(or $(REPRISE_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/reprise)/bin

.PHONY: help demo prove agent-venv inspect-venv test test-fast test-live check format fuzz bench up down clean

help: ## this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "expected Python 3.11 or newer as '$(PYTHON)'; install it or pass PYTHON=python3.x"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
	  { echo "expected the venv module; on Debian: apt-get install python3-venv"; exit 1; }
	@echo "installing the Python packages that pyproject.toml pins"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

demo: $(STAMP) ## from a bare machine to a score on the screen
	@$(BIN)/reprise up
	@$(BIN)/reprise run --scenario $(SCENARIO) --follow

prove: $(STAMP) ## prove the whole catalogue on the live cluster (hours); goes on where it stopped
	@$(BIN)/reprise up
	@$(BIN)/reprise prove --parallel $(PARALLEL) --results docs/proof.jsonl

# The harness of images/agent-shell needs a newer Python than the product; its tests run it with this one.
AGENT_PYTHON ?= $(shell for python in python3.13 python3.12 python3.14; do \
  $$python -c "import venv" 2>/dev/null && echo $$python && break; done)
agent-venv: .venv-agent/.installed ## what the tests of the Stirrup harness run it with
.venv-agent/.installed: images/agent-shell/requirements.txt
	@test -n "$(AGENT_PYTHON)" || \
	  { echo "expected Python 3.12 or newer; install it or pass AGENT_PYTHON=python3.x"; exit 1; }
	@test -x .venv-agent/bin/python || $(AGENT_PYTHON) -m venv .venv-agent
	@.venv-agent/bin/python -m pip install --quiet --disable-pip-version-check --no-compile -r $<
	@touch $@

# Inspect's packages contradict the product's, so it has an environment of its own.
inspect-venv: .venv-inspect/.installed ## what the tests of the Inspect task run it with
.venv-inspect/.installed: examples/inspect/requirements.txt
	@echo "installing the packages of Inspect, for its tests alone: a minute or two"
	@test -x .venv-inspect/bin/python || $(PYTHON) -m venv .venv-inspect
	@.venv-inspect/bin/python -m pip install --quiet --disable-pip-version-check --no-compile -r $<
	@touch $@

# Nothing to install where somebody has named an environment of his own.
INSPECT := $(if $(REPRISE_INSPECT_PYTHON),,.venv-inspect/.installed)

# Where everything has to be built first, or is slow, the live tests that have not begun by then are skipped and
# named, but for the essential ones. `make test-live` runs them all, however long it takes.
MINUTES ?= 65
JOBS ?= auto
test: ## everything, the live tests on a real cluster included, as far as MINUTES (65) go
	@export REPRISE_TEST_UNTIL=$$(( $$(date +%s) + 60 * $(MINUTES) )); \
	  $(MAKE) --no-print-directory test-fast && $(MAKE) --no-print-directory test-live

test-fast: $(STAMP) $(INSPECT) ## unit and contract tests: no cluster
	@$(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile tests/unit tests/contract

test-live: $(STAMP) $(INSPECT) ## live tests, on the cluster that `reprise up` makes
	@$(BIN)/reprise up
	@$(BIN)/python -m pytest $(LIVE)

check: $(STAMP) ## format, lint, types, layers
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

format: $(STAMP) ## rewrite the source as `check` wants it
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

SECONDS ?= 60
fuzz: $(STAMP) ## fuzz the gateway for SECONDS a target (60), or one TARGET alone
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[fuzz]'
	@$(BIN)/python -m tests.fuzz $(TARGET) --seconds $(SECONDS)

bench: $(STAMP) ## the figures of docs/benchmarks.md, on this machine
	@$(BIN)/reprise up
	@$(BIN)/python -m bench $(ONLY)

up: $(STAMP) ## the cluster with everything in it
	@$(BIN)/reprise up

down: $(STAMP) ## remove all that `up` made
	@$(BIN)/reprise down

clean: ## remove what make made in this folder
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis build dist
