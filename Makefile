# Every command a contributor needs; `make` alone lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash

VENV := .venv
BIN := $(VENV)/bin
NATIVE := $(VENV)/native.stamp
SETUP := $(VENV)/setup.stamp
DEVELOPMENT := $(VENV)/development.stamp
WHEELS := $(VENV)/wheels.stamp
AUDIT := build/audit/audit.stamp
AUDIT_TEMPLATES := build/audit-templates/audit.stamp
DOCKER ?= docker
IMAGE ?= logstats/processor
ENV ?= dev
CDK_CLI := node_modules/aws-cdk/bin/cdk
# The Node of the locked package, which setup brings: none has to be installed.
NODE = $(shell $(BIN)/python -c 'import os, cdk; print(os.environ["JSII_NODE"])')

# The first interpreter that really starts, is CPython 3.12 or 3.11 and can make environments.
PYTHON ?= $(shell for p in python3.12 "$$HOME"/.pyenv/versions/3.12*/bin/python /opt/homebrew/bin/python3.12 \
    python3.11 "$$HOME"/.pyenv/versions/3.11*/bin/python python3 python; do \
    "$$p" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' \
    >/dev/null 2>&1 && echo "$$p" && break; done)

.PHONY: help
help:  ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: print-python
print-python:
	@echo $(PYTHON)

.PHONY: run
run: setup  ## Start the local cloud, ingest api_requests.log, show statistics, serve until Ctrl-C
	@$(BIN)/logstats up --upload api_requests.log

.PHONY: setup
setup: $(SETUP) $(NATIVE) $(WHEELS)  ## Create .venv with the logstats command and what it needs

.PHONY: development
development: setup $(DEVELOPMENT)  ## Add what checks and tests need; they do it themselves

$(VENV)/bin/uv: requirements-bootstrap.txt
	@if [ -z "$(PYTHON)" ]; then \
	    echo "No suitable Python found: CPython 3.12 or 3.11 with the venv module is needed." >&2; \
	    echo "Install one (Debian and Ubuntu: python3 and python3-venv; macOS: python@3.12; or pyenv)" >&2; \
	    echo "or name yours: make $(MAKECMDGOALS) PYTHON=/path/to/python3.12" >&2; exit 1; fi
	@echo "The first time takes about three minutes; it fetches 350 MB and writes 2 GB, all into this folder."
	@echo "Creating $(VENV) with $$($(PYTHON) --version) ($(PYTHON))"
	@"$(PYTHON)" -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bootstrap.txt
	@touch $@

# uv shows its progress on a terminal.
INSTALL := $(BIN)/uv pip install --python $(BIN)/python $(shell [ -t 2 ] || echo --quiet)

# The CDK is not compiled in advance: a few of its 300 modules are used, and all of them are 200 MB of bytecode.
$(SETUP): $(VENV)/bin/uv requirements.txt pyproject.toml
	@echo "Installing the pinned packages"
	@$(INSTALL) --require-hashes -r requirements.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@$(BIN)/python -W ignore -m compileall -q -j 0 -x '/aws_cdk/' $(VENV)/lib || true  # what is not Python is not imported
	@touch $@

$(DEVELOPMENT): $(SETUP) requirements-dev.txt
	@echo "Installing what checks and tests need: 450 MB on disk"
	@$(INSTALL) --compile-bytecode --require-hashes -r requirements-dev.txt
	@touch $@

$(NATIVE): $(SETUP) $(wildcard layers/logstats/native/*.c layers/logstats/native/*.h layers/logstats/native/build.py)
	@echo "Compiling the native kernel"
	@$(BIN)/python layers/logstats/native/build.py
	@touch $@

# So that `make synth` works offline; the layers are for Lambda, whatever this machine is.
$(WHEELS): $(SETUP) layers/dependencies/requirements.txt functions/migrate/requirements.txt
	@echo "Fetching the packages of the Lambda layers"
	@$(BIN)/python -m cdk.bundling
	@touch $@

# Two more workers than cores: tests wait for servers and clocks. In the order of the folders: what takes longest begins.
# Bytecode is kept, whatever the environment says: to rewrite the assertions of all tests takes each worker as long as to import them.
PYTEST := PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest --numprocesses $(shell expr 2 + $$(getconf _NPROCESSORS_ONLN)) \
    --dist loadscope --no-loadscope-reorder

# One process: a second would only import and trace the same again.
DOMAIN := PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest --quiet tests/unit/logstats/domain \
    --cov=logstats.domain --cov-branch --cov-fail-under=100 --cov-report=term-missing

.PHONY: test
test: development  ## Run all tests but those of the tiers below (no Docker, no account)
	@mkdir -p build; $(DOMAIN) >build/test-domain.log 2>&1 & \
	$(PYTEST) --ignore=tests/unit/logstats/domain; others=$$?; \
	wait $$!; domain=$$?; cat build/test-domain.log; exit $$((others | domain))

.PHONY: test-domain
test-domain: development  ## Run the domain's own tests, which must cover every branch of it
	@$(DOMAIN)

.PHONY: test-processor
test-processor: development  ## Run the processor's tests
	@$(PYTEST) --quiet tests/unit/processor tests/integration/processor tests/faults/test_protocol.py

.PHONY: test-api
test-api: development  ## Run the API's tests, and those of the documents
	@$(PYTEST) --quiet tests/unit/api tests/integration/api tests/integration/local/test_stats.py \
	    tests/e2e/test_committed_log.py tests/unit/test_documentation.py

.PHONY: test-page
test-page: development  ## Run the page's tests, in a browser too
	@$(PYTEST) --quiet tests/unit/api/test_page_modules.py tests/unit/api/test_page_colours.py \
	    tests/unit/api/test_assets.py tests/browser

.PHONY: test-cdk
test-cdk: development  ## Run the tests of the templates, and of the runbook
	@$(PYTEST) --quiet tests/infrastructure tests/unit/test_runbook.py tests/unit/test_architecture.py

.PHONY: test-walkthroughs
test-walkthroughs: development  ## Run what the documents show, and every way to start and end the local cloud
	@$(PYTEST) --quiet -m walkthroughs tests/e2e

.PHONY: test-kernel
test-kernel: development  ## Run the kernel's tests with sanitizers, and let every allocation fail
	@$(BIN)/python -m tests.sanitize

.PHONY: test-fuzz
test-fuzz: development  ## Fuzz the kernel and the parsers (clang; FUZZ="1200 feed" for 20 minutes of one target)
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r tests/fuzz/requirements.txt
	@$(BIN)/python -m tests.fuzz.run $(or $(FUZZ),60)

.PHONY: test-nightly
test-nightly: test-kernel test-fuzz  ## Run the property tests at length and 10 000 fault schedules: about an hour
	@HYPOTHESIS_PROFILE=nightly $(PYTEST) --timeout=3600 --durations=5 tests/unit/logstats
	@HYPOTHESIS_PROFILE=nightly $(PYTEST) --timeout=7200 --dist load --maxschedchunk 1 -m nightly
	@FAULTS_KILLS=50 $(BIN)/python -m pytest tests/faults/test_faults.py -k kill_9

.PHONY: test-mutations
test-mutations: development  ## Break the exactly-once protocol and the merge; the tests must notice each
	@$(BIN)/python -m pytest -m mutations tests/faults

.PHONY: stand-in-images
stand-in-images: setup  ## Make stand-ins for the public base images where none can be pulled (root, debootstrap, Docker)
	@DOCKER=$(DOCKER) tests/docker/stand_in_images.sh $(BIN)/python

.PHONY: test-docker
test-docker: development  ## Run the tests that need Docker, which must be there
	@REQUIRE_DOCKER=1 DOCKER=$(DOCKER) $(BIN)/python -m pytest -m docker

.PHONY: check
check: development  ## Formatting, lint, types, direction of imports
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

.PHONY: format
format: development  ## Format and fix what can be fixed
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

.PHONY: hooks
hooks: development  ## Install the Git hooks: format and lint at commit, `make check` at push
	@$(BIN)/pre-commit install

.PHONY: audit
audit: audit-code audit-packages  ## Both of what follows

.PHONY: audit-packages
audit-packages: $(AUDIT)  ## Look for known weaknesses in the locked packages (asks the package registry)
	@for f in $(LOCKED); do echo $$f.txt; \
	    build/audit/bin/pip-audit --strict --disable-pip --require-hashes --progress-spinner off -r $$f.txt || exit 1; done

.PHONY: audit-code
audit-code: $(AUDIT) audit-templates  ## Look for weak code (bandit), secrets (detect-secrets), weak workflows (zizmor) and templates; offline
	@build/audit/bin/bandit --quiet --recursive --configfile pyproject.toml cdk functions layers local benchmarks
	@git ls-files -z -- ':!tests/samples' | xargs -0 build/audit/bin/detect-secrets-hook --no-verify
	@build/audit/bin/zizmor --quiet --offline .github

.PHONY: audit-templates
audit-templates: $(AUDIT_TEMPLATES)  ## Look for what is wrong (cfn-lint) or weak (checkov) in templates of all kinds; offline
	@rm -rf build/templates && $(BIN)/python -m tests.infrastructure.matrix build/templates
	@build/audit-templates/bin/cfn-lint --config-file .github/cfnlintrc.yaml build/templates/*.json
	@build/audit-templates/bin/checkov --config-file .github/checkov.yaml --directory build/templates

$(AUDIT_TEMPLATES): $(SETUP) .github/templates-requirements.txt
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python build/audit-templates
	@$(BIN)/uv pip install --quiet --python build/audit-templates --require-hashes -r .github/templates-requirements.txt
	@touch $@

$(AUDIT): $(SETUP) .github/requirements.txt
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python build/audit
	@$(BIN)/uv pip install --quiet --python build/audit --require-hashes -r .github/requirements.txt
	@touch $@

.PHONY: synth
synth: setup  ## Synthesise the AWS templates into cdk.out/ (offline, no account, no Docker)
	@$(BIN)/python -m cdk.app

.PHONY: cdk-synth
cdk-synth: synth $(CDK_CLI)  ## Synthesise with the pinned CDK command line too, and compare
	@"$(NODE)" $(CDK_CLI) synth --quiet --no-notices --output build/cdk-cli && \
	for e in dev prod; do cmp cdk.out/logstats-$$e.template.json build/cdk-cli/logstats-$$e.template.json || exit 1; done
	@echo "The CDK command line gives the same templates"

$(CDK_CLI): $(SETUP) package-lock.json
	@echo "Fetching the pinned CDK command line"
	@"$(NODE)" "$$(dirname "$(NODE)")/../lib/node_modules/npm/bin/npm-cli.js" ci --silent --no-audit --no-fund
	@touch $@

.PHONY: cdk
cdk: setup $(CDK_CLI)  ## Run the pinned CDK command line (CDK="diff logstats-dev")
	@"$(NODE)" $(CDK_CLI) --no-notices $(CDK)

.PHONY: preflight
preflight: setup  ## Find out what would stop a deployment to AWS (ENV=dev)
	@$(BIN)/python -m cdk.preflight $(ENV)

.PHONY: deploy
deploy: preflight $(CDK_CLI)  ## Deploy to AWS, after the preflight (ENV=dev; CDK="-c backfill=true")
	@$(BIN)/python -m cdk.first_deployment $(ENV)
	@"$(NODE)" $(CDK_CLI) --no-notices deploy logstats-$(ENV) $(CDK)

.PHONY: image
image:  ## Build the processor's image (BASE_IMAGE=... for another base, IMAGE=... for another name; needs Docker)
	$(DOCKER) build $(if $(BASE_IMAGE),--build-arg BASE_IMAGE=$(BASE_IMAGE)) $(DOCKER_BUILD_OPTIONS) \
	    --file functions/processor/Dockerfile --tag $(IMAGE) .

.PHONY: openapi
openapi: setup  ## Renew the checked-in OpenAPI document of the API
	@$(BIN)/python -m api.openapi > functions/api/openapi.json.new && mv functions/api/openapi.json.new functions/api/openapi.json

.PHONY: bench
bench: setup  ## Compare with DuckDB, Polars, GoAccess and the textbook flow (BENCH="--lines 1000000 10000000 --runs 5")
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r benchmarks/requirements.txt
	@$(BIN)/python -m benchmarks.run $(BENCH)
	@$(BIN)/python -m benchmarks.formats
	@$(BIN)/python -m benchmarks.broken_down

.PHONY: bench-api
bench-api: development  ## Compare the API with a textbook one under load (wrk; BENCH="--runs 5 --seconds 10")
	@$(BIN)/python -m benchmarks.api.run $(BENCH)

.PHONY: bench-fleet
bench-fleet: setup  ## Measure what is asked of all customers, rewrite docs/performance-fleet.md (quiet machine; some minutes)
	@$(BIN)/python -m benchmarks.fleet $(BENCH)
	@$(BIN)/python -m benchmarks.divided

.PHONY: soak
soak: development  ## Ten minutes of siege on the API while logs are ingested (siege; BENCH="--seconds 600")
	@$(BIN)/python -m benchmarks.api.soak $(BENCH)

LOCKED := requirements-dev requirements functions/processor/requirements functions/processor/build-requirements \
    functions/migrate/requirements layers/dependencies/requirements benchmarks/requirements requirements-bootstrap \
    local/emulator/requirements .github/requirements tests/fuzz/requirements

.PHONY: scaling
scaling: setup  ## Measure ingests and their commits, rewrite docs/scaling.md (quiet machine; some minutes)
	@$(BIN)/python -m benchmarks.scaling $(BENCH)

.PHONY: lock
lock: setup  ## Renew the hash-locked requirements from the *.in files
	@for f in $(LOCKED) .github/templates-requirements; do \
	    constraint=; case $$f in requirements-dev|local/*|.github/*) ;; *) constraint="-c requirements-dev.txt";; esac; \
	    $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
	        --no-header $(LOCK) $$constraint $$f.in -o $$f.txt || exit 1; done

.PHONY: clean
clean:  ## Remove environments, build output and the local cloud's data
	@[ ! -x $(BIN)/logstats ] || $(BIN)/logstats down --quiet || true
	rm -rf $(VENV) .local cdk.out build *.egg-info .coverage* .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	find layers -name '*.so' -o -name '*.dylib' | xargs rm -f
