# Digital DJ: `make run` starts it, `make test` tests it; both set up what they need.

# where the app is served: make run PORT=9000 HOST=0.0.0.0
HOST ?= 127.0.0.1
PORT ?= 8501
# the names others reach it by, once HOST lets them in: make run HOST=0.0.0.0 NAMES=dj.example.org
NAMES ?= *

# make setup TORCH=cpu takes PyTorch's smaller build; PYTHON names another interpreter
export TORCH PYTHON

.DEFAULT_GOAL := help
.PHONY: help run setup setup-dev test lint check bench fuzz soak clean

help: ## show this list
	@awk -F ': .*## ' '/^[a-z-]+:.*##/ { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: setup ## set up and serve the app; PORT and HOST can be set
	.venv/bin/python -m streamlit run app.py --server.address $(HOST) --server.port $(PORT) \
		$(if $(filter 127.0.0.1 localhost,$(HOST)),,--server.allowedHosts '$(NAMES)')

setup: ## make .venv with the pinned packages
	@bash scripts/setup.sh

setup-dev: setup
	@bash scripts/setup.sh dev

test: setup-dev ## run every test, with a real browser
	@bash scripts/system-packages.sh ffmpeg
	@.venv/bin/python tests/browser.py
	OMP_NUM_THREADS=1 .venv/bin/python -m pytest -n 2 --dist loadfile --durations=40 --durations-min=5 # two workers, a thread each

lint: setup-dev
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/python scripts/check_code.py
	.venv/bin/mypy
	.venv/bin/oxlint --deny-warnings dj_ui

check: lint test ## everything a change must pass

FUZZ_SEED ?= 1
fuzz: setup-dev ## read 20,000 hostile MIDI files; FUZZ_SEED names others
	.venv/bin/python tests/hostile_midi.py --cases 20000 --seed $(FUZZ_SEED)

soak: setup ## thirty DJs at once for ten minutes, against a server of their own
	.venv/bin/python scripts/soak.py

bench: setup-dev ## measure every speed that is quoted; CORPORA=FOLDER for real files
	OMP_NUM_THREADS=1 .venv/bin/python -m benchmarks.speed $(if $(CORPORA),--corpora $(CORPORA))

clean: ## remove what was made here; your corpora and models stay
	rm -rf .venv .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
