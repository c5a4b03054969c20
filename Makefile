# Each target does its own set-up; `make help` lists them.
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
.DEFAULT_GOAL := help
.PHONY: help setup run notebook lab lab-down test test-fast lint bench lock

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

$(READY): requirements.lock pyproject.toml tools/setup.sh
	@tools/setup.sh $(VENV)

setup: $(READY)  ## the Python environment in .venv

run: lab  ## the lab and all four tracks on it; prints the verdict and where to read it
	@$(BIN)/launchbook run parameters/lab.yaml --complete

notebook: $(READY)  ## JupyterLab on a run of its own (ENVIRONMENT=parameters/lab.yaml)
	@$(BIN)/launchbook notebook $(or $(ENVIRONMENT),parameters/lab.yaml)

lab: $(READY)  ## a real Kubernetes on this machine, kept until `make lab-down`
	@$(BIN)/lab build
	@$(BIN)/lab up
	@$(BIN)/lab kubectl -- apply --server-side -f parameters/launchbook-role.yaml

lab-down: $(READY)  ## ends the lab and removes all that it made
	@$(BIN)/lab down

test: lint  ## lint, then every test, those on a real cluster included
	@tools/test.sh $(BIN)

test-fast: $(READY)  ## the tests that need no cluster and no browser
	@$(BIN)/pytest -m "not lab and not browser"

lint: $(READY)  ## ruff, mypy, import-linter, notebooks without outputs
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/python tools/bare_notebooks.py

bench: $(READY)  ## each figure beside a peer's or a limit, in one run
	@$(BIN)/lab build
	@$(BIN)/python -m bench

lock: $(READY)  ## resolve pyproject.toml anew into requirements.lock
	@$(BIN)/uv pip compile -q --universal --generate-hashes --no-header --all-extras --python-version 3.11 -o requirements.lock pyproject.toml >/dev/null
