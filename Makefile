# Two commands do everything from a fresh checkout: `make demo` and `make test`.

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/installed

.PHONY: setup demo up test bench terraform-tools checkov terraform-validate storm-test simulate storm describe fuzz mutants lint format clean

setup: $(INSTALLED)

$(INSTALLED): requirements.txt functions/requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Render Relay needs Python 3.11 or newer; say which with: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.txt
	@touch $@

demo: setup
	$(BIN)/python -m infra.demo

up: setup
	$(BIN)/python -m infra.local up

# Most of it is waiting, so three processes do on two cores; a file stays in one of them.
test: setup terraform-tools
	$(BIN)/python -m pytest -n 3 --dist loadfile -m "not storm"

# What the tests of terraform/ need beside Terraform itself; the first time it downloads some 100 MB.
terraform-tools: setup checkov
	$(BIN)/python -m tests.terraform.provider_schema

# It brings along a hundred packages, so it has a virtual environment of its own.
CHECKOV := .local/checkov

checkov: $(CHECKOV)/installed

$(CHECKOV)/installed: tests/terraform/checkov-requirements.txt
	$(PYTHON) -m venv --clear $(CHECKOV)
	$(CHECKOV)/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

# For machines that reach a registry of providers; the tests do without.
terraform-validate:
	terraform -chdir=terraform init -backend=false -input=false
	terraform -chdir=terraform validate

storm-test: setup
	$(BIN)/python -m pytest -m storm tests/system/test_storm.py

# Hostile histories on a virtual clock: make simulate SEEDS=100000 FROM=0
SEEDS ?= 2000
FROM ?= 0

simulate: setup
	$(BIN)/python -m infra.simulator --seeds $(SEEDS) --from $(FROM) --jobs 2

# Real processes on the emulators, killed all the while: make storm ARGS="--jobs 1000 --seed 7"
storm: setup
	$(BIN)/python -m infra.storm $(ARGS)

# OpenAPI, AsyncAPI and JSON Schemas in docs/, from the code and infra/describe/.
describe: setup
	$(BIN)/python -m infra.describe

# All that the OpenAPI file allows and forbids, against a live stack: make fuzz CASES=20000
CASES ?= 5000

fuzz: setup
	$(BIN)/python -m infra.describe.fuzz --cases $(CASES) $(ARGS)

# Small random faults put into copies of the code, and which of them no test notices:
# make mutants ARGS="--seed 7 --only domain/*.py"
mutants: setup
	$(BIN)/python -m infra.mutants $(ARGS)

# Figures against the floor, counted operations, growth; writes docs/benchmarks.md and its charts.
bench: setup
	$(BIN)/python -m infra.bench all

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict functions infra
	$(BIN)/python -m pytest --quiet tests/unit/test_architecture.py

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf .venv .local demo-output .pytest_cache .mypy_cache .ruff_cache .hypothesis
