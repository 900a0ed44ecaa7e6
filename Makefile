# Gazelle's commands. Each makes what it needs in .venv the first time and installs nothing again until pyproject.toml or constraints.txt changes.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt
WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help demo test lint format hooks bench clean

help:  ## show this list
	@grep -hE '^[a-z]+:.*##' Makefile | awk -F ':.*## ' '{ printf "make %-8s %s\n", $$1, $$2 }'

demo: .venv/ready-run  ## train a network on the digits and make its report (two minutes the first time)
	@$(BIN)/gazelle train digits

test: .venv/ready-test  ## run the tests
	@$(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile

lint: .venv/ready-dev  ## check style, types and the imports between rooms
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/pyright --pythonpath $(BIN)/python
	@$(BIN)/lint-imports

format: .venv/ready-dev  ## put the code into shape
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

hooks: .venv/ready-dev  ## run the checks of `make lint` before each commit
	@$(BIN)/pre-commit install

bench: .venv-bench/ready  ## time Gazelle and its peers and write docs/benchmarks.md (25 minutes; nothing else should run)
	@.venv-bench/bin/python benchmarks/bench.py --docs docs

clean:  ## remove environments and caches
	rm -rf .venv .venv-bench build dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("Gazelle needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Name one: make PYTHON=python3.11" if sys.version_info < (3, 11) else 0)'
	@echo "making .venv"
	@$(PYTHON) -m venv .venv

.venv/ready-run: pyproject.toml constraints.txt | .venv/bin/python
	@echo "installing gazelle into .venv"
	@$(PIP) --editable .
	@touch $@

.venv/ready-test: pyproject.toml constraints.txt | .venv/bin/python
	@echo "installing gazelle and what its tests need into .venv"
	@$(PIP) --editable '.[test]'
	@touch $@ .venv/ready-run

.venv/ready-dev: pyproject.toml constraints.txt | .venv/bin/python
	@echo "installing gazelle and the developers' tools into .venv"
	@$(PIP) --editable '.[dev]'
	@touch $@ .venv/ready-run .venv/ready-test

.venv-bench/ready: pyproject.toml benchmarks/requirements.txt benchmarks/nightly.txt
	@echo "installing gazelle and its peers into .venv-bench"
	@$(PYTHON) -m venv .venv-bench
	@.venv-bench/bin/python -m pip --disable-pip-version-check install --quiet --requirement benchmarks/requirements.txt
	@rm -rf .venv-bench/keras-nightly
	@.venv-bench/bin/python -m pip --disable-pip-version-check install --quiet --no-deps --target .venv-bench/keras-nightly \
		--requirement benchmarks/nightly.txt || echo "Keras's nightly cannot be installed: the benchmark goes on without it"
	@touch $@
