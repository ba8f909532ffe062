# `make demo` and `make test` are all a newcomer needs; both set everything up. `make help` lists the rest.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
APP ?= examples/orders
BUILDER ?= docker
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
IMAGE ?= penstock:$(VERSION)

.DEFAULT_GOAL := help
.PHONY: help setup demo test unit check chart chart-full image format docs bench chaos lock clean

help: ## list what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort -t : -k 1,1 | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: $(READY) ## make .venv and install what requirements.lock pins

# pip installs uv alone (its pinned lines are cut out of the lock), uv installs the rest in seconds.
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Penstock needs Python 3.11 or newer, this is " + sys.version.split()[0] + "; name another with: make PYTHON=python3.12 ...")'
	@echo "setting up $(VENV) (once, and again when requirements.lock changes)"
	@$(PYTHON) -m venv --clear $(VENV)
	@awk '/^[a-z0-9]/ {take = /^uv==/} take' requirements.lock > $(VENV)/uv.lock.txt
	@$(BIN)/python -m pip --disable-pip-version-check install --quiet --require-hashes -r $(VENV)/uv.lock.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

demo: $(READY) ## run the main job on the embedded Kafka and function host, then say what happened
	@$(BIN)/penstock dev --app $(APP) --records 10000

test: $(READY) ## every tier of tests but the chart's
	@$(BIN)/python -m pytest -q -n 4 --dist load --maxschedchunk 1 --ignore tests/chart

unit: $(READY) ## the tests that need no network and no broker (under a minute)
	@$(BIN)/python -m pytest -q tests/unit tests/property tests/arch -m "not kafka"

check: $(READY) ## format, lint, types, layers, sizes
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/python -m pytest -q tests/arch

# The tools are made once (some 3 minutes) and kept below ~/.cache/penstock: helm/tools says what they are.
chart: $(READY) ## the Helm chart: lint, templates, schemas, unit tests, alerts, dashboards
	@$(BIN)/python -m tests.chart.toolchain
	@$(BIN)/python -m pytest -q tests/chart -n 2

# Some minutes, and the first time a quarter of an hour for the programs. OCI=folder runs the image too: docs/image.md.
chart-full: $(READY) ## the chart on a real API server by Helm 3 and 4, from install to uninstall; OCI=folder: the image
	@$(BIN)/python -m tests.chart.full cluster --log benchmarks/results/chart-cluster.txt
	@test -z "$(OCI)" || $(BIN)/python -m tests.chart.full image --image "$(OCI)" --log benchmarks/results/chart-image.txt

# BUILDER=podman and BUILDER=buildah build it too; IMAGE_ARGS passes on what the build needs here (docs/image.md).
image: ## build the image: IMAGE=penstock:0.1.0 BUILDER=docker
	@$(BUILDER) build -t $(IMAGE) --build-arg VERSION=$(VERSION) --build-arg REVISION=$$(git rev-parse HEAD) \
	  --build-arg CREATED=$$(git log -1 --format=%cI) $(IMAGE_ARGS) .

format: $(READY) ## let ruff rewrite what it can
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

# Into a file beside it first: a page is never left half printed.
docs: $(READY) ## print the pages again that are made of tables: docs/metrics.md, docs/language.md, docs/errors.md, the chart's
	@for page in metrics:workers.metrics language:workers.pipeline.reference; do \
	  $(BIN)/python -m $${page#*:} > docs/$${page%%:*}.new && mv docs/$${page%%:*}.new docs/$${page%%:*}.md || exit 1; done
	@$(BIN)/penstock explain-error --list --markdown > docs/errors.new && mv docs/errors.new docs/errors.md
	@$(BIN)/python -m tests.chart.chart_readme

bench: $(READY) ## measure against the peers; writes benchmarks/results
	@$(BIN)/python -m benchmarks

# About half an hour: 7 runs of 100,000 records, then 10 minutes of memory. CHAOS="--records 10000 --kills 2" for less.
chaos: $(READY) ## kill workers and brokers under load, stall a function; judge every record and the memory
	@$(BIN)/python -m tests.chaos --all $(CHAOS)
	@$(BIN)/python -m tests.chaos.memory $(MEMORY)

lock: $(READY) ## pin again what pyproject.toml names
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  --all-extras pyproject.toml -o requirements.lock
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  -c requirements.lock pyproject.toml -o image/requirements.lock
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  -c requirements.lock image/build.in -o image/build.lock
	@for tool in validate go; do $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-header helm/tools/$$tool/requirements.in -o helm/tools/$$tool/requirements.lock || exit 1; done

clean: ## remove .venv and the data of the embedded Kafka
	@rm -rf $(VENV) .penstock .mypy_cache .ruff_cache .pytest_cache .hypothesis
