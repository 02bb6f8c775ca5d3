# Everything runs in .venv; nothing outside this folder is changed except the user's data and cache folders.
PYTHON ?= python3
VENV ?= .venv
BENCH_VENV ?= .venv-bench
RAY_VENV ?= .venv-ray
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: demo test test-slow test-ray oracles lint types contract docs check bench performance reliability mutations screenshots clean

demo: $(VENV)/.run  ## score, compare with labels and gate sample dialogues with the local judge
	@$(BIN)/evalharness demo --out reports/demo

test: $(VENV)/.dev  ## the test suite without the slow part
	-@$(BIN)/evalharness judges install smollm2 --quiet
	$(BIN)/python -m pytest -q -n 2 --dist loadfile

test-slow: $(VENV)/.dev  ## everything, the slow part included
	$(BIN)/python -m pytest -q -n 2 --dist loadfile -m "not ray"

test-ray: $(RAY_VENV)/.dev  ## the tests that start a local Ray cluster, with Ray in an environment of its own
	$(RAY_VENV)/bin/python -m pytest -q -n 0 -m ray tests/scaling

oracles: $(VENV)/.dev  ## the statistics against every other package, ppi-python (with numba, 200 MB) included
	$(PIP) install -q --use-pep517 -e ".[dev,oracles]"
	$(BIN)/python -m pytest -q -n 2 --dist loadfile tests/stats

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

contract: $(VENV)/.dev  ## who may import whom
	$(BIN)/lint-imports

docs: $(VENV)/.dev  ## the pages say what the program does
	$(BIN)/python -m pytest -q tests/docs

check: test lint types contract docs

bench: $(VENV)/.dev  ## speed, as ratios in one run
	$(BIN)/python bench/metrics.py
	$(BIN)/python bench/reading.py

performance: $(BENCH_VENV)/.run  ## the speed table: ratios against bare loops in one run, about five minutes
	$(BENCH_VENV)/bin/python bench/performance.py $(PERFORMANCE)

reliability: $(VENV)/.dev  ## kills, faults and damages at full counts: about ten minutes
	$(BIN)/python bench/reliability.py

mutations: $(VENV)/.dev  ## turn each defence off and see its tests fail: about ten minutes
	$(BIN)/python bench/mutations.py

screenshots: $(VENV)/.dev  ## the pictures of README and docs
	$(BIN)/python docs/make_screenshots.py

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed: make PYTHON=python3.12 …"; exit 2; }
	@$(PYTHON) -m venv $(VENV) || { echo "python3 -m venv failed; on Debian: apt-get install python3-venv"; exit 2; }

$(VENV)/.run: $(VENV)/bin/python pyproject.toml
	$(PIP) install -q --use-pep517 -e ".[local]"
	@touch $@

$(BENCH_VENV)/.run: pyproject.toml
	@$(PYTHON) -m venv $(BENCH_VENV)
	$(BENCH_VENV)/bin/python -m pip --disable-pip-version-check install -q -e ".[fast]"
	@touch $@

$(RAY_VENV)/.dev: pyproject.toml
	@$(PYTHON) -m venv $(RAY_VENV)
	$(RAY_VENV)/bin/python -m pip --disable-pip-version-check install -q -e ".[dev,ray]"
	@touch $@

$(VENV)/.dev: $(VENV)/bin/python pyproject.toml
	$(PIP) install -q --use-pep517 -e ".[dev]"
	@touch $@ $(VENV)/.run

clean:
	rm -rf $(VENV) $(BENCH_VENV) $(RAY_VENV) reports/demo .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
