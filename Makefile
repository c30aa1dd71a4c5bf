# Everything a newcomer needs: `make demo`, `make test`. Both install what they need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: demo test lint checks tests faults soak bench translations lock clean

## demo: run the whole system on this machine; ONCE=1 checks what arrived and ends
demo: $(INSTALLED)
	$(BIN)/python -m demo $(if $(ONCE),--once)

## test: everything that must hold, on SQLite and on PostgreSQL
test: lint checks tests

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

# with secrets of the moment: nothing here is stored
checks: export SECRET_KEY := $(shell $(PYTHON) -c 'import secrets; print(secrets.token_urlsafe(50))')
checks: export NOTIFIER_FINGERPRINT_KEY := $(SECRET_KEY)
checks: export NOTIFIER_ENCRYPTION_KEYS := $(shell $(PYTHON) -c 'import base64, os; print(base64.urlsafe_b64encode(os.urandom(32)).decode())')
checks: $(INSTALLED)
	$(BIN)/notifier makemigrations --check --dry-run
	$(BIN)/notifier check --deploy --fail-level WARNING

FAULTS := tests/acceptance/faults
# what starts a database of its own, or needs none, needs no second run
OWN_DATABASE := --ignore tests/media --ignore tests/unit --ignore tests/acceptance/test_bench.py --ignore tests/acceptance/test_demo.py --ignore tests/acceptance/test_procfile.py --ignore tests/servers \
  --ignore tests/acceptance/test_plugin_package.py --ignore tests/acceptance/test_packaging.py --ignore $(FAULTS)/test_databases.py
# what has nothing to do with the database is broken on PostgreSQL alone
ELSEWHERE := --ignore $(FAULTS)/test_clocks.py --ignore $(FAULTS)/test_misbehaving_plugins.py --ignore tests/acceptance/test_alertmanager.py \
  $(foreach name,black_hole garbage memory sentinel,--ignore tests/acceptance/test_$(name).py)

tests: $(INSTALLED)
	$(BIN)/pytest -n auto $(ELSEWHERE)
	$(BIN)/python -m servers.postgresql -- $(BIN)/pytest -n auto $(OWN_DATABASE)

## faults: break everything, at length, on both databases; print what came of it as a table
faults: export NOTIFIER_FAULT_TABLE := $(CURDIR)/.var/faults.jsonl
faults: export NOTIFIER_FAULT_SIZE := 5000
faults: export NOTIFIER_FAULT_AWAY_S := 30
faults: $(INSTALLED)
	mkdir -p .var && rm -f $(NOTIFIER_FAULT_TABLE)
	$(BIN)/pytest -n auto $(FAULTS) $(ELSEWHERE)
	$(BIN)/python -m servers.postgresql -- $(BIN)/pytest -n auto $(FAULTS) $(OWN_DATABASE)
	$(BIN)/python -m $(subst /,.,$(FAULTS)).table $(NOTIFIER_FAULT_TABLE)

## soak: faults at random for an hour, on PostgreSQL; MINUTES=5 SEED=2 for another
soak: export NOTIFIER_SOAK_MINUTES := $(or $(MINUTES),60)
soak: export NOTIFIER_SOAK_SEED := $(or $(SEED),1)
soak: $(INSTALLED)
	$(BIN)/python -m servers.postgresql -- $(BIN)/pytest $(FAULTS)/soak.py

## bench: measure, beside the raw ceilings of the same run; PUBLISH=1 for docs/performance, SIZE=quick for less
bench: $(INSTALLED)
	$(BIN)/python -m bench --size $(or $(SIZE),full) $(if $(PUBLISH),--publish)

## translations: compile what translators wrote
translations: $(INSTALLED)
	$(BIN)/pybabel compile --domain django --directory notifier/locale

## .env: secrets for development, for the Procfile
.env:
	umask 077 && $(PYTHON) deploy/make_env.py > $@

## lock: bring the pinned versions up to date
lock: $(INSTALLED)
	for extras in server "server --extra bench" "server --extra dev"; do \
	  $(BIN)/uv pip compile --quiet --upgrade --universal --no-emit-index-url --no-annotate --no-header \
	    --extra $$extras pyproject.toml --output-file requirements/$${extras##* }.txt || exit 1; \
	done

$(INSTALLED): pyproject.toml requirements/dev.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement requirements/dev.txt --editable .
	touch $@

clean:
	rm -rf $(VENV) .var .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis build *.egg-info
