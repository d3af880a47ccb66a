# Two commands do everything on a fresh Debian 12 machine, as root: `make drill` and `make test`.
# Each installs what is missing first; nothing is installed twice.

PYTHON ?= /usr/bin/python3
VENV := .venv
BIN := $(VENV)/bin
# The programs Vigie drives, and those its tests meet for real.
RUN_PACKAGES := python3-venv restic
TEST_PACKAGES := rclone borgbackup gnupg zip sqlite3 chromium samba smbclient nftables iproute2 procps
# One process a core; a file's tests stay together, so that what they share is made once (docs/decisions/0013).
SIDE_BY_SIDE := -m "not alone" --numprocesses auto --dist loadfile

.PHONY: help drill test check fuzz docs install install-dev clean

help: ## Say what there is to make
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

drill: install ## Install what is missing, then rehearse the whole chain on an invented practice
	$(BIN)/vigie drill --report drill-report.html

test: install-dev ## Install what is missing, then run the tests
	$(BIN)/python -m pytest -q $(SIDE_BY_SIDE)
	$(BIN)/python -m pytest -q -m alone

check: install-dev ## The full gate: ruff, mypy, import contracts, documents, tests with coverage
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python docs/generate.py --check
	$(BIN)/python -m pytest -q $(SIDE_BY_SIDE) --cov --cov-report= --cov-fail-under=0
	$(BIN)/python -m pytest -q -m alone --cov --cov-append --cov-report=term:skip-covered

install: $(VENV)/.run ## Debian packages and locked Python packages that running needs

install-dev: $(VENV)/.dev ## The same, and what the tests need

fuzz: install-dev $(VENV)/.fuzz ## Coverage-guided fuzzing of every format, SECONDS (20) each; findings go to tests/fuzz/found
	$(BIN)/python tests/fuzz/run.py --seconds $(or $(SECONDS),20) $(FORMATS)

docs: install-dev ## Write the generated parts of docs/ again
	$(BIN)/python docs/generate.py

$(VENV)/.run: locks/run.lock pyproject.toml
	@sh .ci/packages $(RUN_PACKAGES)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r locks/run.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.run locks/dev.lock
	@sh .ci/packages $(TEST_PACKAGES)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r locks/dev.lock
	@touch $@

$(VENV)/.fuzz: $(VENV)/.dev locks/fuzz.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r locks/fuzz.lock
	@touch $@

clean: ## Remove what was installed and made here
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage* drill-report.html
