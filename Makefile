# `make demo` and `make test` set up everything they need on a machine with Python 3.11 or newer.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

# Files side by side, in the order of their folders: the slow ones of tests/cli come early.
PYTEST := $(BIN)/python -m pytest --numprocesses logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

KILLS ?= 200
FLIPS ?= 1000
TRUNCATIONS ?= 200

# What the default run leaves out: real worker processes, kills, Ray, a browser.
REAL = process or faults or ray or browser

.PHONY: demo test test-processes test-slow test-faults test-full-disk test-damage test-jax test-torch lint wheel clean

demo: $(VENV)/.installed
	$(BIN)/tuner search --space sequential --max-trials 50
	$(BIN)/tuner best --export model.keras

test: $(VENV)/.installed-dev
	$(PYTEST)

test-processes: $(VENV)/.installed-dev
	$(PYTEST) -m "($(REAL)) and not slow"

test-slow: $(VENV)/.installed-dev
	$(PYTEST) -m ""

# The tests of training and search on another backend; PyTorch is to be installed into .venv by hand.
OTHER_BACKEND = tests/training tests/statistics/test_auroc.py tests/cli/test_search.py \
	tests/cli/test_keras_tuner_code.py tests/cli/test_whole_space.py tests/cli/test_own_fit.py tests/spaces/test_own_fit.py

test-jax: $(VENV)/.installed-dev
	KERAS_BACKEND=jax $(PYTEST) $(OTHER_BACKEND)

test-torch: $(VENV)/.installed-dev
	KERAS_BACKEND=torch $(PYTEST) $(OTHER_BACKEND)

# Kills real searches at random moments and compares them with one that nobody killed; half an hour or more.
test-faults: $(VENV)/.installed-dev
	$(BIN)/python -m tests.faults.killing --kills $(KILLS)

# Searches on small disks, a step of 4 KiB each up to one MiB; needs Linux and unshare.
test-full-disk: $(VENV)/.installed-dev
	$(BIN)/python -m tests.faults.full_disk

# Flips bits of the files of a finished run, or cuts them short, and reads the run; twenty minutes.
test-damage: $(VENV)/.installed-dev
	$(BIN)/python -m tests.damage.flipping --flips $(FLIPS) --truncations $(TRUNCATIONS)

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Builds the wheel, installs it beside links to its declared dependencies and searches from an empty folder.
wheel: $(VENV)/.installed-dev
	rm -rf dist
	$(BIN)/python -m build --wheel
	$(BIN)/python scripts/check_wheel.py dist

clean:
	rm -rf $(VENV) dist

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "error: Python 3.11 or newer is needed, this is " + sys.version.split()[0] + ". Name another: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/.installed: $(VENV)/.created pyproject.toml constraints.txt
	$(INSTALL) --editable .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.created pyproject.toml constraints.txt
	$(INSTALL) --editable '.[dev]'
	touch $@ $(VENV)/.installed
