# make setup   everything the project needs, into .venv
# make demo    grow two tiny policies, train them, show their replays (about 8 minutes on 2 cores)
# make test    every test but the slow ones
# make verify  the long acceptance scripts; resumable
# make check   linter, formatter, types
# make bench   measured tables
# make pretrain  make a tiny model that knows every world, from nothing (resumable)
#
# TORCH_INDEX=https://download.pytorch.org/whl/cpu   takes PyTorch from an index of your choice

PYTHON ?= python3
VENV ?= .venv
SEED ?= 0
OUT ?= runs/demo
TORCH_INDEX ?=
RUN := $(VENV)/bin
READY := $(VENV)/.ready
# One thread a process: on small machines more threads fight each other.
export OMP_NUM_THREADS ?= 1
export HF_HUB_OFFLINE ?= 1

.PHONY: setup demo test verify check bench pretrain clean
setup: $(READY)

$(READY): pyproject.toml constraints/cpu.txt .ci/system-packages
	$(PYTHON) -m venv $(VENV)
	$(RUN)/pip install --quiet --disable-pip-version-check "$$(grep '^torch==' constraints/cpu.txt)" \
	    $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX))
	$(RUN)/pip install --quiet --disable-pip-version-check -c constraints/cpu.txt -e ".[gui,embodied,qa,viewer,dev]"
	bash .ci/system-packages $(RUN)/python
	touch $(READY)

demo: $(READY)
	$(RUN)/python examples/demo.py --seed $(SEED) --out $(OUT)

test: $(READY)
	$(RUN)/python -m pytest -m "not slow and not gpu and not vllm" -n 2 --dist loadgroup

verify: $(READY)
	$(RUN)/python -m pytest -m "slow" -s
	$(RUN)/python benchmarks/demo_seeds.py

check: $(READY)
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/mypy

bench: $(READY)
	$(RUN)/python benchmarks/gui.py
	$(RUN)/python benchmarks/learner.py
	$(RUN)/python benchmarks/qa.py

pretrain: $(READY)
	$(RUN)/python examples/pretrain_tiny.py --resume

clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
