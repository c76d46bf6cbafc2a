# The front door of Tailrace. `make` alone prints the menu.

VENV := .venv
BIN := $(VENV)/bin
PACKAGES := schemas cdc producers consumers infra

# `python3` may be an old one (macOS) while a newer one is at hand under its full name
RECENT := import sys; sys.exit(sys.version_info < (3, 11))
ifndef PYTHON
PYTHON = $(shell for name in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$name" -c '$(RECENT)' 2>/dev/null && echo "$$name" && exit; done; echo python3)
endif

# A stack is some twenty programs of Python, and tests are a thousand files: nobody is to compile them each time.
unexport PYTHONDONTWRITEBYTECODE

# make ... STACK=containers is about the stack in containers
ifdef STACK
export TAILRACE_STACK := $(STACK)
endif

.DEFAULT_GOAL := help
.PHONY: help up down reset status logs doctor lag parked demo replay test test-unit test-containers bench bench-guard chaos lint typecheck lock generate \
	schema-check schema-publish connector install clean

help: ## This menu
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

up: install ## Start everything: Postgres, Kafka, Connect, the registry, services and workers (PUBLISHER=relay: no Connect; PROFILE=cluster: three brokers, two workers; TRACES=1: with Zipkin; JVM_METRICS=1: with those of Kafka's and Connect's JVMs; STACK=containers: with Docker)
	@$(if $(PUBLISHER),TAILRACE_PUBLISHER="$$PUBLISHER" )$(if $(PROFILE),TAILRACE_PROFILE="$$PROFILE" )$(if $(TRACES),TAILRACE_TRACES="$(if $(filter 1,$(TRACES)),zipkin,$$TRACES)" )$(if $(JVM_METRICS),TAILRACE_JVM_METRICS="$(if $(filter 1,$(JVM_METRICS)),on,$$JVM_METRICS)" )$(BIN)/tailrace up

down: install ## Stop everything; the data stay
	@$(BIN)/tailrace down

reset: install ## Stop everything and delete the data, after asking
	@$(BIN)/tailrace reset

status: install ## What runs where: state, pid, url, memory
	@$(BIN)/tailrace status

logs: install ## The log of a part: make logs SERVICE=connect (FOLLOW=1 goes on)
	@$(if $(SERVICE),,echo "Say whose log: make logs SERVICE=connect" >&2; exit 2)
	@$(BIN)/tailrace logs "$$SERVICE" $(if $(FOLLOW),--follow)

doctor: install ## Check everything; say what is wrong and how to mend it
	@$(BIN)/tailrace doctor

lag: install ## How far each consumer is behind
	@$(BIN)/tailrace lag

parked: install ## What no consumer could digest, and why
	@$(BIN)/tailrace parked list

demo: install ## Send orders and follow them: make demo ORDERS=200, or FILE=orders.csv MAP=...
	@$(BIN)/tailrace demo $(if $(ORDERS),--orders "$$ORDERS") $(if $(FILE),--file "$$FILE",--fulfilment both) $(if $(MAP),--map "$$MAP")

replay: install ## Try handlers on past messages: make replay TOPIC=order.events FROM=2026-11-23T10:00 CONSUMER=analytics
	@$(if $(CONSUMER),,echo "Say whose handlers: make replay TOPIC=order.events FROM=2026-11-23T10:00 CONSUMER=analytics" >&2; exit 2)
	@$(BIN)/tailrace replay $(if $(TOPIC),--topic "$$TOPIC") $(if $(FROM),--from "$$FROM") $(if $(TO),--to "$$TO") \
		--consumer "$$CONSUMER" $(ARGS)

test: install ## All tests, side by side on as many stacks of their own as fit (STACKS=1: on one, in less memory)
	@$(BIN)/pytest --numprocesses $(or $(STACKS),auto) --dist loadfile --no-loadscope-reorder

test-unit: install ## The tests that need nothing started, with fewer random examples than `make test`
	@$(BIN)/pytest --numprocesses auto --dist worksteal --hypothesis-profile quick tests/unit tests/contract

test-containers: install ## The tests of the stack in containers; they need Docker, or root on Debian
	@$(BIN)/pytest --durations 12 tests/containers

bench: install ## Measure, on a stack of its own: make bench BENCH=consumer (ARGS=--help tells more)
	@$(BIN)/python -m tests.bench $(if $(BENCH),"$(BENCH)") $(if $(FORM),--form "$(FORM)") $(ARGS)

bench-guard: install ## Measure in short forms, and fail if a ratio is 15 % worse than recorded: make bench-guard BENCH=e2e
	@$(BIN)/python -m tests.bench.guard $(if $(BENCH),"$(BENCH)") $(ARGS)

chaos: install ## Kill, freeze and restart parts under load, on a stack of its own: make chaos SEED=7 FAULTS=40 (PROFILE=cluster: lose them for good)
	@$(BIN)/python -m tests.faults $(if $(SEED),--seed "$(SEED)") $(if $(FAULTS),--faults "$(FAULTS)") \
		$(if $(PUBLISHER),--publisher "$(PUBLISHER)") $(if $(PROFILE),--profile "$(PROFILE)") $(ARGS)

lint: install ## Style, and who may import whom
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-logo

typecheck: install ## Types, strictly
	@$(BIN)/mypy

generate: install ## Make classes, OpenAPI, AsyncAPI and catalogue pages from the contracts
	@$(BIN)/python -m infra.generate

schema-check: install ## Refuse contract changes that break somebody: make schema-check AGAINST=git:v1.2
	@$(BIN)/tailrace schema check $(if $(AGAINST),--against "$$AGAINST")

schema-publish: install ## Publish the schemas to the registry
	@$(BIN)/tailrace schema publish

connector: install ## Apply the connector's configuration
	@$(BIN)/tailrace connector apply

COMPILE := build/lock/bin/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --quiet

lock: install ## Resolve the dependencies anew into requirements.lock, and those of our image and of benchmarks into their own
	@$(PYTHON) -m venv --clear build/lock
	@build/lock/bin/pip install --quiet uv
	@$(COMPILE) pyproject.toml --all-extras --output-file requirements.lock
	@$(COMPILE) pyproject.toml infra/compose/build.in --constraint requirements.lock --output-file infra/compose/requirements.lock
	@$(COMPILE) tests/bench/sagas/dbos.in --output-file tests/bench/sagas/dbos.lock
	@$(COMPILE) tests/bench/e2e/with_faststream/libraries.in --output-file tests/bench/e2e/with_faststream/libraries.lock

clean: ## Stop everything and remove what was installed or built; the data stay
	@if [ -e $(VENV)/.installed ]; then $(BIN)/tailrace down; fi
	@rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find $(PACKAGES) tests -name __pycache__ -type d -prune -exec rm -rf {} +

install: $(VENV)/.installed

# The two files are made last: an install that was interrupted is begun again.
$(VENV)/.installed: $(VENV)/.locked pyproject.toml
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.locked: requirements.lock
	@"$(PYTHON)" -c '$(RECENT)' 2>/dev/null || { echo "Tailrace needs Python 3.11 or newer, and" \
		"$(PYTHON) is $$("$(PYTHON)" --version 2>&1 || echo missing): run 'make PYTHON=/path/to/a/newer/python'." >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) cannot make virtual" \
		"environments: install its venv module (on Debian and Ubuntu the package python3-venv)." >&2; exit 1; }
	@if [ -e $(VENV)/.installed ]; then echo "The dependencies have changed."; $(BIN)/tailrace down; fi
	@echo "Installing into $(VENV), once ..."
	@rm -f $@ $(VENV)/.installed
	@"$(PYTHON)" -m venv --clear $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock || { \
		echo "The packages could not be installed; the reason stands above. Run make again: it goes on." >&2; exit 1; }
	@touch $@
