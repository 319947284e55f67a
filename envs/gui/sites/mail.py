"""The mail: folders, an address book, and letters to answer, to forward, to put away and to write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from saccade.envs.gui.sites.base import Click, SiteEnv, SiteTask, Write, task

NAMES = (
    *("Ann", "Anna", "Ben", "Carl", "Clara", "Dan", "Emma", "Eric"),
    *("Jan", "Jane", "Leo", "Mark", "Mary", "Paul", "Paula", "Tom"),
)
SUBJECTS = (
    *("boat", "choir", "garden", "keys", "lamp", "parcel", "photos"),
    *("picnic", "recipe", "rent", "roof", "soup", "tickets", "train"),
)
FOLDERS = (
    *("Bills", "Club", "Family", "Health", "House", "Ideas"),
    *("Later", "Music", "School", "Sport", "Travel", "Work"),
)
TEAMS = ("Sales", "Design", "Legal", "Press", "Service", "Support")
CITIES = ("Bern", "Oslo", "Rome", "Lima", "Cairo", "Delhi", "Kyoto", "Paris")
BODIES = ("Do you have time for it?", "Here is what we said.", "Please look at it soon.", "I will bring it along.")
TEXTS = (
    *("see you at noon", "yes, gladly", "please call me", "not this week", "many thanks", "I will be late"),
    *("sounds good", "ask me on Friday", "it is done", "no, sorry", "where is it?", "send me more"),
    *("let us meet at six", "I need two of them", "that is too much", "wait for me"),
)
SENT = ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 3), (2, 0), (2, 4), (3, 5), (0, 6), (1, 6))
"""Who wrote about what, as numbers of a person and a subject: both come back. The last two lie in other folders."""


def mailbox(rng: np.random.Generator) -> dict[str, Any]:
    """Eight people, no two of one team and city; eight folders; eleven mails in any order, no two of one day."""
    names = rng.permutation(NAMES)[:8].tolist()
    teams, cities = rng.permutation(TEAMS)[:3].tolist(), rng.permutation(CITIES)[:3].tolist()
    seats = rng.permutation([(team, city) for team in teams for city in cities]).tolist()
    people = [{"name": name, "team": team, "city": city} for name, (team, city) in zip(names, seats, strict=False)]
    folders = sorted(rng.permutation(FOLDERS)[:8].tolist())
    subjects = rng.permutation(SUBJECTS)[:7].tolist()
    days = (rng.permutation(60)[: len(SENT)] + 1).tolist()
    mails = [
        {
            "id": number,
            "from": names[SENT[place][0]],
            "subject": subjects[SENT[place][1]],
            "text": str(rng.choice(BODIES)),
            "day": days[number],
            "folder": "Inbox" if place < len(SENT) - 2 else str(rng.choice(folders)),
        }
        for number, place in enumerate(rng.permutation(len(SENT)).tolist())
    ]
    people.sort(key=lambda person: str(person["name"]))
    return {"first": "folder/Inbox", "people": people, "folders": folders, "mails": mails, "sent": None}


def inbox(box: Mapping[str, Any], **like: str) -> list[dict[str, Any]]:
    """The mails of the inbox that are like this, the newest first."""
    found = [mail for mail in box["mails"] if {**mail, **like, "folder": "Inbox"} == mail]
    return sorted(found, key=lambda mail: -mail["day"])


def _several(box: Mapping[str, Any], rng: np.random.Generator, least: int) -> list[dict[str, Any]]:
    """All mails of someone who has at least so many in the inbox, the newest first."""
    by_sender = [inbox(box, **{"from": person["name"]}) for person in box["people"]]
    found = [mails for mails in by_sender if len(mails) >= least]
    return found[rng.integers(len(found))]


def place(page: Mapping[str, Any]) -> list[str]:
    """The parts of the address; at the bare one those of the page that the task begins with."""
    path = list(page["path"])
    return str(page["state"]["first"]).split("/") if path == [""] else path


class MailSite(SiteEnv):
    """What the tasks on the mail share."""

    document = "mail"

    def _open(self, page: Mapping[str, Any], mail: Mapping[str, Any]) -> Click | None:
        """The next step to the page of a mail; `None` on it."""
        where, folder = place(page), mail["folder"]
        if where == ["mail", str(mail["id"])]:
            return None
        if where == ["folder", folder]:
            return Click("link", f"{mail['from']}: {mail['subject']}")
        if folder == "Inbox":
            return Click("link", "Inbox")
        return Click("link", folder if where == ["folders"] else "Folders")

    def _tidy(self, page: Mapping[str, Any]) -> Click | None:
        """The next step of moving mails where they belong; `None` if all are there."""
        for mail, wanted in zip(page["state"]["mails"], self.wanted["mails"], strict=True):
            if mail["folder"] != wanted["folder"]:
                return self._open(page, mail) or Click("button", f"Move to {wanted['folder']}")
        return None

    def _pass_on(self, page: Mapping[str, Any], link: str, field: str, text: str) -> Click | Write:
        """The next step of answering or forwarding the mail that was meant."""
        number = self.wanted["sent"]["mail"]
        if place(page) != [link.lower(), str(number)]:
            return self._open(page, page["state"]["mails"][number]) or Click("link", link)
        return Click("button", "Send") if page["drafts"].get(field) == text else Write(field, text)


class MailReply(MailSite):
    """Answer a mail with a given text; at level 3 it is the newest mail of a person."""

    def make(self, rng: np.random.Generator) -> SiteTask:
        """Draw a mailbox, a mail of someone who wrote several, and a text."""
        box, text = mailbox(rng), str(rng.choice(TEXTS))
        all_ = _several(box, rng, 2)
        mail = all_[0] if self.level == 3 else all_[rng.integers(len(all_))]
        what = (
            f"newest mail of {mail['from']}" if self.level == 3 else f"mail of {mail['from']} about {mail['subject']}"
        )
        box["first"] = {1: f"answer/{mail['id']}", 2: f"mail/{mail['id']}", 3: box["first"]}[self.level]
        sent = {"kind": "answer", "mail": mail["id"], "text": text}
        return task(f'Answer the {what} with "{text}".', box, {**box, "sent": sent})

    def next(self, page: Mapping[str, Any]) -> Click | Write | None:
        """Open the mail, answer, send."""
        return self._tidy(page) or self._pass_on(page, "Answer", "Text", self.wanted["sent"]["text"])


class MailForward(MailSite):
    """Forward a mail; at level 3 the newest about something, to the one who wrote about something else."""

    def make(self, rng: np.random.Generator) -> SiteTask:
        """Draw a mailbox, a subject that came back, and someone whose subject did not."""
        box = mailbox(rng)
        about = {mail["subject"]: inbox(box, subject=mail["subject"]) for mail in inbox(box)}
        all_ = [each for each in about.values() if len(each) > 1][rng.integers(2)]
        mail = all_[0] if self.level == 3 else all_[rng.integers(len(all_))]
        single = [each[0] for each in about.values() if len(each) == 1 and each[0]["from"] != mail["from"]]
        other = single[rng.integers(len(single))]
        goal = f"Forward the mail of {mail['from']} about {mail['subject']} to {other['from']}."
        if self.level == 3:
            goal = f"Forward the newest mail about {mail['subject']} to the person who wrote about {other['subject']}."
        box["first"] = {1: f"forward/{mail['id']}", 2: f"mail/{mail['id']}", 3: box["first"]}[self.level]
        return task(goal, box, {**box, "sent": {"kind": "forward", "mail": mail["id"], "to": other["from"]}})

    def next(self, page: Mapping[str, Any]) -> Click | Write | None:
        """Open the mail, forward, send."""
        return self._tidy(page) or self._pass_on(page, "Forward", "To", self.wanted["sent"]["to"])


class MailSort(MailSite):
    """Move a mail to a folder and say that this is all; at level 3 all of a person but the newest."""

    def make(self, rng: np.random.Generator) -> SiteTask:
        """Draw a mailbox, someone who wrote three mails, and a folder."""
        box = mailbox(rng)
        all_ = _several(box, rng, 3)
        moved, folder = all_[1:] if self.level == 3 else [all_[rng.integers(3)]], str(rng.choice(box["folders"]))
        what = f"the mail of {all_[0]['from']} about {moved[0]['subject']}"
        if self.level == 3:
            what = f"all mails of {all_[0]['from']} in the inbox but the newest"
        box["first"] = f"mail/{moved[0]['id']}" if self.level == 1 else box["first"]
        mails = [{**mail, "folder": folder} if mail in moved else mail for mail in box["mails"]]
        return task(f"Move {what} to {folder}, then say that the tidy up is done.", box, {**box, "mails": mails})

    def next(self, page: Mapping[str, Any]) -> Click | Write | None:
        """Move what belongs elsewhere, then close."""
        ends = place(page)[0] in ("folder", "mail")
        return self._tidy(page) or (Click("button", "Tidy up done") if ends else Click("link", "Inbox"))


class MailContact(MailSite):
    """Write to a person; at level 3 only the team and the city are known."""

    def make(self, rng: np.random.Generator) -> SiteTask:
        """Draw a mailbox, one of its people and a text."""
        box, text = mailbox(rng), str(rng.choice(TEXTS))
        person = box["people"][rng.integers(len(box["people"]))]
        whom = f"the person of {person['team']} in {person['city']}" if self.level == 3 else person["name"]
        box["first"] = {1: f"write/{person['name']}", 2: "people", 3: box["first"]}[self.level]
        sent = {"kind": "new", "to": person["name"], "text": text}
        return task(f'Write "{text}" to {whom}.', box, {**box, "sent": sent})

    def next(self, page: Mapping[str, Any]) -> Click | Write | None:
        """To the address book, to the person, and send."""
        where, sent = place(page), self.wanted["sent"]
        if step := self._tidy(page):
            return step
        if where != ["write", sent["to"]]:
            return Click("link", sent["to"] if where == ["people"] else "People")
        return Click("button", "Send") if page["drafts"].get("Text") == sent["text"] else Write("Text", sent["text"])
