"""Checkpoints: a manifest with checksums, and safetensors. Written whole or not at all; nothing is pickled.

    step-00020/
      manifest.json            run, configuration, counters, SHA-256 of each file
      model.safetensors        the weights that are trained: all of them, those of the text model, or an adapter
      optimizer.safetensors    moments and step of each weight
      critic.safetensors       where there is a critic: its weights, and its moments in critic_optimizer.safetensors
      reference.safetensors    where the reference is a moving average

All other state of a run is a function of (seed, update): random numbers are named, never carried along, so a
checkpoint of weights, moments and counters is enough to resume bit for bit.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from saccade.envs.errors import ConfigError, StoreError
from saccade.rl.learner import Learner

_LOG = logging.getLogger(__name__)
_NAME = re.compile(r"step-(\d{5,})")
SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint on disk whose checksums hold.

    Attributes:
        path: its folder.
        update: updates done when it was written.
        manifest: everything in `manifest.json`.
    """

    path: Path
    update: int
    manifest: Mapping[str, Any]

    def restore(self, learner: Learner) -> None:
        """Put weights, moments and counters back."""
        for file, weights in weights_of(learner).items():
            self._load(file, weights)
        learner.optimizer.restore(load_file(self.path / "optimizer.safetensors"))
        learner.steps = self.manifest["learner_steps"]
        learner.skipped = self.manifest["skipped_steps"]
        learner.kl.adapted = self.manifest["kl_coef"]
        if learner.critic is not None:
            learner.critic.optimizer.restore(load_file(self.path / "critic_optimizer.safetensors"))
            learner.critic.updates = self.manifest["critic_updates"]

    def _load(self, file: str, parameters: Mapping[str, Tensor]) -> None:
        """Copy a file's tensors into weights of the same names and shapes."""
        weights = load_file(self.path / f"{file}.safetensors")
        if weights.keys() != parameters.keys():
            odd = sorted(weights.keys() ^ parameters.keys())[0]
            raise ConfigError(f"{self.path} holds another architecture: {odd!r} is only in one of the two")
        with torch.no_grad():
            for name, parameter in parameters.items():
                if parameter.shape != weights[name].shape:
                    raise ConfigError(
                        f"{self.path} holds another architecture: {name} is {tuple(weights[name].shape)}, the model's "
                        f"is {tuple(parameter.shape)}"
                    )
                parameter.copy_(weights[name])


class CheckpointFolder:
    """The checkpoints of one run.

    Args:
        path: folder that holds them.
        run_id: checkpoints of other runs are refused.
        keep: newest ones that are kept.
    """

    def __init__(self, path: Path, run_id: str, keep: int = 2) -> None:
        if keep < 1:
            raise ConfigError(f"keep must be >= 1, got {keep}")
        self.path = path
        self.run_id = run_id
        self.keep = keep

    def save(self, learner: Learner, update: int, config: Mapping[str, Any]) -> Path:
        """Write a checkpoint beside the others and drop the oldest; what exists stays whole if this fails."""
        final = self.path / f"step-{update:05d}"
        scratch = self.path / f".partial-{update:05d}"
        try:
            shutil.rmtree(scratch, ignore_errors=True)
            scratch.mkdir(parents=True)
            for file, weights in weights_of(learner).items():
                plain = {name: weight.detach().contiguous() for name, weight in weights.items()}
                save_file(plain, scratch / f"{file}.safetensors")
            save_file(learner.optimizer.moments(), scratch / "optimizer.safetensors")
            if learner.critic is not None:
                save_file(learner.critic.optimizer.moments(), scratch / "critic_optimizer.safetensors")
            manifest = {
                "schema_version": SCHEMA_VERSION,
                "run_id": self.run_id,
                "update": update,
                "learner_steps": learner.steps,
                "skipped_steps": learner.skipped,
                "kl_coef": learner.kl.adapted,
                "critic_updates": learner.critic.updates if learner.critic is not None else 0,
                "config": config,
                "files": {file.name: _checksum(file) for file in sorted(scratch.iterdir())},
            }
            (scratch / "manifest.json").write_text(json.dumps(manifest, indent=1))
            _sync(scratch)
            if final.exists():
                shutil.rmtree(final)
            scratch.rename(final)
        except (OSError, SafetensorError) as error:
            shutil.rmtree(scratch, ignore_errors=True)
            raise StoreError(
                f"cannot write the checkpoint {final}: {error}; earlier checkpoints are whole: free space, then resume"
            ) from error
        for old in self._folders()[: -self.keep]:
            shutil.rmtree(old)
        return final

    def latest(self) -> Checkpoint | None:
        """The newest checkpoint whose checksums hold; damaged ones are reported and passed over.

        Raises:
            StoreError: there are checkpoints and all are damaged; starting anew would drop the run's records.
        """
        for folder in reversed(self._folders()):
            try:
                return self.open(folder)
            except StoreError as error:
                _LOG.warning("%s; using the one before", error)
        if self._folders():
            raise StoreError(f"all checkpoints in {self.path} are damaged: remove them to start this run anew")
        return None

    def open(self, folder: Path) -> Checkpoint:
        """Read one checkpoint's manifest and check its files."""
        try:
            manifest = json.loads((folder / "manifest.json").read_text())
            damaged = [name for name, sum in manifest["files"].items() if _checksum(folder / name) != sum]
            owner, update = manifest["run_id"], int(manifest["update"])
        except (OSError, ValueError, KeyError) as error:
            raise StoreError(f"the checkpoint {folder} is damaged: {error}") from error
        if damaged:
            raise StoreError(f"the checkpoint {folder} is damaged: the checksum of {damaged[0]} does not hold")
        if owner != self.run_id:
            raise ConfigError(
                f"{folder} belongs to run {owner!r}, not to {self.run_id!r}: resume it with the settings "
                "it was started with, or choose another run folder"
            )
        return Checkpoint(folder, update, manifest)

    def _folders(self) -> list[Path]:
        if not self.path.is_dir():
            return []
        numbered = {folder: _NAME.fullmatch(folder.name) for folder in self.path.iterdir()}
        return sorted((folder for folder, found in numbered.items() if found), key=lambda folder: int(folder.name[5:]))


def weights_of(learner: Learner) -> dict[str, Mapping[str, Tensor]]:
    """All weights that change, by the name of their file."""
    found: dict[str, Mapping[str, Tensor]] = {"model": learner.parameters}
    if learner.critic is not None:
        found["critic"] = learner.critic.parameters
    if learner.reference is not None and learner.reference.moving:
        found["reference"] = learner.reference.weights
    return found


def _checksum(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _sync(folder: Path) -> None:
    """Force the files to disk before the rename makes them count."""
    for file in folder.iterdir():
        handle = os.open(file, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
