# Digital DJ: `make run` starts it, `make test` tests it; both set up what they need.

# where the app is served: make run PORT=9000 HOST=0.0.0.0
HOST ?= 127.0.0.1
PORT ?= 8501

# make setup TORCH=cpu takes PyTorch's smaller build; PYTHON names another interpreter
export TORCH PYTHON

.DEFAULT_GOAL := help
.PHONY: help run setup setup-dev test lint check clean

help: ## show this list
	@awk -F ': .*## ' '/^[a-z-]+:.*##/ { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: setup ## set up and serve the app; PORT and HOST can be set
	.venv/bin/python -m streamlit run app.py --server.address $(HOST) --server.port $(PORT)

setup: ## make .venv with the pinned packages
	@bash scripts/setup.sh

setup-dev: setup
	@bash scripts/setup.sh dev

test: setup-dev ## run every test, with a real browser
	@bash scripts/system-packages.sh ffmpeg
	@.venv/bin/python tests/browser.py
	.venv/bin/python -m pytest -n 2 --dist loadfile

lint: setup-dev
	.venv/bin/ruff check
	.venv/bin/ruff format --check

check: lint test ## everything a change must pass

clean: ## remove what was made here; your corpora and models stay
	rm -rf .venv .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
