# Everything here sets up what it needs in .venv, on a machine that has only Python 3.11 (or newer) and make.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: demo test prove-ci prove prove-mutants check format lock picture bench-emulator bench-client bench-tokens clean

demo: .venv/run.ready          ## a guided tour in the terminal: no account, no key
	@$(BIN)/rc-mcp demo

test: .venv/dev.ready          ## all tests
	@$(BIN)/python -m pytest -q -n 2

prove-ci: .venv/dev.ready      ## the guard's proof as CI has it: 2,000 examples of 50 steps, always the same
	@$(BIN)/python -m tests.proof.prove --examples 2000 --seed 1

prove: .venv/dev.ready         ## the same with 20,000 examples, others each time: an hour and more
	@$(BIN)/python -m tests.proof.prove --examples 20000

prove-mutants: .venv/dev.ready  ## faults put into the guard on purpose, each of which the proof has to find
	@$(BIN)/python -m tests.proof.mutants

check: .venv/dev.ready         ## lint, format, types, import rule
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/basedpyright
	$(BIN)/lint-imports

format: .venv/dev.ready
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

lock: .venv/dev.ready          ## renew the lock files from pyproject.toml
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --no-annotate pyproject.toml --group build -o requirements.lock
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --no-annotate pyproject.toml --group dev -c requirements.lock -o requirements-dev.lock

picture: .venv/run.ready       ## renew docs/demo.svg, the README's picture, from a real run of the demo
	@$(BIN)/python docs/picture.py

bench-emulator: .venv/run.ready  ## how quick the emulator is, and how it bears load: two minutes
	@$(BIN)/python bench/emulator.py

bench-client: .venv/dev.ready    ## our client beside RingCentral's own Python package: three minutes
	@$(BIN)/python -m bench.client

bench-tokens: .venv/dev.ready    ## what our tools and answers cost a model, beside others: a minute
	@$(BIN)/python -m bench.tokens

clean:
	rm -rf .venv build dist .pytest_cache .ruff_cache .hypothesis .interop

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "rc-mcp needs Python 3.11 or newer; set PYTHON=")'
	@$(PYTHON) -m venv .venv

# What builds the editable install is in the lock too, so that nothing unpinned is fetched.
.venv/run.ready: requirements.lock pyproject.toml | .venv/bin/python
	@echo "Setting up .venv (once) ..."
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

.venv/dev.ready: requirements-dev.lock .venv/run.ready
	@echo "Adding what tests and checks need (once) ..."
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@touch $@
