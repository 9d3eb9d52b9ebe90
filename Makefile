# The commands of this repository; `make help` lists them.
PYTHON ?= python3
PORT ?= 8080
SANDBOX_PORT ?= 8787
TEST_PROCESSES ?= 2
VENV := .venv
BIN := $(VENV)/bin
PEER := .venv-bench
DLT := .venv-dlt
CLIENT := .venv-client
LOCAL := $(BIN)/python -m data_sync.local
# Side by side: one process mostly waits for a whole Airflow (tests/conftest.py).
PYTEST := $(BIN)/pytest --numprocesses $(TEST_PROCESSES) --no-loadscope-reorder --durations 10
PORTS := --port $(PORT) --sandbox-port $(SANDBOX_PORT)

.DEFAULT_GOAL := help
.PHONY: help demo demo-once clean check test prove torture bench

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "Variables: PORT=8080 (Airflow), SANDBOX_PORT=8787 (sandbox networks), TEST_PROCESSES=2, PYTHON=python3 (3.11 to 3.13)"

demo: $(VENV)/.app ## Sync the sandbox networks into an embedded Postgres, then serve Airflow until Ctrl-C
	@$(LOCAL) demo $(PORTS)

demo-once: $(VENV)/.app ## The same, then end everything; succeeds only if every row and amount is right
	@$(LOCAL) demo-once $(PORTS)

clean: ## Remove the demo's state: databases, logs, passwords (the folder .data)
	@if [ -d .data ]; then $(LOCAL) clean; fi

check: $(VENV)/.dev ## Lint, formatting and types
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy

test: $(VENV)/.dev ## The tests, with a real Postgres, real HTTP and real Airflow services
	@$(PYTEST) -m "not prove"

prove: $(VENV)/.dev $(CLIENT)/.tool ## The long proofs: what happens when things are killed, raced or repeated
	@$(PYTEST) -m prove

torture: $(VENV)/.dev ## Syncs killed, cut off and doubled at random beside a model: MINUTES=10, or SEED=1 ROUNDS=5; POOLER=pgbouncer
	@$(BIN)/python -m tests.torture $(if $(SEED),--seed $(SEED)) $(if $(ROUNDS),--rounds $(ROUNDS)) \
		$(if $(MINUTES),--minutes $(MINUTES)) $(if $(POOLER),--pooler $(POOLER))

bench: $(VENV)/.dev $(PEER)/.peer $(DLT)/.peer ## Measure, with dlt and dag-factory beside it; BENCH="loads pace" picks parts
	@$(BIN)/python -m benchmarks $(BENCH)

$(BIN)/uv: locks/bootstrap.txt
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is not installed: install Python 3.11, 3.12 or 3.13, or name one: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3,11) <= sys.version_info[:2] <= (3,13) else "Python %d.%d cannot run this: install Python 3.11, 3.12 or 3.13, then name it: make PYTHON=python3.12" % sys.version_info[:2])'
	@$(PYTHON) -m venv $(VENV) >/dev/null || { echo "Python's venv module is missing: install it (Debian: apt-get install python3-venv)." >&2; rm -rf $(VENV); exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement locks/bootstrap.txt
	@touch $@

# Compiled at once: otherwise each of Airflow's services compiles the same thousand files when it starts.
$(VENV)/.app: locks/app.txt pyproject.toml | $(BIN)/uv
	@echo "Installing the locked packages into $(VENV) ..."
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --compile-bytecode --requirement locks/app.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: locks/dev.txt $(VENV)/.app
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --requirement locks/dev.txt
	@touch $@

# What the figures are compared with, apart from what anybody runs.
$(PEER)/.peer: locks/bench.txt | $(VENV)/.app
	@echo "Installing what the figures are compared with into $(PEER) ..."
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(PEER)
	@$(BIN)/uv pip install --quiet --python $(PEER)/bin/python --require-hashes --compile-bytecode --requirement locks/bench.txt
	@touch $@

$(DLT)/.peer: locks/dlt.txt | $(VENV)/.app
	@echo "Installing dlt, to compare with, into $(DLT) ..."
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(DLT)
	@$(BIN)/uv pip install --quiet --python $(DLT)/bin/python --require-hashes --compile-bytecode --requirement locks/dlt.txt
	@touch $@

# What generates a client for the REST API, apart from Airflow, whose typer is a newer one.
$(CLIENT)/.tool: locks/client.txt | $(VENV)/.app
	@echo "Installing the generator of clients into $(CLIENT) ..."
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(CLIENT)
	@$(BIN)/uv pip install --quiet --python $(CLIENT)/bin/python --require-hashes --requirement locks/client.txt
	@touch $@
