# The only entry point: `make help` lists the targets. Arguments go through: make demo ARGS="--nodes 4 --keep".

BIN := .venv/bin
PYTHON := $(BIN)/python
# What is tested to the last branch: bytes from outside, what lies on disk, who somebody is, who may join.
GATED := enigma_fed.wire,enigma_fed.storage,enigma_fed.identity,enigma_fed.federation.rules
# A .venv that uv made has no pip of its own.
PIP = $$(if $(PYTHON) -c 'import pip' 2>/dev/null; then echo $(PYTHON) -m pip install; else echo uv pip install --python $(PYTHON); fi)
SOAK_RUNS ?= 20
# Containers like to forbid byte code; then each of the hundreds of processes that tests start compiles everything anew.
export PYTHONDONTWRITEBYTECODE :=
# The public index, whatever this machine is set up with: lock files carry no private addresses.
UV_LOCK := uv lock --no-config --default-index https://pypi.org/simple
UV_EXPORT := uv export --no-config --frozen --no-emit-project --no-header --no-annotate --quiet

.DEFAULT_GOAL := help
.PHONY: help setup run demo test check bench mutants soak docs lock clean

help: ## list the targets
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-8s  %s\n", $$1, $$2 }'

setup: ## install everything into .venv (Debian packages too, where they are missing); quick when nothing changed
	@.ci/setup

run: setup ## run an agent with data/local as its data folder
	@$(BIN)/enigma-fed --data-dir data/local run $(ARGS)

demo: setup ## three homes find each other on a private Tor network, on this machine alone
	@$(BIN)/enigma-fed demo $(ARGS)

check: setup ## format, lint, strict types, layers, docs
	@$(MAKE) --no-print-directory .lint
	@$(PYTHON) -m pytest -q tests/architecture tests/docs tests/cli/test_references.py

test: setup ## all checks and all tests; the ones with real tor come last
	@$(MAKE) --no-print-directory .lint
ifeq ($(strip $(ARGS)),)
	@$(PYTHON) -m coverage run --source=$(GATED) -m pytest
	@$(PYTHON) -m coverage report --show-missing --skip-covered --fail-under=100 || { \
		echo "make test: every branch of $(GATED) needs a test (docs/CONTRIBUTING.md)" >&2; exit 1; }
else
	@$(PYTHON) -m pytest $(ARGS)
	@echo "make test: branch coverage was not looked at: that takes the whole suite (no ARGS)"
endif

.PHONY: .lint
.lint:
	@$(BIN)/ruff format --check --quiet . || { echo "Not formatted: run .venv/bin/ruff format ." >&2; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy

bench: setup ## ratios against floors measured in the same run (docs/BENCHMARKS.md)
	@$(PYTHON) -m benchmarks $(ARGS)

mutants: setup ## take out each security guard in a copy; its test must fail
	@$(PYTHON) -m tests.mutants.run $(ARGS)

# The fuzzer has a wheel for Python 3.11 on x86-64 only; without it its test says so.
.PHONY: .fuzzer
.fuzzer: setup
	@$(PYTHON) -c 'import atheris' 2>/dev/null || $(PIP) --quiet --require-hashes --only-binary :all: -r requirements-fuzz.txt

soak: setup .fuzzer ## the long ones: tests/soak/ (ARGS chooses), then the demo 20 times, until one fails
	@$(PYTHON) -m pytest --soak -s tests/soak $(ARGS)
	@for run in $$(seq 1 $(SOAK_RUNS)); do \
		begun=$$(date +%s); \
		$(BIN)/enigma-fed demo || { echo "soak: demo $$run of $(SOAK_RUNS) failed after $$(($$(date +%s) - begun)) s" >&2; exit 1; }; \
		echo "soak: demo $$run of $(SOAK_RUNS) took $$(($$(date +%s) - begun)) s"; \
	done

docs: setup ## write docs/CLI.md, docs/CONFIG.md, docs/METRICS.md and docs/LIMITS.md again
	@$(PYTHON) -m enigma_fed.cli.reference
	@$(PYTHON) -m tests.limits.page

lock: ## newest allowed versions into uv.lock and requirements*.txt (needs uv; releases younger than a week wait)
	@$(UV_LOCK) --upgrade --exclude-newer "$$(date -u -d '7 days ago' +%Y-%m-%dT00:00:00Z)"
	@$(UV_EXPORT) --no-dev --extra speed --output-file requirements.txt
	@$(UV_EXPORT) --only-group dev --output-file requirements-dev.txt
	@$(UV_EXPORT) --only-group build --output-file requirements-build.txt
	@$(UV_EXPORT) --only-group fuzz --output-file requirements-fuzz.txt

clean: ## remove what `make` made (data/local stays)
	@rm -rf .venv dist build .coverage .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -path ./data/local -prune -o -name __pycache__ -type d -exec rm -rf {} +
