# make demo   the main job on the photos that ship, with the weights that ship
# make test   all tests
# Also: lint, type, bench, clean. Everything goes into .venv; PYTHON names another interpreter (3.11 or newer).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable

.PHONY: demo test lint type bench clean

demo: $(VENV)/.core
	$(BIN)/python examples/demo.py

test: $(VENV)/.test
	$(BIN)/python -m pytest

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

type: $(VENV)/.dev
	$(BIN)/pyright

bench: $(VENV)/.test
	$(BIN)/python benchmarks/search.py --output benchmarks/results/search.json
	$(BIN)/python benchmarks/upscale.py --output benchmarks/results/upscale.json
	$(BIN)/python benchmarks/training.py --output benchmarks/results/training.json
	$(BIN)/python benchmarks/loading.py --output benchmarks/results/loading.json

clean:
	rm -rf $(VENV) demo

$(VENV)/.python:
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/.core: $(VENV)/.python pyproject.toml constraints.txt
	$(INSTALL) .
	touch $@

$(VENV)/.test: $(VENV)/.python pyproject.toml constraints.txt
	$(INSTALL) ".[test]"
	touch $@ $(VENV)/.core

$(VENV)/.dev: $(VENV)/.python pyproject.toml constraints.txt
	$(INSTALL) ".[dev]"
	touch $@ $(VENV)/.core $(VENV)/.test
