# Needs make and a Python >= 3.11; everything else is put into .venv.

PYTHON ?= $(firstword $(shell scripts/interpreters))
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed

# Servers that other people run, for tests and for a demo that sends to them.
INSTALL_PEERS = set -e; for peer in scripts/peers/*; do PYTHON=$(BIN)/python $$peer; done

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help test demo bench check matrix docs format clean

help:
	@echo "make demo     run the example site under traffic, and look at it in the admin"
	@echo "make test     the whole suite: SQLite, PostgreSQL, real servers, a browser"
	@echo "make check    style, types, layers, migrations, docs, the wheel in a clean environment"
	@echo "make matrix   the suite on every supported Django, with the Pythons of this machine"
	@echo "make bench    what a request costs with us and without, and a look at many rules"
	@echo "make docs     the documentation, into docs/_build/html"
	@echo "make format   what ruff can put right by itself"
	@echo "ARGS='...' goes to the program that is run."

$(INSTALLED): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

test: $(INSTALLED)
	scripts/system-packages
	$(INSTALL_PEERS)
	PYTHON=$(BIN)/python scripts/suite $(ARGS)

demo: $(INSTALLED)
	$(if $(findstring --exporters,$(ARGS)),$(INSTALL_PEERS))
	$(BIN)/python -m example_project.demo $(ARGS)

# All of it also says how a look at the rules grows with rules and events, on PostgreSQL.
bench: $(INSTALLED)
	$(BIN)/python -m benchmarks $(ARGS)
	$(if $(ARGS),,$(BIN)/python -m benchmarks.growth --parts looks --databases postgresql)

check: $(INSTALLED) docs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	PATH="$(BIN):$$PATH" lint-imports setup.cfg
	DJANGO_SETTINGS_MODULE=tests.project.settings $(BIN)/python -m django makemigrations --check --dry-run
	$(BIN)/python -m pytest -q tests/test_packaging.py

# In CI a missing interpreter is a failure.
matrix: $(INSTALLED)
	scripts/system-packages
	$(INSTALL_PEERS)
	$(BIN)/tox run --skip-missing-interpreters $(if $(CI),false,true) \
		--discover $(shell scripts/interpreters) $(if $(ARGS),-- $(ARGS))

docs: $(INSTALLED)
	$(BIN)/sphinx-build -q -W --keep-going -b html docs docs/_build/html

format: $(INSTALLED)
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) .tox .peers .coverage* build dist docs/_build *.egg-info
	rm -rf .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
