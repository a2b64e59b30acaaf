# Everything one does with a checkout. Each target that needs .venv makes it first; see tools/install.
#
#   make test ARGS="tests/unit -k lock"    ARGS goes to the command behind run, down, test and lock
#   make run PYTHON=/path/to/python3.12    the interpreter that .venv is made from

.DEFAULT_GOAL := help
python := .venv/bin/python
ARGS ?=

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

.PHONY: run
run: install ## train, release and serve the example on this machine
	$(python) -m trivet demo $(ARGS)

.PHONY: down
down: install ## stop what run started and remove what it made
	$(python) -m trivet demo --down $(ARGS)

# Two workers for each core of a small machine, since tests mostly wait for the processes that they start; and those
# must not compile our modules again each. tests/conftest.py orders the files.
.PHONY: test
test: install-dev ## run the tests; fails where none ran
	PYTHONDONTWRITEBYTECODE= $(python) -Pm pytest -n 4 --dist loadfile --no-loadscope-reorder $(ARGS)

.PHONY: check
check: install-dev ## lint, format, types, imports between rooms, locks, docs, tables
	$(python) -m ruff check
	$(python) -m ruff format --check
	$(python) -m basedpyright
	$(python) .venv/bin/lint-imports
	$(python) tools/lock.py --check
	$(python) tools/generate_docs.py --check
	$(python) tools/replacements.py --check

.PHONY: format
format: install-dev ## format the code and mend what the linter can
	$(python) -m ruff check --fix-only
	$(python) -m ruff format

.PHONY: docs
docs: install-dev ## write the pages of docs/ that follow from the code, and the tables from packages
	$(python) tools/replacements.py
	$(python) tools/generate_docs.py

.PHONY: lock
lock: install-dev ## compile the locks that are stale; ARGS=--upgrade for newer versions in all
	$(python) tools/lock.py $(ARGS)

.PHONY: build
build: install-dev ## source distribution and wheel in dist/
	$(python) -m build --no-isolation

.PHONY: install
install: ## make .venv with what run needs
	@tools/install requirements/local.txt

.PHONY: install-dev
install-dev: ## make .venv with what test, check and build need too
	@tools/install requirements/dev.txt

.PHONY: clean
clean: ## remove what tools left behind; .venv, .environments and .trivet stay
	rm -rf dist .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . \( -path ./.venv -o -path ./.environments \) -prune -o -type d -name __pycache__ -prune -exec rm -rf {} +
