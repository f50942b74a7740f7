# The house's commands: `make help` lists them. Only make, git and Python 3.11 or newer are needed.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

LOCK := requirements/development.lock
RUN_LOCK := requirements/run.lock
BIN := .venv/bin
SOURCES := app migrations tests $(wildcard bench)
# More than cores: a third of each worker's time it waits for servers that start, stop or fail.
WORKERS ?= 3
PROPERTIES := tests/wallet tests/model tests/cashier/test_limits_property.py tests/fuzz tests/proof

# The first Python that runs and is new enough.
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11 python3.14; do \
	if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; \
	then echo $$python; break; fi; done)

.PHONY: help
help: ## say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# --- the environment -------------------------------------------------------------------------

# uv installs the same hash-checked files in a fifth of the time, where somebody has it.
ifneq ($(shell command -v uv 2>/dev/null),)
MAKE_VENV = uv venv --quiet --python $(PYTHON) .venv
INSTALL = uv pip install --quiet --python $(BIN)/python
WITH := uv
else
MAKE_VENV = $(PYTHON) -m venv .venv
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check
WITH := pip
endif
INSTALL_OURS = $(INSTALL) --no-index --no-deps --no-build-isolation --editable .

.PHONY: python
python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed, and none was found." >&2; exit 1; }

# Made anew when the lock changes, from hash-checked files only.
.venv/.locked: $(LOCK) | python
	rm -rf .venv
	$(MAKE_VENV)
	$(INSTALL) --require-hashes -r $(LOCK)
	@touch $@

.venv/.installed: .venv/.locked pyproject.toml
	$(INSTALL_OURS)
	@touch $@

.PHONY: venv
venv: .venv/.installed ## make the environment, .venv, from the lock

# What `make run` needs is half as much; the environment of the checks has all of it, too.
.venv/.run: $(RUN_LOCK) pyproject.toml | python
	@if [ .venv/.installed -nt $(LOCK) ] && [ .venv/.installed -nt pyproject.toml ]; then :; else \
		echo "1/3  Making the environment .venv with $$($(PYTHON) --version)." \
		&& rm -rf .venv && $(MAKE_VENV) \
		&& echo "2/3  Installing $$(grep -c '==' $(RUN_LOCK)) packages with $(WITH), each checked by its hash." \
		&& $(INSTALL) --require-hashes -r $(RUN_LOCK) \
		&& echo "3/3  Installing the wallet itself." && $(INSTALL_OURS); fi
	@touch $@

# --- run -------------------------------------------------------------------------------------

.PHONY: run
run: .venv/.run ## the wallet with a demo operator, on 127.0.0.1:8080; Ctrl-C stops it
	@exec $(BIN)/wallet serve --demo

# --- check -----------------------------------------------------------------------------------

# The JavaScript example of the transfer API wants one package of Node's; where there is no npm, or
# nothing to fetch it from, its test is skipped and says so.
JAVASCRIPT := tests/edges/transfer/javascript
export JOSE_NODE_MODULES ?= $(CURDIR)/build/javascript/node_modules

build/javascript/.installed: $(JAVASCRIPT)/package.json $(JAVASCRIPT)/package-lock.json
	@mkdir -p build/javascript
	@cp $^ build/javascript/
	@if command -v npm >/dev/null 2>&1; then \
		npm ci --prefix build/javascript --ignore-scripts --no-audit --no-fund --loglevel=error \
		|| echo "The JavaScript example will not be tried: its package cannot be fetched." >&2; fi
	@touch $@

# What generates a client of the OpenAPI description lives in an environment of its own, and what it
# wants differs from what the console has; without it, its test is skipped and says so.
CLIENT_LOCK := requirements/clientgen.lock
export CLIENT_GENERATOR ?= $(CURDIR)/build/clientgen/bin/openapi-python-client

# Each worker compiles the tests, with their asserts rewritten, unless an earlier run has kept that:
# eight seconds of each. Images of Python often ask that nothing be kept.
test test-thorough test-buckets test-citus test-nodes: export PYTHONDONTWRITEBYTECODE =

build/clientgen/.installed: $(CLIENT_LOCK) | python
	@rm -rf build/clientgen && $(PYTHON) -m venv build/clientgen
	@build/clientgen/bin/pip install --quiet --disable-pip-version-check --require-hashes -r $(CLIENT_LOCK) \
		|| echo "No client will be generated: its packages cannot be fetched." >&2
	@touch $@

.PHONY: test
test: venv build/javascript/.installed build/clientgen/.installed ## all tests, on a real PostgreSQL of their own (TESTS=… ARGS=… WORKERS=…)
	$(BIN)/pytest -n $(WORKERS) $(ARGS) $(TESTS)

.PHONY: test-thorough
test-thorough: venv ## every property, with thirty times as many examples, an hour or two
	$(BIN)/pytest -n $(WORKERS) --hypothesis-profile=thorough --timeout=7200 $(ARGS) $(or $(TESTS),$(PROPERTIES))

BUCKETS_TESTS := tests/cashier tests/edges/callback tests/edges/transfer tests/edges/betby \
	tests/edges/webhooks tests/model tests/torture tests/audit tests/ledger/money \
	tests/ledger/test_transaction.py tests/ops_sql tests/reports tests/reconciliation tests/takeover \
	tests/slips tests/backoffice

CITUS_TESTS := tests/citus tests/ops_sql tests/reports tests/history tests/reconciliation \
	tests/backoffice

NODES_TESTS := tests/cashier tests/ledger/test_transaction.py tests/ledger/money \
	tests/edges/callback tests/edges/transfer tests/edges/betby tests/model tests/audit

# What else is in those was not run so. Events are read at a bucket's own node alone.
OTHER_NODES_TESTS := tests/cashier/test_move_funds.py tests/cashier/test_protection_races.py \
	tests/cashier/test_adjustments.py tests/cashier/test_inbox.py tests/cashier/test_restored.py \
	tests/cashier/test_watch.py tests/cashier/test_limit_zone.py tests/cashier/test_batching.py \
	tests/ledger/test_transaction.py tests/ledger/money

.PHONY: test-buckets
test-buckets: venv ## the cashier, the doors, the model, the audit, torture, views: on ledgers with 4 buckets
	TESTS_BUCKETS=$(or $(BUCKETS),4) $(BIN)/pytest -n $(WORKERS) $(ARGS) $(or $(TESTS),$(BUCKETS_TESTS))

.PHONY: test-citus
test-citus: venv ## what reads above the buckets, on a Citus cluster that WALLET_TEST_CITUS_URL names
	TESTS_BUCKETS=$(or $(BUCKETS),4) TESTS_ON_NODES=1 $(BIN)/pytest -n $(WORKERS) $(ARGS) $(or $(TESTS),$(CITUS_TESTS))

.PHONY: test-nodes
test-nodes: venv ## the cashier, the doors, the audit, what is run again, with buckets on that cluster's nodes (VIA=other: through wrong ones)
	TESTS_BUCKETS=$(or $(BUCKETS),4) TESTS_ON_NODES=1 $(if $(VIA),TESTS_VIA_OTHER_NODES=1) \
		$(BIN)/pytest -n $(WORKERS) $(ARGS) $(or $(TESTS),$(if $(VIA),$(OTHER_NODES_TESTS),$(NODES_TESTS)))

.PHONY: test-promotion
test-promotion: venv ## standbys of a Citus cluster's servers take over under load, some minutes (ROUNDS=…)
	PROMOTION_ROUNDS=$(or $(ROUNDS),10) $(BIN)/pytest -n 0 -s --timeout=900 $(ARGS) tests/citus/test_promotion.py

.PHONY: torture
torture: venv ## the wallet's worst day, as long as you like (ARGS="--seconds 60 --seed 1 --fault …")
	$(BIN)/python -m tests.torture $(ARGS)

.PHONY: test-ha
test-ha: venv ## a cluster under Patroni whose nodes fail under load, some fifteen minutes (ARGS="--failovers 20")
	$(BIN)/python -m tests.ha $(ARGS)

.PHONY: test-restore
test-restore: venv ## a ledger killed under load, restored to a moment and to the end (ARGS="--seconds 5")
	$(BIN)/python -m tests.restore $(ARGS)

.PHONY: reconcile-seeds
reconcile-seeds: venv ## two hundred reports with faults of every kind: each is found, and nothing else
	RECONCILIATION_SEEDS=$(or $(SEEDS),200) $(BIN)/pytest -n $(WORKERS) $(ARGS) tests/reconciliation/test_faults.py

.PHONY: fuzz-console
fuzz-console: venv ## every command of the console with every hostile value, half an hour (STREAMS=all: on every stream)
	CONSOLE_FUZZ=$(if $(STREAMS),product,each) $(BIN)/pytest -n $(WORKERS) --timeout=900 $(ARGS) tests/console/test_fuzz.py

.PHONY: screenshots
screenshots: venv ## every page of the back office in a browser, light and dark, on a phone and at a desk
	SCREENSHOTS=all $(BIN)/pytest -n 0 $(ARGS) tests/backoffice/test_browser.py

.PHONY: format
format: venv ## format the code, and mend what the linter can
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/ruff check --fix $(SOURCES)

.PHONY: lint
lint: venv ## is it formatted, is it clean
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)

.PHONY: types
types: venv ## do the types hold
	$(BIN)/mypy

.PHONY: imports
imports: venv ## do imports only go down
	$(BIN)/lint-imports

.PHONY: check
check: lint types imports test ## everything: format, lint, types, imports, tests

# --- measure ---------------------------------------------------------------------------------

.PHONY: bench
bench: venv ## speed beside four opponents, about fifteen minutes (ARGS='--only ROW,… --json FILE'; wants wrk, pgbench)
	$(BIN)/python -m bench $(ARGS)

.PHONY: bench-quick
bench-quick: venv ## about a minute: ratios only
	$(BIN)/python -m bench --quick --rounds 2 --seconds 2 $(ARGS)

.PHONY: pages
pages: venv ## the median time of each page of the back office (ARGS='--movements 5000000')
	$(BIN)/python -m bench.pages $(ARGS)

.PHONY: bench-beside
bench-beside: venv ## this checkout against another one, by turns, some five minutes (OTHER=FOLDER)
	@test -n "$(OTHER)" || { echo "Which checkout? OTHER=FOLDER, with a .venv of its own." >&2; exit 2; }
	$(BIN)/python -m bench --beside $(OTHER) $(ARGS)

.PHONY: bench-reconcile
bench-reconcile: venv ## a report of a million lines against as many movements, some two minutes (ARGS='--lines N')
	$(BIN)/python -m bench.reconcile $(ARGS)

.PHONY: bench-slips
bench-slips: venv ## a million bet slips projected, the lag, and the money road beside it, some six minutes (ARGS='--slips N')
	$(BIN)/python -m bench.slips $(ARGS)

.PHONY: bench-webhooks
bench-webhooks: venv ## events a second of one deliverer, and the money road beside it, some three minutes (ARGS='--rounds N')
	$(BIN)/python -m bench.webhooks $(ARGS)

# --- keep ------------------------------------------------------------------------------------

# uv lives in a folder of its own: nobody needs it but who changes the dependencies.
UV := build/uv/bin/uv
COMPILE = $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --custom-compile-command 'make lock' $(if $(UPGRADE),--upgrade)

$(UV):
	$(PYTHON) -m venv build/uv
	build/uv/bin/pip install --quiet --disable-pip-version-check uv

.PHONY: lock
lock: $(UV) ## lock the dependencies anew (UPGRADE=1 takes the newest)
	$(COMPILE) requirements/development.in -o requirements/development.lock
	$(COMPILE) requirements/service.in -c requirements/development.lock -o requirements/service.lock
	$(COMPILE) requirements/embedded.in -c requirements/development.lock -o requirements/embedded.lock
	$(COMPILE) requirements/run.in -c requirements/development.lock -o requirements/run.lock
	$(COMPILE) requirements/tracing.in -c requirements/development.lock -o requirements/tracing.lock
	$(COMPILE) requirements/clientgen.in -o requirements/clientgen.lock

.PHONY: clean
clean: ## remove what tools leave behind; neither .venv nor the demo's data
	rm -rf build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -not -path './.venv/*' -exec rm -rf {} +
