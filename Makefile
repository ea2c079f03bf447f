# `make` lists the commands. They need Python 3.11 or newer; everything else is installed into .venv.

VENV ?= .venv
PY := $(VENV)/bin/python
NODE := $(VENV)/bin/node
# An interrupted `venv` leaves a python without pip; ensurepip brings it back.
PIP = { $(PY) -m pip --version >/dev/null 2>&1 || $(PY) -m ensurepip; } && $(PY) -m pip --disable-pip-version-check
# What the first run would otherwise wait for; a failure shows there.
COMPILE = echo 'Compiling the engine for this processor: half a minute.'; $(PY) -m rbm_core.training.compiled || true
# PYTHON=/path/to/python3.12 chooses another interpreter for a new .venv.
PYTHON ?= $(shell for p in python3 python3.11 python3.12 python3.13 python3.14; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && command -v "$$p" && break; done)

.PHONY: help run test test-fast soak check bench docs hooks setup setup-dev browser
.DEFAULT_GOAL := help

help:
	@echo 'make run        start the app (ARGS="--server.port 8502" is passed to streamlit)'
	@echo 'make test       run all tests (ARGS="-k gibbs" is passed to pytest)'
	@echo 'make test-fast  run the tests that need no browser and are not marked slow'
	@echo 'make soak       throw thousands of damages at every door of the app, then watch it live: an hour'
	@echo 'make check      lint, format and types, of Python and of JavaScript'
	@echo 'make bench      time an update beside other packages'
	@echo 'make docs       write texts and public docstrings as pages with a search (build/docs)'
	@echo 'make hooks      check each commit before it is made (.pre-commit-config.yaml)'

run: setup
	@$(PY) -m streamlit run dashboard/app.py $(ARGS)

# Two processes take whole files in turn, in the order of collection (the browser's last); ARGS="-n 0" runs one.
test: setup-dev browser
	@$(PY) -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

test-fast: setup-dev
	@$(PY) -m pytest -m 'not browser and not slow' $(ARGS)

soak: setup-dev browser
	@RBM_SOAK=1 $(PY) -m pytest -n 2 --dist loadfile --no-loadscope-reorder tests/robustness $(ARGS)
	@$(PY) -m tests.benchmarks.classroom 8 1800 3

check: setup-dev node_modules/.installed
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy rbm_core dashboard
	@$(NODE) node_modules/@biomejs/biome/bin/biome check
	@$(NODE) node_modules/typescript/bin/tsc --project .

bench: setup-dev
	@$(PY) -m tests.benchmarks $(ARGS)

docs: setup-dev
	@$(PY) docs/build.py

hooks: setup-dev node_modules/.installed
	@$(PY) -m pre_commit install

setup: $(VENV)/.installed
setup-dev: $(VENV)/.installed-dev

# The stamps are younger than the requirements they answer to, so a second `make` installs nothing.
# Running pip in a .venv made by hand only adds what is missing.
$(VENV)/.installed: requirements.txt | $(PY)
	@echo 'Installing requirements.txt into $(VENV): minutes and several GB the first time.'
	@$(PIP) install -r requirements.txt
	@$(COMPILE)
	@touch $@

$(VENV)/.installed-dev: requirements.txt requirements-dev.txt | $(PY)
	@echo 'Installing requirements-dev.txt into $(VENV): minutes and several GB the first time.'
	@$(PIP) install -r requirements-dev.txt
	@touch $(VENV)/.installed $@

# Node comes with requirements-dev.txt; what checks the JavaScript is locked in package-lock.json.
node_modules/.installed: package.json package-lock.json | $(VENV)/.installed-dev
	@$(VENV)/bin/npm ci --no-fund --no-audit --ignore-scripts
	@touch $@

$(PY):
	@test -n "$(PYTHON)" || { echo 'RBM Observatory needs Python 3.11 or newer, and found none on PATH: install one, or run make PYTHON=/path/to/python3.' >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { echo '$(PYTHON) cannot make virtual environments: install its venv package (on Debian and Ubuntu: apt-get install python3-venv).' >&2; exit 1; }
	@echo 'Making $(VENV) with $(PYTHON).'
	@"$(PYTHON)" -m venv $(VENV) || { rm -f $@; exit 1; }

# The browser tests drive Debian's chromium. Without it they are skipped, and the summary says so.
browser:
	@for b in chromium chromium-browser google-chrome; do command -v $$b >/dev/null && exit 0; done; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo 'Installing chromium for the browser tests.'; \
		{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium >/dev/null; } \
			|| echo 'chromium could not be installed: the browser tests will be skipped.'; \
	else \
		echo 'chromium is not installed: the browser tests will be skipped (on Debian: apt-get install chromium).'; \
	fi
