"""Files: a file manager with folders one level deep; what is done with the selected file closes the site."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from saccade.envs.gui.sites.base import Click, SiteEnv, SiteTask, Write, task

FOLDERS = ("Work", "Music", "Photos", "Letters", "Games", "School", "Home", "Travel")
NAMES = (
    *("plan", "trip", "menu", "song", "cat", "dog", "bill", "map", "list", "note", "poem", "boat", "car", "tree"),
    *("lake", "house", "shoes", "bread", "cake", "fish", "bird", "moon", "snow", "rain", "train", "bus", "ship"),
    *("ball", "drum", "flute", "lamp", "chair"),
)
ENDINGS = ("txt", "png", "pdf")
LIMITS = {"largest": ("size", max), "smallest": ("size", min), "newest": ("date", max), "oldest": ("date", min)}
"""Words for the file that has the most or the least of something."""

File = dict[str, Any]
Folders = dict[str, list[File]]
"""Files by folder; those of the folder without a name lie in none."""


def cabinet(rng: np.random.Generator) -> Folders:
    """Five files in each of four folders and four in none; no name, size or date is there twice."""
    folders = ["", *rng.permutation(FOLDERS)[:4].tolist()]
    names = [f"{name}.{rng.choice(ENDINGS)}" for name in rng.permutation(NAMES)[:24].tolist()]
    sizes = rng.permutation(np.arange(10, 100))[:24].tolist()
    days = rng.permutation(3 * 12 * 28)[:24].tolist()
    dates = [f"{2021 + day // 336}-{1 + day % 336 // 28:02}-{1 + day % 28:02}" for day in days]
    drawn = zip(names, sizes, dates, strict=True)
    files = iter([{"name": name, "size": size, "date": date} for name, size, date in drawn])
    return {folder: in_order(next(files) for _ in range(5 if folder else 4)) for folder in folders}


def in_order(files: Iterable[File]) -> list[File]:
    """Files in the order of their names."""
    return sorted(files, key=lambda file: str(file["name"]))


def limit(word: str, files: Sequence[File]) -> File:
    """The largest, smallest, newest or oldest file."""
    key, best = LIMITS[word]
    found: File = best(files, key=lambda file: file[key])
    return found


def state(folders: Folders) -> dict[str, Any]:
    """What the site keeps of the folders."""
    return {"folders": [{"name": name, "files": files} for name, files in folders.items()], "selected": None}


def moved(folders: Folders, source: str, file: File, target: str, name: str = "") -> Folders:
    """The folders when a file lies in another one, maybe a new one, maybe under another name."""
    rest = {key: [each for each in files if key != source or each != file] for key, files in folders.items()}
    return rest | {target: in_order([*rest.get(target, []), file | {"name": name or file["name"]}])}


class FilesSite(SiteEnv):
    """What the tasks on files share: look into folders, select a file and do one thing with it."""

    document = "files"

    def next(self, page: Mapping[str, Any]) -> Click | Write | None:
        """Past the folders that are only looked at to the one whose file is selected, and press a button."""
        now, path = page["state"], page["path"]
        folders = [each["name"] for each in now["folders"]]
        [(source, name)] = _places(now) - _places(self.wanted)
        new = next(iter(_places(self.wanted) - _places(now)), None)
        here = "" if path == [""] else path[1] if path[0] == "folder" and len(path) == 2 else None
        if here != source:
            order = [*self._looks(now, source, new), source]
            target = order[order.index(here) + 1 if here in order else 0]
            return Click("link", target if target and here in folders else "Files")
        if now["selected"] != f"{source}/{name}":
            return Click("radio", name)
        if new is None:
            return Click("button", "Delete")
        folder, written = (new[0], new[1]) if new[0] in folders else ("new folder", new[0])
        if folder != source and folder != "new folder":
            return Click("button", f"Move to {folder or 'Files'}")
        if page["drafts"].get("Name") != written:
            return Write("Name", written)
        return Click("button", "Rename" if folder == source else "Move to new folder")

    def _looks(self, now: Mapping[str, Any], source: str, new: tuple[str, str] | None) -> list[str]:
        """Folders that are only looked at: those that the goal names, else all until the one that was sought."""
        names = [each["name"] for each in now["folders"] if each["name"] not in ("", source)]
        if self.level < 3:
            return []
        named = [name for name in names if name in self.task.goal]
        return named or names[: names.index(new[0]) + 1 if new else 0]


def _places(now: Mapping[str, Any]) -> set[tuple[str, str]]:
    return {(folder["name"], file["name"]) for folder in now["folders"] for file in folder["files"]}


class FilesRename(FilesSite):
    """Rename a file; at level 3 it is the largest of a folder, say, and takes its name from another folder."""

    def make(self, rng: np.random.Generator) -> SiteTask:
        """Draw folders, a file and its new name."""
        folders = cabinet(rng)
        source, other = rng.permutation(list(folders)[1:])[:2].tolist()
        source = "" if self.level == 1 else source
        file = folders[source][rng.integers(len(folders[source]))]
        used = {each["name"] for files in folders.values() for each in files}
        name = str(rng.choice([each for each in (f"{name}.txt" for name in NAMES) if each not in used]))
        goal = f"{f'In {source}, rename' if source else 'Rename'} {file['name']} to {name}."
        if self.level == 3:
            one, two = rng.choice(list(LIMITS), 2).tolist()
            file, name = limit(one, folders[source]), limit(two, folders[other])["name"]
            goal = f"Give the {one} file in {source} the name of the {two} file in {other}."
        return task(goal, state(folders), state(moved(folders, source, file, source, name)))


class FilesMove(FilesSite):
    """Move a file to a folder; at level 3 it is the largest of a folder, say, and goes where another file is."""

    def make(self, rng: np.random.Generator) -> SiteTask:
        """Draw folders, a file and where it goes."""
        folders = cabinet(rng)
        source, target = rng.permutation(list(folders)[1:])[:2].tolist()
        source = "" if self.level == 1 else source
        file = folders[source][rng.integers(len(folders[source]))]
        goal = f"Move {file['name']}{f' from {source}' if source else ''} to {target}."
        if self.level == 3:
            word, there = str(rng.choice(list(LIMITS))), folders[target][rng.integers(5)]
            file = limit(word, folders[source])
            goal = f"Move the {word} file in {source} to the folder in which {there['name']} is."
        return task(goal, state(folders), state(moved(folders, source, file, target)))


class FilesDelete(FilesSite):
    """Delete a file; at level 2 it is the largest of a folder, say, at level 3 of two folders together."""

    def make(self, rng: np.random.Generator) -> SiteTask:
        """Draw folders and a file."""
        folders = cabinet(rng)
        one, two = rng.permutation(list(folders)[1:])[:2].tolist()
        word = str(rng.choice(list(LIMITS)))
        if self.level == 1:
            file = folders[""][rng.integers(4)]
            goal = f"Delete {file['name']}."
        elif self.level == 2:
            file = limit(word, folders[one])
            goal = f"Delete the {word} file in {one}."
        else:
            file = limit(word, [*folders[one], *folders[two]])
            goal = f"Delete the {word} of all files in {one} and {two}."
        rest = {name: [each for each in files if each != file] for name, files in folders.items()}
        return task(goal, state(folders), state(rest))


class FilesFolder(FilesSite):
    """Put a file into a new folder; at level 3 it is the one whose name is also in another folder."""

    def make(self, rng: np.random.Generator) -> SiteTask:
        """Draw folders, a file and the name of the new folder."""
        folders = cabinet(rng)
        source, other = rng.permutation(list(folders)[1:])[:2].tolist()
        source = "" if self.level == 1 else source
        new = str(rng.choice([name for name in FOLDERS if name not in folders]))
        file = folders[source][rng.integers(len(folders[source]))]
        goal = f"Put {file['name']}{f' from {source}' if source else ''} into a new folder named {new}."
        if self.level == 3:
            same = [each | {"name": file["name"]} if i == 0 else each for i, each in enumerate(folders[other])]
            folders |= {other: in_order(same)}
            goal = f"Put the file of {source} whose name is also in {other} into a new folder named {new}."
        return task(goal, state(folders), state(moved(folders, source, file, new)))
