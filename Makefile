# Two environments: `.venv` is what a user gets (no torch), `.venv-test` has what development needs.
PYTHON ?= python3
ifeq ($(OS),Windows_NT)
BIN := Scripts
else
BIN := bin
endif
USER_ENV := .venv
TEST_ENV := .venv-test

.PHONY: demo test pythons speed lint format docs clean

demo: $(USER_ENV)/ready
	$(USER_ENV)/$(BIN)/fesnet demo --out fesnet-demo

test: $(TEST_ENV)/ready lint
	$(TEST_ENV)/$(BIN)/python -m pytest -n auto --dist loadgroup --no-loadscope-reorder

speed: $(TEST_ENV)/ready
	$(TEST_ENV)/$(BIN)/python perf/talking.py --short

pythons:
	$(PYTHON) dev/check_pythons.py

lint: $(TEST_ENV)/ready
	$(TEST_ENV)/$(BIN)/ruff check src tests dev experiments perf docs examples
	$(TEST_ENV)/$(BIN)/ruff format --check src tests dev experiments perf docs examples
	$(TEST_ENV)/$(BIN)/mypy

docs: $(TEST_ENV)/ready
	$(TEST_ENV)/$(BIN)/python -m sphinx -W --keep-going -q -b html docs build/docs
	@echo "documentation: build/docs/index.html"

format: $(TEST_ENV)/ready
	$(TEST_ENV)/$(BIN)/ruff check --fix src tests dev experiments perf docs examples
	$(TEST_ENV)/$(BIN)/ruff format src tests dev experiments perf docs examples

$(USER_ENV)/ready: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "expected Python 3.11 or newer; name one: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(USER_ENV)
	$(USER_ENV)/$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	$(USER_ENV)/$(BIN)/fesnet models import
	touch $@

$(TEST_ENV)/ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "expected Python 3.11 or newer; name one: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(TEST_ENV)
	$(TEST_ENV)/$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	$(TEST_ENV)/$(BIN)/fesnet models import
	touch $@

clean:
	rm -rf $(USER_ENV) $(TEST_ENV) fesnet-demo build .mypy_cache .ruff_cache .pytest_cache .hypothesis
