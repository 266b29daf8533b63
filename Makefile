# Two commands do all the set-up on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
export OPENBLAS_NUM_THREADS ?= 1
export OMP_NUM_THREADS ?= 1
export MPLBACKEND ?= Agg
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help demo test lint unit course install system browser clean-class bench audit attacks fuzz

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /	/' | expand -t 12

demo: install  ## for each assignment: release, make a class of 16, grade it, print the table
	for assignment in two_layer_net dropout inverted_dropout; do $(BIN)/gradlab demo $$assignment || exit 1; done

test: install browser lint  ## everything: lint, types, unit, course and end-to-end tests, nbval
	@$(BIN)/pytest -q -n auto --dist loadfile --no-loadscope-reorder; tests=$$?; \
	env -u MPLBACKEND $(BIN)/pytest -q --nbval source -n auto --dist loadfile --nbval-sanitize-with tests/course/nbval.cfg -p no:cacheprovider; notebooks=$$?; \
	exit $$(( tests > notebooks ? tests : notebooks ))

lint: install  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: install  ## what one submission costs
	$(BIN)/python benchmarks/one_submission.py

attacks: install  ## does any attack of the corpus gain a point, a secret or a process? (minutes)
	$(BIN)/python tests/attacks/run.py

fuzz: install  ## the decoder and the reader of notebooks, under inputs that nobody would send (minutes)
	$(BIN)/python tests/attacks/fuzz.py

audit: install  ## do the graders let anything wrong through, or mark anything right down? writes audit.json and audit.html
	$(BIN)/gradlab audit --flips 200 --json --html audit.html > audit.json

install: system .venv/installed  ## the virtual environment, with the staff tools

.venv/installed: pyproject.toml src/gradlab_staff/pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "expected Python 3.11 or newer, got $$($(PYTHON) --version). Name another: make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m venv .venv || { echo "expected python3 -m venv to work. On Debian: apt-get install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e . -e 'src/gradlab_staff[dev]'
	@touch $@

system:
	@sh scripts/need bwrap bubblewrap

browser:
	@sh scripts/need chromium chromium
	@sh scripts/need chromedriver chromium-driver

clean-class:  ## DELETE the class: what was handed in, the gradebook with all marks by hand, feedback, verdicts
	rm -rf .gradlab gradebook.db autograded/* feedback/* submitted/*
