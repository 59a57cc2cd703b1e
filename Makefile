# Pointsman's commands; `make help` lists them.
#   ACCEL=cuda   a machine with an NVIDIA GPU (default: cpu); an environment is for one of the two
#   CONFIG=FILE  what `make up` serves (default: the demo)
#   PORT=N       where `make up` listens (default: what the config says)
#   INTENTS=DIR  clinc150/{train,val,test}.jsonl and banking77/{train,test}.jsonl, for `make bench-router`
#   PROOF=WORDS  more words for the proofs, for example PROOF='--operations 1000 --kill-engine 30'
#   CORE=N       the core that `make bench-router` runs on
SHELL := /bin/bash
.DEFAULT_GOAL := help
ACCEL ?= cpu
CONFIG ?= deploy/demo/pointsman.yaml
PORT ?=
INTENTS ?= $(or $(POINTSMAN_DATA),../shared/data)/intents
CORE ?= 0
PROOF ?=
BIN := .venv/bin
STAMP := .venv/.made-for-$(ACCEL)

.PHONY: help env env-quantize up test prove-swap prove-bytes prove-gate prove-release bench-router bench-serving bench-training check format lock clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## *' '{printf "  make %-14s %s\n", $$1, $$2}'

env: $(STAMP)  ## the environment in .venv, with the `pointsman` command in it
	@:
$(STAMP): deploy/env/$(ACCEL).txt deploy/env/quantize.txt pyproject.toml
	@deploy/env/make-env.sh $(ACCEL)

env-quantize: env  ## GPTQModel once more, where `make env` could not install it
	@deploy/env/make-quantize.sh

up:  ## serve the demo on 127.0.0.1:8000 until Ctrl-C
	@deploy/env/before-up.sh $(ACCEL) $(CONFIG) $(PORT)
	@$(MAKE) --no-print-directory env
	@exec $(BIN)/pointsman serve --config $(CONFIG) $(if $(PORT),--port $(PORT))

test: env  ## the whole suite, by two processes; vLLM is started once
	@$(BIN)/python -m pytest -n 2 --dist loadgroup

prove-swap: env  ## versions change under load, every token compared; writes runs/prove-swap/report.txt
	@$(BIN)/python -m deploy.proof swap --spoil $(PROOF)

prove-bytes: env  ## bytes change at random moments of a load; writes runs/prove-bytes/report.txt
	@$(BIN)/python -m deploy.proof bytes $(PROOF)

prove-gate: env  ## planted candidates take the way of a release; writes runs/prove-gate/report.txt
	@$(BIN)/python -m deploy.proof gate $(PROOF)

prove-release: env  ## a gateway that is killed 20 times in a release; writes runs/prove-release/report.txt
	@$(BIN)/python -m deploy.proof release $(PROOF)

bench-router: env  ## the router beside its peers on one core, some minutes; writes docs/bench-router.md
	@OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 taskset -c $(CORE) \
		$(BIN)/python -m deploy.bench.router --data $(INTENTS) --out docs/bench-router.md

bench-serving: env  ## Pointsman beside the vLLM under it, on the CPU, a quarter of an hour; writes .pointsman/bench-serving
	@$(BIN)/python -m deploy.bench.beside --shape demo --out .pointsman/bench-serving \
		--engine "--distributed-executor-backend uni" --environment "VLLM_CPU_KVCACHE_SPACE=1 \
		VLLM_ENABLE_V1_MULTIPROCESSING=0 OMP_NUM_THREADS=1 TORCH_COMPILE_DISABLE=1"

bench-training: env  ## our training beside plain TRL on the CPU, some minutes; writes docs/bench-training.md
	@OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE TOKENIZERS_PARALLELISM=false \
		$(BIN)/python -m deploy.bench.training --out docs/bench-training.md

check: env  ## lint, format, strict types, the import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: env  ## put the code into the one format and fix what can be fixed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: env  ## pin both environments again from pyproject.toml, changing as little as possible
	deploy/env/make-locks.sh

clean:  ## remove the environment and the demo's state
	rm -rf .venv .pointsman
