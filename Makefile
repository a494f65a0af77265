# The ways to run, check, measure and package this project; `make help` lists them.

PYTHON ?= python3
ADDRESS ?= 127.0.0.1:9877

VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check

# Each stamp is newer than the lock it was installed from.
CREATED := $(VENV)/.created
RUNTIME := $(VENV)/.runtime
DEV := $(VENV)/.dev

.DEFAULT_GOAL := help
.PHONY: help demo test lint format coverage bench soak dashboards image lock clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' Makefile

demo: $(RUNTIME) ## the simulated X API and the exporter in one process (ADDRESS=127.0.0.1:9877)
	@$(BIN)/x-analytics-exporter demo --web.listen-address=$(ADDRESS)

test: $(DEV) ## every test but the long proofs (PYTEST_ARGS="tests/test_x.py -k name")
	@.ci/install-parts
	@$(BIN)/python -m pytest -n auto --dist loadfile $(PYTEST_ARGS)

lint: $(DEV) ## style, types and the direction of imports
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo --cache-dir .cache/import-linter

format: $(DEV) ## bring the code into the style that lint asks for
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

coverage: $(DEV) ## the tests once more, with the lines and branches they leave out
	@.ci/install-parts
	@$(BIN)/python -m pytest --cov --cov-report=term $(PYTEST_ARGS)

bench: $(DEV) ## measure against the peers: one table, and build/bench.json (BENCH_ARGS=--smoke)
	@$(BIN)/python -m bench $(BENCH_ARGS)

soak: $(DEV) ## the long proofs: every test, with far more generated examples
	@.ci/install-parts
	@SOAK=1 $(BIN)/python -m pytest -m "" -n auto --dist loadfile $(PYTEST_ARGS)

dashboards: $(DEV) ## write grafana/dashboards anew from their code, and the copies of them and of the rules
	@$(BIN)/python -m grafana.generate
	@$(BIN)/python deploy/embed

image: ## build the container image (IMAGE=name:tag, ENGINE=docker, podman or buildah)
	@deploy/image/build.sh

lock: ## work the locks out anew from pyproject.toml (UPGRADE=1 takes newer releases)
	@.ci/lock

# state/ is left alone: it may hold tokens that cannot be had again.
clean: ## remove what these targets made
	rm -rf $(VENV) .cache .hypothesis build dist
	find exporter tests bench -name __pycache__ -type d -prune -exec rm -rf {} +

$(CREATED):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "error: $(PYTHON) is missing or older than Python 3.11; try: make PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "error: $(PYTHON) cannot make a virtual environment; on Debian: apt-get install python3-venv" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(RUNTIME): $(CREATED) requirements.txt requirements-build.txt pyproject.toml exporter/__init__.py
	@echo "installing the exporter into $(VENV)"
	@$(PIP_INSTALL) --require-hashes -r requirements-build.txt -r requirements.txt
	@$(PIP_INSTALL) --no-build-isolation --no-index --no-deps --editable .
	@touch $@

$(DEV): $(RUNTIME) requirements-dev.txt
	@echo "installing what lint and test need into $(VENV)"
	@$(PIP_INSTALL) --require-hashes -r requirements-dev.txt
	@touch $@
