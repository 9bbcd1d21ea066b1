# make demo    installs what the demo needs, and runs it
# make test    installs the tools, and runs every check that needs no server
# make test-engines    installs real engines where that can be done, and runs the tests against them
# make lint    the checks without the tests
# make bench   the benchmarks, as ratios against the floor
# make clean   removes .venv and whatever was built
#
# Another interpreter: make test PYTHON=python3.13. Arguments for pytest: make test PYTEST_ARGS="-k cursor".

PYTHON ?= python3
PYTEST_ARGS ?= -n auto --dist loadgroup
ENGINES_ARGS ?= -n auto --dist loadgroup
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: demo test test-engines lint bench clean
.DELETE_ON_ERROR:

demo: $(VENV)/.demo
	$(BIN)/mixstore demo

test: lint
	$(BIN)/python -m pytest $(PYTEST_ARGS)

test-engines: $(VENV)/.dev
	$(BIN)/python tests/engines/engines.py
	$(BIN)/python -m pytest tests/engines $(ENGINES_ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy --strict
	$(BIN)/lint-imports

bench: $(VENV)/.bench
	$(BIN)/python tests/benchmarks

clean:
	rm -rf $(VENV) .engines build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps are younger than pyproject.toml exactly when what it asks for is installed.
$(VENV)/.dev $(VENV)/.demo $(VENV)/.bench: $(VENV)/.%: pyproject.toml | $(VENV)/.created
	$(PIP) install --quiet --editable '.[$*]'
	@touch $@

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "mixstore needs Python 3.10 or newer, but $(PYTHON) is " + sys.version.split()[0] + "; try: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	@touch $@
