# Ennead. `make` alone lists the targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
HOME_DIR ?= ennead-home
SAMPLES ?=
HTTP_PORT ?= 8050
DICOM_PORT ?= 11112
DEMO_FLAGS ?=
PARALLEL ?= -n 2 --dist loadscope
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help setup web system check test demo serve bench docs clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  \1\t/' | expand -t 12

setup: $(VENV)/.installed web ## make .venv with everything installed, and build the web

$(VENV)/.installed: pyproject.toml constraints.txt models/requirements-nnunet.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Ennead needs Python 3.11 or newer; $(PYTHON) is older. Run: make setup PYTHON=python3.11"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
		{ echo "$(PYTHON) cannot make a virtual environment. On Debian: apt-get install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev,models]'
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --no-deps \
		--requirement models/requirements-nnunet.txt
	@touch $@

web: $(VENV)/.installed
	@$(BIN)/python platform/web/build.py

system: ## install the programs that tests talk to (apt, when root), or name what is missing
	@sh platform/deploy/system-packages.sh

check: setup ## ruff, mypy, import-linter, generated pages, docs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python docs/generate.py --check
	$(BIN)/sphinx-build -q -W --keep-going -b html docs docs/_build/html

test: setup system ## every test, on SQLite; then those that use the database, on PostgreSQL
	$(BIN)/python -m pytest -q $(PARALLEL)
	$(BIN)/python -m pytest -q $(PARALLEL) -m database --database postgresql

demo: setup ## a running instance with sample studies; SAMPLES=folder adds yours
	$(BIN)/ennead demo --home $(HOME_DIR) --http-port $(HTTP_PORT) --dicom-port $(DICOM_PORT) \
		$(if $(SAMPLES),--samples $(SAMPLES)) $(DEMO_FLAGS)

serve: setup ## run the instance in ./ennead-home
	$(BIN)/ennead serve --home $(HOME_DIR) --http-port $(HTTP_PORT) --dicom-port $(DICOM_PORT)

bench: setup system ## compare with Orthanc in one run and print ratios
	$(BIN)/python -m benchmarks.run

docs: setup ## regenerate the reference pages and build docs/_build/html
	$(BIN)/python docs/generate.py
	$(BIN)/sphinx-build -q -W -b html docs docs/_build/html
	@echo "Open docs/_build/html/index.html"

clean: ## remove what was built (never the data in $(HOME_DIR))
	rm -rf $(VENV) docs/_build platform/web/dist platform/web/portal/node_modules test-artefacts
