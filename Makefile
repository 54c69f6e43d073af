PYTHON ?= python3
ENV := .venv
BIN := $(ENV)/bin
EXTRAS := train,tensorboard,export,video,openvino,dicom,serve
PIP := -m pip install --quiet --disable-pip-version-check
RESOLVE := uv pip compile pyproject.toml --quiet --all-extras --group dev --no-annotate --no-header

.PHONY: help demo test faults check dist constraints lowest peers clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

demo: $(ENV)/installed  ## set up, train and compare the four U-Nets on built-in phantoms, print the table, write demo/report.html
	$(BIN)/sonoseg benchmark --data phantom:160 --folds 0 --size 64 --width 8 --steps 1 --epochs 25 --out demo

test: check  ## set up and pass the tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

faults: $(ENV)/installed  ## damage, kill, fill and mistype for half an hour; tells what came of how many
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/faults --faults 40 --timeout 3600

check: $(ENV)/installed  ## style, types and imports alone
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

dist: $(ENV)/installed  ## build wheel and sdist into dist/, and look whether an index would take them
	rm -rf dist
	$(BIN)/python $(PIP) build twine check-wheel-contents
	$(BIN)/python -m build --outdir dist
	$(BIN)/twine check --strict dist/*
	$(BIN)/check-wheel-contents dist/*.whl
	test $$(wc -c < $$(ls dist/*.whl)) -lt 15000000

constraints: $(ENV)/installed  ## write today's newest versions to constraints.txt; pass the tests with them, then commit it
	$(BIN)/python $(PIP) uv
	mkdir -p build
	$(BIN)/$(RESOLVE) --universal --upgrade --python-version 3.11 --output-file build/constraints.txt
	grep -Ev '^(cuda|nvidia|triton)' build/constraints.txt > constraints.txt  # torch pins its own

lowest: $(ENV)/installed  ## pass the tests with the lowest versions that pyproject.toml allows, in .venv-lowest
	$(BIN)/python $(PIP) uv
	mkdir -p build
	$(BIN)/$(RESOLVE) --resolution lowest-direct --output-file build/lowest.txt
	$(PYTHON) -m venv .venv-lowest
	.venv-lowest/bin/python $(PIP) --requirement build/lowest.txt
	.venv-lowest/bin/python $(PIP) --no-deps --editable .
	OMP_NUM_THREADS=1 .venv-lowest/bin/python -m pytest -n 2 --dist loadfile

peers:  ## an environment of its own, .venv-peers, with what benchmarks/ compares with: it wants an older timm
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python $(PIP) --upgrade "pip>=25.1"
	.venv-peers/bin/python $(PIP) --editable ".[train,openvino]" --group peers

$(ENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "sonoseg needs Python 3.11 or newer: make PYTHON=python3.12 demo")'
	$(PYTHON) -m venv $(ENV)
	$(BIN)/python $(PIP) --upgrade "pip>=25.1"
	$(BIN)/python $(PIP) --editable ".[$(EXTRAS)]" --group dev --constraint constraints.txt
	-$(BIN)/python $(PIP) --no-deps monailabel==0.8.5  # its client alone, for a test that skips without it
	touch $@

clean:  ## remove what these commands made
	rm -rf $(ENV) .venv-lowest .venv-peers demo build dist .mypy_cache .ruff_cache .pytest_cache
