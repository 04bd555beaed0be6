# make run        the dashboard, on PORT, for this machine (HOST=0.0.0.0 for others too, who may then measure nothing)
# make test       every test, the browser's too (BROWSER=no leaves those out; ARGS goes to pytest)
# make lint       ruff, mypy, who imports whom
# make messages   the text catalogs, brought up to date with the code
# make clean      everything that these made

PYTHON  ?= python3
VENV    ?= .venv
PORT    ?= 8501
HOST    ?= 127.0.0.1
BROWSER ?= yes
ARGS    ?=

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test lint messages browser clean

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

run: $(VENV)/.installed
	WALLVIZ_LOCAL_PROBE=1 $(BIN)/streamlit run app.py --server.port=$(PORT) --server.address=$(HOST)

ifeq ($(BROWSER),no)
test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -m "not browser" $(ARGS)
else
test: $(VENV)/.installed-dev browser
	$(BIN)/python -m pytest $(ARGS)
endif

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

messages: $(VENV)/.installed-dev
	$(BIN)/python tools/messages.py

clean:
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .mypy_cache .import_linter_cache

# ---------------------------------------------------------------- installed once, and again when a list changes

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "wallviz needs Python 3.11 or newer; '$(PYTHON)' is `$(PYTHON) --version 2>&1`. Name another: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "'$(PYTHON)' cannot make a virtual environment. On Debian and Ubuntu: sudo apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: requirements.txt | $(VENV)/bin/python
	$(PIP) install --quiet -r requirements.txt
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt requirements.txt pyproject.toml | $(VENV)/bin/python
	$(PIP) install --quiet -r requirements-dev.txt
	$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@ $(VENV)/.installed

# Chromium, a Chinese font, and a Vulkan driver in software: what is there is used, what is missing comes from Debian's packages.
# Where there is no apt-get and no such driver, its tests are skipped and say so.
browser:
	@found=; missing=; \
	for name in $${CHROMIUM:-chromium} chromium-browser google-chrome google-chrome-stable; do \
	  command -v "$$name" >/dev/null 2>&1 && found=yes && break; done; \
	[ -n "$$found" ] || missing=chromium; \
	if command -v fc-list >/dev/null 2>&1 && [ -n "`fc-list :lang=zh-cn family`" ]; then :; \
	elif command -v apt-get >/dev/null 2>&1; then missing="$$missing fonts-noto-cjk"; fi; \
	if [ -n "`ls /usr/share/vulkan/icd.d/lvp_icd* /etc/vulkan/icd.d/lvp_icd* 2>/dev/null`" ]; then :; \
	elif command -v apt-get >/dev/null 2>&1; then missing="$$missing mesa-vulkan-drivers"; fi; \
	[ -n "$$missing" ] || exit 0; \
	if ! command -v apt-get >/dev/null 2>&1; then \
	  echo "The browser tests need Chromium or Chrome on the PATH (CHROMIUM=/path/to/it names another). Install it, or: make test BROWSER=no" >&2; exit 1; fi; \
	if [ "`id -u`" = 0 ]; then as=; elif [ -n "$$CI" ]; then as="sudo -n"; else as=sudo; fi; \
	echo "Installing for the tests: $$missing"; \
	export DEBIAN_FRONTEND=noninteractive; \
	{ $$as apt-get update -qq && $$as apt-get install -y -qq --no-install-recommends $$missing </dev/null >/dev/null; } || { \
	  echo "Could not install $$missing with apt-get. Install it by hand, or: make test BROWSER=no" >&2; exit 1; }
