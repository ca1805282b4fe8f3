# `make demo` and `make test` do everything from a fresh checkout. Bare `make` lists the targets.

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/installed
CHECKOV := .local/checkov
CLIENTS := .local/clients
# Without bytecode, which pip makes on one core alone.
PIP_INSTALL := -m pip install --quiet --no-compile --disable-pip-version-check --requirement
# Some machines forbid bytecode; every process that a test starts would then compile all packages.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help setup demo up test test-thorough test-busy storm-test lint format describe pins simulate storm fuzz \
	mutants bench terraform-tools checkov terraform-validate terraform-lock client-tools browser \
	console-library console-pictures clean

# Runs a command and shows what it says only if it fails.
define quietly
	@mkdir -p .local
	@$(1) >.local/install.log 2>&1 || { status=$$?; cat .local/install.log >&2; exit $$status; }
endef

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-19s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

setup: $(INSTALLED) ## install everything into .venv

$(INSTALLED): requirements.txt functions/requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Render Relay needs Python 3.11 or newer; say which with: make PYTHON=python3.11 ...")'
	@echo "Installing packages into .venv ..."
	$(call quietly,$(PYTHON) -m venv .venv)
	$(call quietly,$(BIN)/python $(PIP_INSTALL) requirements.txt)
	$(call quietly,$(BIN)/python -m compileall -qq -j 0 .venv/lib)
	@touch $@

demo: setup ## send twelve jobs through both providers' sandbox, and check them: ARGS="--stay"
	$(BIN)/python -m infra.demo $(ARGS)

up: setup ## run the whole system here until Ctrl-C: ARGS="--logs --strict-ids --traces"
	$(BIN)/python -m infra.local up $(ARGS)

# Emulators that run for minutes: to compile them for speed costs half of their processor time.
demo test test-thorough test-busy storm-test: export JDK_JAVA_OPTIONS := -XX:TieredStopAtLevel=1 -XX:+UseSerialGC

# Tests mostly wait, so two cores can run three processes. Each file stays in one process.
test: setup ## run the tests that take seconds, and need Python, Java and the Google Cloud SDK
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder -m "not storm and not thorough"

test-thorough: setup terraform-tools client-tools browser ## run those that take longer, or need more
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder -m thorough
	$(BIN)/python -m pytest -n 3 --dist loadfile -m "hypothesis and not thorough" --hypothesis-profile many

# The others depend on no clock but their own.
test-busy: setup ## run those of `make test` that use real time, with every core busy
	$(BIN)/python -m tests.busy -m pytest -n 3 --dist loadfile -m "not storm and not thorough" \
		tests/adapters tests/entrypoints tests/infra tests/system

storm-test: setup ## run the storm as a test: 150 jobs, processes killed
	$(BIN)/python -m pytest -m storm tests/system/test_storm.py

lint: setup ## check style, types, the direction of imports, and citations
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict functions infra tests
	$(BIN)/python -m pytest --quiet tests/unit/test_architecture.py tests/unit/test_citations.py

format: setup ## format the code, and fix what ruff can fix
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

describe: setup ## generate OpenAPI, AsyncAPI and JSON Schemas into docs/
	$(BIN)/python -m infra.describe

# Installs what was pinned before it reads the packages' licences.
pins: setup ## pin the newest versions of all packages: ARGS=--keep after a change of infra/pins/*.in
	$(BIN)/python -m infra.pins $(ARGS)
	$(if $(filter --keep,$(ARGS)),,$(BIN)/python -m tests.clients.tools --renew)
	@$(MAKE) --no-print-directory setup
	$(BIN)/python -m infra.pins.licences

SEEDS ?= 2000
FROM ?= 0

simulate: setup ## check hostile histories on a virtual clock: SEEDS=100000 FROM=0
	$(BIN)/python -m infra.simulator --seeds $(SEEDS) --from $(FROM) --jobs 2

storm: setup ## kill real processes while jobs go through: ARGS="--jobs 1000 --seed 7"
	$(BIN)/python -m infra.storm $(ARGS)

CASES ?= 5000

fuzz: setup ## call a live API with all that its description allows and forbids: CASES=20000
	$(BIN)/python -m infra.describe.fuzz --cases $(CASES) $(ARGS)

mutants: setup ## find one-line faults that no test catches: ARGS="--seed 7 --only domain/*.py"
	$(BIN)/python -m infra.mutants $(ARGS)

bench: setup browser ## measure cost, throughput and growth, and write docs/benchmarks.md
	$(BIN)/python -m infra.bench all

# Downloads some 100 MB the first time.
terraform-tools: setup checkov ## fetch what the tests of terraform/ need beside Terraform
	$(BIN)/python -m tests.terraform.provider_schema

# Checkov needs a hundred packages, so it has a virtual environment of its own.
checkov: $(CHECKOV)/installed ## install checkov into .local/checkov

$(CHECKOV)/installed: tests/terraform/checkov-requirements.txt
	@echo "Installing checkov into $(CHECKOV) ..."
	$(call quietly,$(PYTHON) -m venv --clear $(CHECKOV))
	$(call quietly,$(CHECKOV)/bin/python $(PIP_INSTALL) $<)
	@touch $@

client-tools: setup $(CLIENTS)/installed ## install what checks docs/openapi.yaml into .local/clients

$(CLIENTS)/installed: tests/clients/package-lock.json
	@echo "Installing Node tools into $(CLIENTS) ..."
	$(call quietly,$(BIN)/python -m tests.clients.tools)
	@touch $@

# Tests in a browser are skipped where there is none: only root can install Debian's.
browser: ## install the browser that the console's tests run in, if this is Debian and we are root
	@for name in chromium-headless-shell chromium chromium-browser google-chrome; do \
		if command -v $$name >/dev/null; then exit 0; fi; done; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing chromium-headless-shell ..."; mkdir -p .local; \
		{ apt-get update -q && apt-get install -y -q --no-install-recommends chromium-headless-shell; } \
			>.local/install.log 2>&1 || { cat .local/install.log >&2; exit 1; }; \
	else echo "There is no Chromium here: the console's browser tests will be skipped." >&2; fi

console-library: client-tools ## renew the console's copy of lit-html from tests/clients/package.json
	$(BIN)/python -m tests.console.lit_html

console-pictures: setup browser ## take the console's pictures in docs/console anew
	$(BIN)/python -m infra.bench console --pictures docs/console

terraform-validate: ## validate terraform/ with the real plugin, where a registry can be reached
	terraform -chdir=terraform init -backend=false -input=false
	terraform -chdir=terraform validate

terraform-lock: ## write the plugins' checksums for all platforms, where a registry can be reached
	terraform -chdir=terraform providers lock -platform=linux_amd64 -platform=linux_arm64 \
	  -platform=darwin_amd64 -platform=darwin_arm64 -platform=windows_amd64

clean: ## remove everything that was installed or generated here
	rm -rf .venv .local demo-output .pytest_cache .mypy_cache .ruff_cache .hypothesis
