# `make demo` and `make test` do all the set-up that they need, each from nothing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q

.PHONY: help demo test slow clients check format bench reference clean

help:
	@echo "make demo       show the whole loop: capture, recall, analyse, explain (about a minute)"
	@echo "make test       the fast tests"
	@echo "make slow       the slow tests: hundreds of kills, large files"
	@echo "make clients    other languages' clients of PostgreSQL, installed as far as they can be (ALL=1: all)"
	@echo "make check      format, lint, types, import contracts"
	@echo "make bench      every figure of the README, measured here (QUICK=1 for a short run)"
	@echo "make reference  write the README's function reference anew from the code"
	@echo "make clean      remove what these commands made"

$(VENV)/ready: pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing sqlagent into $(VENV) …"
	@$(PIP) install -e .
	@touch $@

$(VENV)/dev: $(VENV)/ready
	@echo "installing the test tools …"
	@$(PIP) install -e ".[dev]"
	@touch $@

demo: $(VENV)/ready
	@$(BIN)/sqlagent demo

test: $(VENV)/dev
	@$(BIN)/python -m pytest -m "not slow" -n 2 --dist loadfile

slow: $(VENV)/dev
	@$(BIN)/python -m pytest -m slow -n 2 --dist loadfile

clients: $(VENV)/dev
	@PATH="$(CURDIR)/$(BIN):$$PATH" tests/clients/install.sh $(VENV)/clients $(if $(ALL),--all)
	@. $(VENV)/clients/variables && $(BIN)/python -m pytest tests/clients -rs

check: $(VENV)/dev
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(VENV)/dev
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: $(VENV)/dev
	@$(BIN)/python -m benchmarks $(if $(QUICK),--quick)

reference: $(VENV)/dev
	@$(BIN)/python -m sqlagent.reference README.md

clean:
	rm -rf $(VENV) build dist *.egg-info demo .pytest_cache .mypy_cache .ruff_cache .hypothesis
