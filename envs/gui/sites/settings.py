"""Settings: sections with notes, switches and fields; saving closes the site."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from saccade.envs.gui.sites.base import Click, SiteEnv, SiteTask, Write, task

DEVICES = {
    "Sound": ("Radio", "Speaker", "Alarm", "Bell", "Piano", "Phone"),
    "Light": ("Lamp", "Porch", "Stairs", "Desk", "Candle", "Spot"),
    "Heat": ("Floor", "Oven", "Bath", "Towel", "Boiler", "Stove"),
    "Garden": ("Pump", "Fountain", "Mower", "Gate", "Camera", "Hose"),
    "Kitchen": ("Fridge", "Kettle", "Toaster", "Mixer", "Grill", "Washer"),
}
PLANS = (
    *("Movie", "Party", "Sleep", "Guests", "Travel", "Dinner", "Reading", "Morning"),
    *("Evening", "Winter", "Summer", "Baking", "Washing", "Tennis", "Yoga", "School"),
)
PEOPLE = ("Ann", "Ben", "Cleo", "Dan", "Eva", "Finn", "Gina", "Hugo")
JOBS = ("nurse", "pilot", "baker", "farmer", "judge", "painter", "dentist", "tailor")
CITIES = ("Bern", "Oslo", "Rome", "Lima", "Cairo", "Delhi", "Kyoto", "Paris")
STREETS = ("Oak Road", "Elm Lane", "Mill Street", "Lake Road", "Hill Lane", "Park Street", "Rose Road", "Sun Street")

Section = dict[str, Any]


def section(
    name: str,
    *,
    remark: str = "",
    notes: Iterable[str] = (),
    switches: Iterable[dict[str, Any]] = (),
    fields: Mapping[str, str] | None = None,
) -> Section:
    """A section; the remark stands beside its name in the list of all."""
    texts = [{"name": key, "text": text} for key, text in (fields or {}).items()]
    return {"name": name, "remark": remark, "notes": list(notes), "switches": list(switches), "fields": texts}


def turned(sections: Sequence[Section], wanted: Mapping[tuple[str, str], bool]) -> list[Section]:
    """The sections with some switches, by section and name, on or off."""
    return [
        each
        | {"switches": [old | {"on": wanted.get((each["name"], old["name"]), old["on"])} for old in each["switches"]]}
        for each in sections
    ]


def word(on: bool) -> str:
    """On or off."""
    return "on" if on else "off"


class SettingsSite(SiteEnv):
    """What the tasks on settings share: sections that only tell something are looked at before those that change."""

    document = "settings"

    def next(self, page: Mapping[str, Any]) -> Click | Write | None:
        """Look up what is needed, mend what differs section by section, and save."""
        sections, path = page["state"]["sections"], page["path"]
        wanted = {each["name"]: each for each in self.wanted["sections"]}
        wrong = [each["name"] for each in sections if each != wanted[each["name"]]]
        here = (
            path[-1] if path[0] == "section" else sections[0]["name"] if path == [""] and len(sections) == 1 else None
        )
        shown = next((each for each in sections if each["name"] == here), None)
        if shown:
            step = _mend(shown, wanted[shown["name"]], page["drafts"])
            if step:
                return step
            if (shown["switches"] and not wrong) or (shown["fields"] and wrong == [here]):
                return Click("button", "Save")
        if path[0] not in ("", "section"):
            return Click("link", "Settings")
        fresh = sections == json.loads(self.task.begin)["sections"]  # else what is to be looked up was looked up
        first = [each["name"] for each in sections if fresh and each["name"] not in wrong and self._told(each)]
        order = [*first, *wrong] if wrong else [each["name"] for each in sections if each["switches"]]
        return Click("link", order[order.index(here) + 1 if here in order else 0])

    def _told(self, each: Section) -> bool:
        return each["name"] in self.task.goal or bool(each["remark"] and each["remark"] in self.task.goal)


def _mend(old: Section, new: Section, drafts: Mapping[str, str]) -> Click | Write | None:
    for before, after in zip(old["switches"], new["switches"], strict=True):
        if before != after:
            return Click("checkbox", after["name"])
    for before, after in zip(old["fields"], new["fields"], strict=True):
        if drafts.get(after["name"]) != after["text"]:
            # What was written in a wrong field is forgotten by leaving the page.
            return Click("link", "Settings") if before == after else Write(after["name"], after["text"])
    return None


def _rooms(rng: np.random.Generator, count: int) -> list[Section]:
    """Sections of devices, each on or off and with its watts."""
    names = sorted(rng.permutation(list(DEVICES))[:count].tolist())
    return [section(name, switches=_devices(rng, rng.permutation(DEVICES[name]).tolist())) for name in names]


def _devices(rng: np.random.Generator, names: list[str]) -> list[dict[str, Any]]:
    watts = rng.permutation(np.arange(11, 70, 2))[: len(names)].tolist()
    return [
        {"name": name, "detail": f"{watt} W", "on": bool(rng.integers(2))}
        for name, watt in zip(names, watts, strict=True)
    ]


class SettingsSwitch(SettingsSite):
    """Turn two named switches; at level 3 all of two sections that use more than so many watts."""

    def make(self, rng: np.random.Generator) -> SiteTask:
        """Draw devices, and which of them are to be turned."""
        if self.level == 3:
            return self._saving(rng)
        rooms = _rooms(rng, 1 if self.level == 1 else 3)
        room = rooms[rng.integers(len(rooms))]
        chosen = [room["switches"][index] for index in rng.permutation(6)[:2].tolist()]
        what = " and ".join(f"turn {each['name']} {word(not each['on'])}" for each in chosen)
        where = f"In {room['name']}, " if self.level == 2 else "Please "
        want = turned(rooms, {(room["name"], each["name"]): not each["on"] for each in chosen})
        return task(f"{where}{what}, and save.", {"sections": rooms}, {"sections": want})

    def _saving(self, rng: np.random.Generator) -> SiteTask:
        while True:
            rooms, limit, on = _rooms(rng, 4), int(rng.choice((20, 30, 40, 50, 60))), bool(rng.integers(2))
            pair = [rooms[index]["name"] for index in sorted(rng.permutation(4)[:2].tolist())]
            chosen = [
                (room["name"], each["name"])
                for room in rooms
                for each in room["switches"]
                if room["name"] in pair and each["on"] != on and (int(each["detail"].split()[0]) < limit) == on
            ]
            if all(1 <= sum(name == room for room, _ in chosen) <= 2 for name in pair):
                break
        which = (
            f"on everything that uses less than {limit} W" if on else f"off everything that uses more than {limit} W"
        )
        want = turned(rooms, dict.fromkeys(chosen, on))
        goal = f"In {pair[0]} and in {pair[1]}, turn {which}, and save."
        return task(goal, {"sections": rooms}, {"sections": want})


class SettingsRestore(SettingsSite):
    """Turn what a note says that something needs; at level 3 the note is in the help, about three other sections."""

    def make(self, rng: np.random.Generator) -> SiteTask:
        """Draw devices, notes on what is needed, and the one that counts."""
        rooms = _rooms(rng, 1 if self.level == 1 else 3)
        plans = rng.permutation(PLANS)[:4].tolist()
        if self.level == 3:
            return self._help(rng, rooms, plans)
        needs: dict[str, dict[str, dict[str, Any]]] = {}
        for room in rooms:
            chosen = rng.permutation(6)[:4].tolist()
            needs[room["name"]] = {plan: room["switches"][i] for plan, i in zip(plans, chosen, strict=True)}
            room["notes"] = [
                f"{plan} needs {each['name']} {word(not each['on'])}." for plan, each in needs[room["name"]].items()
            ]
        room = rooms[rng.integers(len(rooms))]
        plan = plans[rng.integers(4)]
        each = needs[room["name"]][plan]
        where = f" in {room['name']}" if self.level == 2 else ""
        want = turned(rooms, {(room["name"], each["name"]): not each["on"]})
        return task(f"Restore what {plan} needs{where}, and save.", {"sections": rooms}, {"sections": want})

    def _help(self, rng: np.random.Generator, rooms: list[Section], plans: list[str]) -> SiteTask:
        needs: dict[str, dict[tuple[str, str], bool]] = {}
        for plan in plans:
            right = rng.permutation(3)[0]  # the section in which nothing has to be done
            chosen = [room["switches"][rng.integers(6)] for room in rooms]
            needs[plan] = {
                (room["name"], each["name"]): bool(each["on"] == (index == right))
                for index, (room, each) in enumerate(zip(rooms, chosen, strict=True))
            }
        notes = [
            f"{plan} needs {', '.join(f'{name} ({room}) {word(on)}' for (room, name), on in need.items())}."
            for plan, need in needs.items()
        ]
        plan = plans[rng.integers(4)]
        sections = [*rooms, section("Help", notes=notes)]
        goal = f"Restore what {plan} needs, as Help says, and save."
        return task(goal, {"sections": sections}, {"sections": turned(sections, needs[plan])})


class SettingsProfile(SettingsSite):
    """Change a field of a person; at level 3 the address, to that of a person of whom only the job is told."""

    def make(self, rng: np.random.Generator) -> SiteTask:
        """Draw people and what changes."""
        names, jobs = rng.permutation(PEOPLE)[:5].tolist(), rng.permutation(JOBS)[:5].tolist()
        cities, streets = rng.permutation(CITIES).tolist(), rng.permutation(STREETS).tolist()
        phones = [str(phone) for phone in rng.choice(np.arange(1000, 10_000), 6, replace=False)]
        fields = [
            {"City": city, "Street": street, "Phone": phone}
            for city, street, phone in zip(cities[:5], streets[:5], phones[:5], strict=True)
        ]
        count, at, other = (1, 0, 0) if self.level == 1 else (5, *rng.permutation(5)[:2].tolist())
        new = {"City": cities[5], "Street": streets[5], "Phone": phones[5]}
        name = names[at]
        if self.level == 3:
            changes = {key: fields[other][key] for key in ("City", "Street")}
            goal = f"{name} moves in with the {jobs[other]}: give {name} the same city and street, and save."
        else:
            key = str(rng.choice(list(new)))
            changes = {key: new[key]}
            goal = f"Change the {key.lower()} of {name} to {new[key]}, and save."

        def people(all_fields: list[dict[str, str]]) -> list[Section]:
            drawn = zip(names, jobs, all_fields, strict=True)
            return [section(name, remark=job, fields=texts) for name, job, texts in drawn][:count]

        wanted = [texts | changes if index == at else texts for index, texts in enumerate(fields)]
        return task(goal, {"sections": people(fields)}, {"sections": people(wanted)})
