# Every target sets up what it needs. PYTHON is the interpreter that .venv is made from.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.DEFAULT_GOAL := help
.PHONY: help demo test check format model datasheet study held-out coverage schema benchmark lock picture clean

# The real answers that the tables of data/labels are on: see data/README.md.
TEXTS ?=
# What the default model reads with: its own encoder, or the folder that `python -m data.encoder` made.
ENCODER ?= models/default
# Sums are rounded otherwise on another number of threads or another kind of processor, and a coefficient's last
# digit may differ: all processors that have AVX2 can calculate as a Haswell does.
THREADS := OMP_NUM_THREADS=2 OPENBLAS_NUM_THREADS=2 OPENBLAS_CORETYPE=Haswell

# One more than there are cores: many tests wait for another process, or for a browser.
WORKERS := $(shell expr $$(nproc 2>/dev/null || echo 2) + 1)

help: ## Show what can be made
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "medstance needs Python 3.11 or newer, this is " + sys.version.split()[0] + ": name one, as in make PYTHON=python3.12 demo")'
	@$(PYTHON) -m venv $(VENV) || { echo 'Python cannot make a virtual environment (on Debian: apt-get install python3-venv)'; exit 1; }
	@touch $@

$(VENV)/.runtime: $(VENV)/.created requirements/runtime.txt requirements/build.txt pyproject.toml
	@echo 'Installing what stance needs into $(VENV) (once; a few minutes)'
	@$(PIP) install --require-hashes -r requirements/runtime.txt -r requirements/build.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements/dev.txt
	@echo 'Installing what the tests need into $(VENV) (once)'
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@touch $@

demo: $(VENV)/.runtime ## The main job on a page that comes with medstance
	@$(BIN)/stance report data/samples/laser_while_nursing.txt --format table -o demo/report.html -o demo/report.json
	@echo 'Open demo/report.html in a browser.'

test: $(VENV)/.dev ## Run the tests
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal --cov --cov-report=term

check: $(VENV)/.dev ## Lint, types, import rules and tests: what CI runs
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(MAKE) --no-print-directory test

format: $(VENV)/.dev ## Format the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

model: $(VENV)/.runtime ## Train the shipped models again, the same bytes, with TEXTS=FOLDER
ifeq ($(TEXTS),)
	@echo 'No TEXTS=FOLDER named (see data/README.md): training on the written answers alone, which gives other models than the shipped ones, in build'
	@$(BIN)/stance train $$($(BIN)/python -m data.parts fast --written-only) --encoder none -o build/fast
	@$(BIN)/stance train $$($(BIN)/python -m data.parts default --written-only) --encoder '$(ENCODER)' -o build/default
else
	@$(THREADS) $(BIN)/stance train $$($(BIN)/python -m data.parts fast) --texts '$(TEXTS)' --encoder none --curves -o models/fast
	@$(THREADS) $(BIN)/stance train $$($(BIN)/python -m data.parts default) --texts '$(TEXTS)' --encoder '$(ENCODER)' --curves -o models/default
endif

datasheet: $(VENV)/.dev ## Measure the tables of data/README.md again; needs TEXTS=FOLDER
	@test -n '$(TEXTS)' || { echo 'Name the folder of the real answers: make datasheet TEXTS=FOLDER (see data/README.md)'; exit 2; }
	@$(BIN)/python -m data.measure --texts '$(TEXTS)'

study: $(VENV)/.dev ## Measure the tables of words and cues in docs/method.md again (half an hour); needs TEXTS=FOLDER
	@test -n '$(TEXTS)' || { echo 'Name the folder of the real answers: make study TEXTS=FOLDER (see data/README.md)'; exit 2; }
	@$(BIN)/python -m data.measure.study --texts '$(TEXTS)'

held-out: $(VENV)/.dev ## Measure what the encoder brings again (some minutes); needs TEXTS=FOLDER
	@test -n '$(TEXTS)' || { echo 'Name the folder of the real answers: make held-out TEXTS=FOLDER (see data/README.md)'; exit 2; }
	@$(THREADS) $(BIN)/python -m data.measure.held_out --texts '$(TEXTS)'

coverage: $(VENV)/.dev ## Measure how often the intervals of shares hold the truth (some minutes)
	@$(BIN)/python -m data.measure.coverage

schema: $(VENV)/.runtime ## Write docs/report.schema.json again
	@$(BIN)/python -c 'from pipeline.report import render_schema; print(render_schema(), end="")' > docs/report.schema.json

benchmark: $(VENV)/.dev ## Measure speed, memory and scaling beside the peers (half an hour)
	@$(BIN)/python -m tests.benchmarks

# The interpreter is the oldest one supported, so that the locked versions are for all.
lock: ## Lock the dependencies again (needs Python 3.11)
	@$(PYTHON) -m venv .lock
	@.lock/bin/python -m pip --quiet install pip-tools
	@for name in runtime build dev; do \
	  source=$$([ $$name = runtime ] && echo pyproject.toml || echo requirements/$$name.in); \
	  .lock/bin/pip-compile --quiet --generate-hashes --no-emit-index-url --no-emit-find-links --no-emit-trusted-host \
	    --no-strip-extras --allow-unsafe --no-header --output-file requirements/$$name.txt $$source || exit 1; done
	@rm -rf .lock

clean: ## Remove everything that was made
	@rm -rf $(VENV) demo build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage

picture: $(VENV)/.dev ## Take the pictures of the README again (needs a Chromium)
	@$(BIN)/python -m docs.screenshots
