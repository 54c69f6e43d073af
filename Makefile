# make demo: set up, train and compare the four U-Nets on built-in phantoms, print the table, write demo/report.html
# make test: set up and pass the tests; make check: style, types and imports alone

PYTHON ?= python3
ENV := .venv
BIN := $(ENV)/bin

.PHONY: demo test check clean

demo: $(ENV)/installed
	$(BIN)/sonoseg benchmark --data phantom:160 --folds 0 --size 64 --width 8 --steps 1 --epochs 25 --out demo

test: check
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

check: $(ENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

$(ENV)/installed: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "sonoseg needs Python 3.11 or newer: make PYTHON=python3.12 demo")'
	$(PYTHON) -m venv $(ENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --editable ".[train,tensorboard,export,video,openvino,dicom]" --group dev
	touch $@

clean:
	rm -rf $(ENV) demo build dist .mypy_cache .ruff_cache .pytest_cache
