"""Tasks in an inbox."""

from __future__ import annotations

from collections.abc import Mapping

from saccade.envs.gui.miniwob_demos.page import Page, Solver, Step

ASKED = (
    ("reply", r'by (\S+) and reply to them with the text "(.*)"'),
    ("forward", r"by (\S+) and forward that email to (.*)\.$"),
    ("delete", r"by (\S+) and click the trash"),
    ("star", r"by (\S+) and click the star"),
)


def asked(page: Page) -> tuple[str, str, str]:
    """What to do with the mail of whom, and the text or the receiver."""
    fields = page.fields
    if fields:
        task = fields.get("task", "forward")
        return task, fields["by"], fields.get("message", fields.get("to", ""))
    for task, pattern in ASKED:
        found = page.said(pattern)
        if found:
            return task, found[0], found[-1]
    return "", "", ""


def mail(page: Page) -> Step | None:
    """Find a mail, open it if need be, and do what is asked."""
    task, sender, rest = asked(page)
    reply, forward, mail = page.one(id="reply"), page.one(id="forward"), page.one(id="email")
    if reply and reply.shown:
        end = page.one(id="send-reply" if task == "reply" else "close-reply")
        return page.fill([(page.one(id="reply-text"), rest)] if task == "reply" else [], end)
    if forward and forward.shown:
        if task != "forward":
            return page.click(page.one(id="close-forward"))
        return page.fill([(page.one("input", kind="forward-sender"), rest)], page.one(id="send-forward"))
    if mail and mail.shown:
        name = page.one(kind="email-sender", inside=mail)
        if name is None or name.text != sender:
            return page.click(page.one(id="close-email"))
        kind = {"reply": "email-reply", "forward": "email-forward", "delete": "trash", "star": "star"}[task]
        return page.click(page.one("span", kind=kind, inside=mail))
    search = page.one(id="search")
    if search and search.shown:
        return page.click(page.one(id="search-cancel"))
    for thread in page.all(kind="email-thread"):
        name = page.one(kind="email-sender", inside=thread)
        if name and name.text == sender:
            icon = {"delete": "trash", "star": "star"}.get(task)
            return page.click(page.one("span", kind=icon, inside=thread) if icon else name)
    return None


SOLVERS: Mapping[str, Solver] = dict.fromkeys(
    (
        *("email-inbox", "email-inbox-delete", "email-inbox-forward", "email-inbox-forward-nl"),
        *("email-inbox-forward-nl-turk", "email-inbox-important", "email-inbox-nl-turk", "email-inbox-noscroll"),
        *("email-inbox-reply", "email-inbox-star-reply"),
    ),
    mail,
)
