# Everything that these commands need is installed inside this clone: Poetry and Cookiecutter in
# .tools/, the dependencies of pyproject.toml in .venv/. Renders go to build/.

PYTHON ?= python3
TOOLS := $(CURDIR)/.tools
export POETRY := $(TOOLS)/bin/poetry
RENDERED := build/rendered/async_service
unexport VIRTUAL_ENV
# Without bytecode each of the processes that the tests start compiles all that it imports.
unexport PYTHONDONTWRITEBYTECODE

# Poetry uses a PyPI API that many mirrors lack; poetry-plugin-pypi-mirror makes it use the index
# that pip is configured for.
PACKAGE_INDEX = $(shell test ! -x $(POETRY) || $(TOOLS)/bin/python scripts/package_index.py)
%: export POETRY_PYPI_MIRROR_URL = $(PACKAGE_INDEX)

.DEFAULT_GOAL := help
.PHONY: help demo test lint bench soak suite rendered lock manifest settings

help: ## Show this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 8

demo: .tools/installed ## Render a project and serve it (PROJECT_NAME=... FAN_OUT=... UPSTREAM_URL=... PORT=...)
	@$(TOOLS)/bin/python scripts/demo.py

test: .venv/installed lint ## Run all tests, or some: make test TESTS=tests/hooks
	.venv/bin/pytest $(TESTS)

lint: .venv/installed ## Lint and type-check hooks, tests, scripts, workflows and onloop, and check its imports
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	cd packages/onloop && ../../.venv/bin/ruff check onloop/ && ../../.venv/bin/ruff format --check onloop/
	cd packages/onloop && ../../.venv/bin/lint-imports --no-cache
	.venv/bin/zizmor --offline --quiet .github "{{cookiecutter.project_slug}}/.github"

bench: rendered ## Measure side by side, into docs/benchmarks.md (about 15 minutes; needs wrk)
	.venv/bin/python -m benchmarks --project $(RENDERED)

soak: rendered ## Serve for ten minutes under attack, into docs/reliability.md (needs PostgreSQL and redis-server)
	$(RENDERED)/.venv/bin/python -m soak --project $(RENDERED)

suite: rendered ## Run Django's own tests on onloop's handler and on Django's (about 10 minutes)
	$(RENDERED)/.venv/bin/python packages/onloop/django_suite.py $(LABELS)

rendered: .venv/installed
	.venv/bin/cookiecutter --no-input --overwrite-if-exists --output-dir $(dir $(RENDERED)) .
	$(MAKE) -C $(RENDERED) install EXTRAS="fast otel postgres redis rq"

manifest: ## Seal onloop: write its version and the SHA-256 of each of its files into its MANIFEST
	@$(PYTHON) scripts/manifest.py

settings: ## Write docs/settings.md of every project from its settings
	@$(PYTHON) scripts/settings_page.py

lock: .tools/installed ## Refresh the template's lock and the one that every project gets
	$(POETRY) lock --regenerate
	$(TOOLS)/bin/python scripts/lock.py

.PHONY: copier pictures
copier: .venv/installed ## Write copier.yml from cookiecutter.json
	.venv/bin/python scripts/copier_yml.py

pictures: .venv/installed ## Take the pictures in docs/ from a real run (needs Chromium, curl and port 8000)
	.venv/bin/python -m scripts.pictures

.tools/installed: scripts/tools.txt
	$(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/pip install --quiet --requirement scripts/tools.txt
	@touch $@

.venv/installed: .tools/installed pyproject.toml poetry.lock
	$(POETRY) install
	@touch $@
