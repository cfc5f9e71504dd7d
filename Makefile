# Two commands do everything on a fresh Debian machine with Python 3.11:
#   make demo   plays a day at a service desk, on servers of its own
#   make test   runs every test, on real servers on loopback
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
JOBS ?= 2
PACKAGES := dovecot-imapd dovecot-lmtpd postfix postgresql strace systemd

.PHONY: demo test faults fuzz agreement month check bench format lock docs clean packages

demo: $(STAMP)
	$(BIN)/ticketd demo --out demo-out

test: $(STAMP) packages
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder tests

# Everything outside fails, call by call; what failed stays in faults-out/. One part: make faults LAYER=L1
faults: $(STAMP) packages
	$(BIN)/python -m tests.faults --layer $(or $(LAYER),all) --jobs $(JOBS)

# Hostile mails by the thousand: make fuzz COUNT=100000 SEED=7
fuzz: $(STAMP)
	$(BIN)/python -m tests.hostile --count $(or $(COUNT),10000) --seed $(or $(SEED),1) --jobs $(JOBS)
	$(BIN)/python -m tests.hostile --desk --count $(or $(COUNT),2500) --seed $(or $(SEED),1) --jobs $(JOBS)

# Does explain say what then happens? make agreement COUNT=1000 SEED=7
agreement: $(STAMP)
	$(BIN)/python -m tests.agreement --count $(or $(COUNT),1000) --seed $(or $(SEED),1)

# A month at a service desk on real servers, judged by somebody who shares no code: make month SEED=7 INCIDENTS=300
month: $(STAMP) packages
	$(BIN)/python -m tests.month --seed $(or $(SEED),1) --incidents $(or $(INCIDENTS),300)

check: $(STAMP)
	$(BIN)/ruff format --check daemon tests scripts
	$(BIN)/ruff check daemon tests scripts
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/make_docs.py --check

bench: $(STAMP) packages
	$(BIN)/python scripts/bench.py

format: $(STAMP)
	$(BIN)/ruff format daemon tests scripts
	$(BIN)/ruff check --fix daemon tests scripts

docs: $(STAMP)
	$(BIN)/python scripts/make_docs.py
	$(BIN)/python -m tests.guide --write

# The environment: versions and hashes from the lock, then ticketd itself, editable.
$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "ticketd needs Python 3.11 or newer"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || scripts/install_packages python3-venv
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

packages:
	@scripts/install_packages $(PACKAGES)

# Needs uv; writes versions and hashes for every platform and Python that we support, and no addresses.
lock:
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	    --no-annotate --extra postgres --extra demo --extra xlsx --extra charts --extra oauth --extra metrics \
	    --extra dev pyproject.toml -o requirements.lock

clean:
	rm -rf $(VENV) build dist demo-out faults-out
