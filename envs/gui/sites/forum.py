"""The forum: threads and their posts, members, and what one may do with a post: answer, vote, report, rewrite."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np

from saccade.envs.gui.sites.base import Click, SiteEnv, SiteTask, Write, task

MEMBERS = ("Ada", "Amos", "Bea", "Cleo", "Dora", "Eli", "Finn", "Gus", "Ida", "Max", "Nora", "Otto", "Ruth", "Sam")
KINDS = ("cheap", "fresh", "good", "new", "old", "rare", "small", "strange")
TOPICS = ("bikes", "bread", "cats", "cheese", "clocks", "coins", "hats", "lamps", "maps", "pianos", "shoes", "trees")
POSTS = (
    *("add some salt", "ask a friend", "both are fine", "buy two of them", "do it twice", "I agree with that"),
    *("I doubt it", "I found one", "I like the red one", "I sold mine", "it broke again", "it costs too much"),
    *("it is so quiet", "it works for me", "keep it dry", "mine is blue", "mine is bigger", "never on Sunday"),
    *("not in winter", "read the label", "show us a photo", "take your time", "that is not new", "they smell bad"),
    *("try the market", "use warm water", "wait for spring", "what a mess", "where is that?", "who said so?"),
)
TEXTS = (
    *("thank you", "well said", "that helped me", "I will try it", "tell us more", "not so sure"),
    *("how much is it?", "same here", "what a find", "please explain", "that is wrong", "good luck"),
    *("see you there", "me too", "count me in", "it was a gift"),
)
VOTES = ("boring", "clever", "funny", "helpful", "kind", "lovely", "odd", "wrong")
REASONS = (
    *("rude words", "spam", "not true", "wrong thread", "sells things", "posted twice", "off topic", "private data"),
    *("bad link", "copied text", "makes no sense", "too loud"),
)
SELF = "you"
TODAY = 61


def board(rng: np.random.Generator) -> dict[str, Any]:
    """Six threads of two members and on three topics; three posts in each thread and of each of five members and you.

    No two threads have as many views, and no two posts are of one day or say the same.
    """
    members = sorted(rng.permutation(MEMBERS)[:5].tolist())
    topics, kinds = rng.permutation(TOPICS)[:3].tolist(), rng.permutation(KINDS)[:2].tolist()
    titles = rng.permutation([f"{kind} {topic}" for kind in kinds for topic in topics]).tolist()
    starters = rng.permutation(members)[:2].tolist() * 3
    views = (rng.permutation(np.arange(1, 90))[:6] * 10).tolist()
    threads = [
        {"id": number, "title": title, "author": author, "views": seen}
        for number, (title, author, seen) in enumerate(
            zip(titles, rng.permutation(starters).tolist(), views, strict=True)
        )
    ]
    texts = rng.permutation(POSTS)[:18].tolist()
    days = (rng.permutation(TODAY - 1)[:18] + 1).tolist()
    authors = rng.permutation([*members, SELF] * 3).tolist()
    posts = [
        {"id": number, "thread": number % 6, "author": author, "text": texts[number], "day": days[number]}
        for number, author in enumerate(authors)
    ]
    begin = {"first": "threads", "members": members, "threads": threads, "posts": posts}
    return {**begin, "today": TODAY, "votes": [], "reports": []}


def end(posts: list[dict[str, Any]], rng: np.random.Generator) -> tuple[str, dict[str, Any]]:
    """The newest or the oldest of some posts, and which of the two it is."""
    word = str(rng.choice(("newest", "oldest")))
    ordered = sorted(posts, key=lambda post: int(post["day"]))
    return word, ordered[-1 if word == "newest" else 0]


def place(page: Mapping[str, Any]) -> list[str]:
    """The parts of the address; at the bare one those of the page that the task begins with."""
    path = list(page["path"])
    return str(page["state"]["first"]).split("/") if path == [""] else path


class ForumReply(SiteEnv):
    """Answer in a thread; at level 3 it is the most or the least seen one of a member."""

    document = "forum"

    def make(self, rng: np.random.Generator) -> SiteTask:
        """Draw a board, one of its threads and a text."""
        state, text = board(rng), str(rng.choice(TEXTS))
        thread = state["threads"][rng.integers(6)]
        which = f"thread {thread['title']}"
        if self.level == 3:
            started = [each for each in state["threads"] if each["author"] == thread["author"]]
            word, best = (("most", max), ("fewest", min))[rng.integers(2)]
            thread = best(started, key=lambda each: int(each["views"]))
            which = f"thread of {thread['author']} with the {word} views"
        state["first"] = {1: f"answer/{thread['id']}", 2: f"thread/{thread['id']}", 3: state["first"]}[self.level]
        post = {"id": len(state["posts"]), "thread": thread["id"], "author": SELF, "text": text, "day": TODAY}
        return task(f'Answer "{text}" in the {which}.', state, {**state, "posts": [*state["posts"], post]})

    def next(self, page: Mapping[str, Any]) -> Click | Write | None:
        """Open the thread, answer, post."""
        post, where = self.wanted["posts"][-1], place(page)
        if where == ["answer", str(post["thread"])]:
            given = page["drafts"].get("Text") == post["text"]
            return Click("button", "Post") if given else Write("Text", post["text"])
        if where == ["thread", str(post["thread"])]:
            return Click("link", "Answer")
        title = page["state"]["threads"][post["thread"]]["title"]
        return Click("link", title if where == ["threads"] else "Threads")


class PostSite(SiteEnv):
    """What the tasks on one post share: a way to it from a list of posts."""

    document = "forum"

    @abstractmethod
    def post(self, page: Mapping[str, Any]) -> dict[str, Any]:
        """The post that is meant."""

    @abstractmethod
    def find(self, where: list[str], page: Mapping[str, Any]) -> Click:
        """The next step to the list in which the post stands."""

    @abstractmethod
    def use(self, where: list[str], page: Mapping[str, Any]) -> Click | Write:
        """What to do on the page of the post and on those that it leads to."""

    def next(self, page: Mapping[str, Any]) -> Click | Write | None:
        """Find the post, open it, and do what is asked."""
        where, post = place(page), self.post(page)
        if where[-1] == str(post["id"]) and where[0] in ("post", "report", "change"):
            return self.use(where, page)
        shown = (["thread", str(post["thread"])], ["member", post["author"]])
        return Click("link", post["text"]) if where in shown else self.find(where, page)


class ForumVote(PostSite):
    """Vote for a post with a word; at level 3 it is the newest or the oldest post of a member."""

    def make(self, rng: np.random.Generator) -> SiteTask:
        """Draw a board, a post of another member and a vote."""
        state, vote = board(rng), str(rng.choice(VOTES))
        author = str(rng.choice(state["members"]))
        word, post = end([each for each in state["posts"] if each["author"] == author], rng)
        which = f"{word} post of {author}" if self.level == 3 else f'post "{post["text"]}"'
        state["first"] = {1: f"post/{post['id']}", 2: f"member/{author}", 3: state["first"]}[self.level]
        want = {**state, "votes": [{"post": post["id"], "vote": vote}]}
        return task(f"Vote {vote} for the {which}.", state, want)

    def post(self, page: Mapping[str, Any]) -> dict[str, Any]:
        """The one that gets the vote."""
        post: dict[str, Any] = page["state"]["posts"][self.wanted["votes"][0]["post"]]
        return post

    def find(self, where: list[str], page: Mapping[str, Any]) -> Click:
        """By its author."""
        return Click("link", self.post(page)["author"] if where == ["members"] else "Members")

    def use(self, where: list[str], page: Mapping[str, Any]) -> Click | Write:
        """Vote."""
        return (
            Click("button", f"Vote {self.wanted['votes'][0]['vote']}") if where[0] == "post" else Click("link", "Back")
        )


class ForumReport(PostSite):
    """Report a post for a reason; at level 3 it is the newest or the oldest one of a thread."""

    def make(self, rng: np.random.Generator) -> SiteTask:
        """Draw a board, a post and a reason."""
        state, reason = board(rng), str(rng.choice(REASONS))
        thread = state["threads"][rng.integers(6)]
        word, post = end([each for each in state["posts"] if each["thread"] == thread["id"]], rng)
        which = f"{word} post in the thread {thread['title']}" if self.level == 3 else f'post "{post["text"]}"'
        state["first"] = {1: f"report/{post['id']}", 2: f"post/{post['id']}", 3: state["first"]}[self.level]
        want = {**state, "reports": [{"post": post["id"], "reason": reason}]}
        return task(f'Report the {which} with the reason "{reason}".', state, want)

    def post(self, page: Mapping[str, Any]) -> dict[str, Any]:
        """The one to report."""
        post: dict[str, Any] = page["state"]["posts"][self.wanted["reports"][0]["post"]]
        return post

    def find(self, where: list[str], page: Mapping[str, Any]) -> Click:
        """By its thread."""
        title = page["state"]["threads"][self.post(page)["thread"]]["title"]
        return Click("link", title if where == ["threads"] else "Threads")

    def use(self, where: list[str], page: Mapping[str, Any]) -> Click | Write:
        """Say why, and report."""
        reason = self.wanted["reports"][0]["reason"]
        if where[0] != "report":
            return Click("link", "Report" if where[0] == "post" else "Back")
        return Click("button", "Send report") if page["drafts"].get("Reason") == reason else Write("Reason", reason)


class ForumChange(PostSite):
    """Rewrite a post of your own; at level 3 it is your newest or your oldest one."""

    def make(self, rng: np.random.Generator) -> SiteTask:
        """Draw a board, a post of yours and another text."""
        state, text = board(rng), str(rng.choice(TEXTS))
        word, post = end([each for each in state["posts"] if each["author"] == SELF], rng)
        which = f"your {word} post" if self.level == 3 else f'your post "{post["text"]}"'
        state["first"] = {1: f"change/{post['id']}", 2: f"post/{post['id']}", 3: state["first"]}[self.level]
        posts = [{**each, "text": text} if each is post else each for each in state["posts"]]
        return task(f'Change {which} to "{text}".', state, {**state, "posts": posts})

    def post(self, page: Mapping[str, Any]) -> dict[str, Any]:
        """The one that is not yet what it should be."""
        pairs = zip(page["state"]["posts"], self.wanted["posts"], strict=True)
        return next(post for post, wanted in pairs if post != wanted)

    def find(self, where: list[str], page: Mapping[str, Any]) -> Click:
        """Among your own."""
        return Click("link", "My posts")

    def use(self, where: list[str], page: Mapping[str, Any]) -> Click | Write:
        """Rewrite it and save."""
        text = self.wanted["posts"][self.post(page)["id"]]["text"]
        if where[0] != "change":
            return Click("link", "Change" if where[0] == "post" else "Back")
        return Click("button", "Save") if page["drafts"].get("Text") == text else Write("Text", text)
