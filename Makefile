# Every target sets itself up: it needs Python 3.11 or newer, make and a package registry.
.DEFAULT_GOAL := help
SHELL := /bin/sh
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.from-lock
# Page tests are a run of their own: the browser's driver keeps an event loop running in its process, and no
# other test could run one beside it.
PYTEST := $(BIN)/python -m pytest --numprocesses 2 --dist worksteal

.PHONY: help pictures run test test-long faults check bench soak lock venv chromium

help:
	@echo "make run        the whole console on this machine, in demo mode"
	@echo "make test       every test        make test-long  their long form too"
	@echo "make check      lint, types, imports"
	@echo "make faults     what machines do to it, to whole processes under load"
	@echo "make bench      figures, into docs/benchmarks.md"
	@echo "make soak       half an hour of steady load, the same"
	@echo "make pictures   of every page, into var/pictures and docs/pictures"
	@echo "make lock       new pins          make venv       .venv from requirements.lock"

run: venv
	@echo "Starting Waypost in demo mode. The address and the sign-in follow in a few seconds."
	@exec $(BIN)/python main.py serve --demo

test: venv chromium
	$(PYTEST) --ignore tests/pages -m "not long"
	$(PYTEST) tests/pages -m "not long"

test-long: venv chromium
	$(PYTEST) --ignore tests/pages
	$(PYTEST) tests/pages

# Some need nginx and libfaketime, and one a machine that lets root mount a disk; what is missing is skipped and said.
faults: venv
	@if [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null && ! { command -v nginx && command -v faketime; } > /dev/null; then \
		echo "Installing nginx and libfaketime for the fault tests."; \
		apt-get update -qq > /dev/null && apt-get install -y -qq --no-install-recommends nginx-light faketime > /dev/null; \
	fi
	$(PYTEST) tests/crash

check: venv
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

# BENCH=--quick measures less of everything; BENCH=--ten-million over so many rows too.
bench: venv
	PYTHONPATH=. $(BIN)/python tests/bench/run.py $(BENCH)

# MINUTES=2 is a short one.
soak: venv
	PYTHONPATH=. $(BIN)/python tests/bench/soak.py $(MINUTES)

# Where something is wrong with a page, a picture of it shows; those in docs/ are made here too.
pictures: venv chromium
	$(BIN)/python tests/pictures.py

# Hashes, and no addresses: the lock says what to install, not where from.
lock: venv
	$(BIN)/pip-compile --quiet --upgrade --generate-hashes --strip-extras --allow-unsafe \
		--no-emit-index-url --no-emit-find-links --no-emit-trusted-host \
		--output-file requirements.lock requirements.in

venv: $(STAMP)

$(STAMP): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Waypost needs Python 3.11 or newer; this is $$($(PYTHON) --version). Set PYTHON=/path/to/one."; exit 1; }
	@echo "Setting up .venv from requirements.lock, once."
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

# The page tests drive a real browser: one that is installed, else the distribution's.
chromium:
	@sh tests/pages/find_chromium.sh > /dev/null 2>&1 || { \
		if [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null; then \
			echo "Installing Chromium for the page tests."; \
			apt-get update -qq > /dev/null && apt-get install -y -qq --no-install-recommends chromium > /dev/null; \
		else \
			echo "The page tests need Chromium: install your distribution's package, or set WAYPOST_CHROMIUM to its path."; \
			exit 1; \
		fi; }
