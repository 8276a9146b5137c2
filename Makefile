# One command each; `make` alone lists them. All of them set up what they need, and a second run is instant.
#   PYTHON=/path/to/python3.12   the Python that makes .venv, when the right one is not found
#   ARGS='...'                   more arguments for the command behind demo, test or bench

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/sh

VENV := .venv
BIN := $(VENV)/bin
LOCKS := deploy/locks
PYTHON ?=
ARGS ?=
IN_TWO := -n 2 --dist loadfile --no-loadscope-reorder --max-worker-restart 0 --durations 25

# The locks hold every dependency with its hashes, so pip resolves nothing and builds nothing from source.
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input
PIP_LOCKED := $(PIP) --no-deps --only-binary :all: --require-hashes
PIP_TRAIN := python -m pip install --quiet --disable-pip-version-check --no-input --no-deps --only-binary :all: --require-hashes
# The project itself, editable, by the locked build back end.
PIP_SELF := $(PIP) --no-deps --no-build-isolation --editable .

.PHONY: help demo test test-pythons test-train train-env chaos check bench lock schemas settings clean

help:  ## list the commands
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{ printf "%-17s %s\n", $$1, $$2 }'

demo: $(VENV)/.runtime  ## see news being scored and an alert firing; needs Python 3.11+ alone
	$(BIN)/moodwire demo $(ARGS)

# Two processes share all tests: one begins with those that use a server, the other with the rest
# (tests/two_processes.py); one that crashes fails the run. With ARGS a part was asked for: it runs in one process, the
# other Pythons are left out, and nothing is built beside the tests.
test: $(VENV)/.dev  ## run all tests, the fast ones on every supported Python here; brings the servers, or says how to
	$(BIN)/python tests/system_needs.py
	$(if $(ARGS),,$(BIN)/python -m tests.deploy.programs >/dev/null 2>&1 &) $(BIN)/python -m pytest $(or $(ARGS),$(IN_TWO))
	$(if $(ARGS),,$(BIN)/python tests/pythons.py)

test-pythons: $(VENV)/.dev  ## run the fast tests on the other supported Pythons of this machine
	$(BIN)/python tests/pythons.py

# Not part of the CI: torch with all it brings from a plain index is 5 GB, and its tests take minutes. What is plain data
# (data sets, leaks, tags, batches, plans, topics) is tested without it, by `make test`.
test-train: $(VENV)-train/.train  ## run the tests of the training code, with torch (5 GB) in a .venv-train of its own
	$(VENV)-train/bin/python -m pytest tests/models $(ARGS)

train-env: $(VENV)-train/.train  ## .venv-train with the training code (5 GB), and the two encoders that models start from
	$(VENV)-train/bin/python deploy/setup/fetch-encoder all-MiniLM-L6-v2 all-mpnet-base-v2

chaos: $(VENV)/.dev  ## the chaos suite in its long form: real servers, 20,000 records a scenario
	$(BIN)/python tests/system_needs.py
	CHAOS_RECORDS=$${CHAOS_RECORDS:-20000} $(BIN)/python -m pytest tests/chaos $(ARGS)

check: $(VENV)/.dev  ## ruff, mypy --strict, import contracts, formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

bench: $(VENV)/.dev  ## measure speed and memory: a table, and bench-results/*.json
	$(BIN)/python -m tests.bench $(ARGS)

bench-models: $(VENV)-train/.train  ## measure the classifier against Transformers, OpenVINO and CTranslate2 on the same model
	@$(VENV)-train/bin/$(PIP_TRAIN) -r $(LOCKS)/peers.txt
	$(VENV)-train/bin/python -m tests.bench models $(ARGS)

lock: $(VENV)/.dev  ## write the lock files again from pyproject.toml; UPGRADE=1 takes the newest versions
	deploy/setup/lock.sh $(BIN)/uv

schemas: $(VENV)/.runtime  ## write deploy/schemas again, from the code
	env --ignore-environment PATH="$$PATH" HOME="$$HOME" $(BIN)/moodwire schema --into deploy/schemas

settings: $(VENV)/.runtime  ## write README's table of settings and the example of compose's variables again, from the code
	$(BIN)/python -m streams.settings.documents README.md deploy/moodwire.env.example

clean:  ## remove what these commands made here (the virtual environment and caches)
	rm -rf $(VENV) $(VENV)-train $(VENV)-py build dist bench-results .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find alerts models streams tests deploy -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@python=$$(deploy/setup/find-python $(PYTHON)) \
	  && echo "moodwire: making $(VENV) with $$python" && "$$python" -m venv $(VENV)

$(VENV)-train/.train: pyproject.toml $(LOCKS)/train.txt $(LOCKS)/dev.txt
	@python=$$(deploy/setup/find-python $(PYTHON)) && "$$python" -m venv $(VENV)-train
	@echo "moodwire: installing the training packages (once, about 5 GB)"
	@$(VENV)-train/bin/$(PIP_TRAIN) -r $(LOCKS)/train.txt
	@$(VENV)-train/bin/$(PIP_TRAIN) -r $(LOCKS)/dev.txt
	@$(VENV)-train/bin/python -m pip install --quiet --disable-pip-version-check --no-input --no-deps --no-build-isolation --editable .
	@touch $@

# A .venv without its stamp is one whose set-up was cut off, perhaps before it had pip: go on where it stopped.
$(VENV)/.runtime: pyproject.toml $(LOCKS)/runtime-cpu.txt $(LOCKS)/page.txt | $(BIN)/python
	@echo "moodwire: installing the run-time packages (once, about a minute)"
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip >/dev/null
	@$(PIP_LOCKED) -r $(LOCKS)/runtime-cpu.txt
	@$(PIP_SELF)
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime $(LOCKS)/dev.txt
	@echo "moodwire: installing the development packages (once)"
	@$(PIP_LOCKED) -r $(LOCKS)/dev.txt
	@touch $@
