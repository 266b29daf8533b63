# Two commands do all the set-up on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
export OPENBLAS_NUM_THREADS ?= 1
export OMP_NUM_THREADS ?= 1
export MPLBACKEND ?= Agg
export PATH := $(CURDIR)/$(BIN):$(PATH)

# A file's tests share what is dear to set up: files are handed out to two workers or more, the largest first.
PYTEST := $(BIN)/pytest -q -n auto --dist loadfile --no-loadscope-reorder
NBVAL := env -u MPLBACKEND $(BIN)/pytest -q --nbval source -n auto --dist loadfile --nbval-sanitize-with tests/course/nbval.cfg -p no:cacheprovider
SAMPLE ?=
FUZZ ?=

.PHONY: help demo quick test thorough unit course lint kernels twins audit attacks fuzz channels bench install system browser clean-class

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /	/' | expand -t 14

demo: install  ## for each assignment: release, make a class of 16, grade it, print the table
	for assignment in two_layer_net dropout inverted_dropout; do $(BIN)/gradlab demo $$assignment || exit 1; done

quick: lint  ## while you work: lint, types, unit tests, one submission an assignment (a minute)
	$(PYTEST) -m "not slow and not thorough" tests/kit tests/graders

test: lint browser  ## lint, types, unit, course and end-to-end tests, nbval (minutes)
	@$(PYTEST) -m "not thorough"; tests=$$?; $(NBVAL); notebooks=$$?; exit $$(( tests > notebooks ? tests : notebooks ))

thorough: install  ## each misconception loses its own exercise, no other, and is named (minutes; CI runs it after test)
	$(BIN)/pytest -q -n auto -m thorough

unit: install  ## the packages' own tests
	$(PYTEST) tests/kit

course: install browser  ## is the course sound? its graders, published figures, releases, the whole line; nbval
	@$(PYTEST) tests/course tests/graders; tests=$$?; $(NBVAL); notebooks=$$?; exit $$(( tests > notebooks ? tests : notebooks ))

lint: install  ## ruff, mypy, and the layers of the packages
	$(BIN)/ruff check .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo >.lint-imports.log || { cat .lint-imports.log; exit 1; }

kernels: install  ## are verdicts and figures the same under other kernels of OpenBLAS, one thread and two? (half an hour)
	$(BIN)/python tests/course/kernels.py

twins: install  ## does a submission see from its requests, and their times, how it fares? (minutes)
	$(BIN)/python tests/course/twins.py

audit: install  ## do the graders let anything wrong through, or mark right work down? SAMPLE=10 is 5 minutes, all is hours
	$(BIN)/gradlab audit $(if $(SAMPLE),--sample $(SAMPLE) --flips $(SAMPLE),--flips 200) --json --html audit.html > audit.json

attacks: install  ## does any attack of the corpus gain a point, a secret or a process? (half an hour)
	$(BIN)/python tests/attacks/run.py

fuzz: install  ## the decoder, intake and the stand-ins, under inputs that nobody would send (minutes); FUZZ='--seed 1 --seconds 9'
	$(BIN)/python tests/attacks/fuzz.py $(FUZZ)

channels: install  ## what is left to talk over between two sandboxes, in bits a second (a minute)
	$(BIN)/python tests/attacks/channels.py

bench: install  ## what one submission costs
	$(BIN)/python benchmarks/one_submission.py

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
