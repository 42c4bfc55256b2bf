# Set-up and the main jobs. Every target makes what it needs; README.md shows the plain pip lines.
PYTHON ?= python3
DEVICE ?= cpu
MINUTES ?= 10
BIN := .venv/bin
SUITES := $(sort $(patsubst suites/%.toml,%,$(wildcard suites/*.toml)))

.PHONY: run test test-long lint coverage docs soak bench leaderboards clean
run: .venv/installed
	$(BIN)/runner --suite gaussian1d

test: lint
	$(BIN)/pytest -n 2 --dist worksteal

test-long: .venv/installed-dev
	$(BIN)/pytest -m long

lint: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/codespell *.md *.yml *.cff .github benchmarks suites runner reports tests docs examples

# Counting lines takes longer than the test of how quickly a list is there allows.
coverage: QUICKLY := tests/runner/test_cli.py::test_help_and_lists_answer_quickly_and_without_torch
coverage: .venv/installed-dev
	rm -f .coverage .coverage.*
	$(BIN)/coverage run -m pytest -n 2 --dist worksteal --deselect $(QUICKLY)
	$(BIN)/coverage combine --quiet
	for part in benchmarks runner reports suites; do \
		$(BIN)/coverage report --include="$$part/*" --fail-under=90 || exit 1; done

docs: .venv/installed-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

soak: .venv/installed-fuzz
	$(BIN)/python tests/faults/soak.py --minutes $(MINUTES)

bench: .venv/installed-peers
	mkdir -p runs
	$(BIN)/pytest tests/performance --device $(DEVICE) --benchmark-only --benchmark-json=runs/bench.json -s

# Half an hour to an hour on two cores; what is already there isn't trained again.
leaderboards: .venv/installed
	for suite in $(SUITES); do $(BIN)/runner --suite $$suite || exit; done
	$(BIN)/python docs/leaderboards/write.py $(SUITES:%=runs/%)

.venv/bin/pip:
	$(PYTHON) -m venv .venv

.venv/installed: .venv/bin/pip pyproject.toml constraints.txt
	$(BIN)/pip install --quiet --constraint constraints.txt --editable .
	touch $@

.venv/installed-dev: .venv/installed
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

.venv/installed-fuzz: .venv/installed-dev
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev,fuzz]'
	touch $@

.venv/installed-peers: .venv/installed-dev
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev,peers]'
	touch $@

clean:
	rm -rf .venv build site *.egg-info
