import pytest
from visit import do, finish

from saccade.envs.gui.sites.base import Click, Write
from saccade.envs.gui.sites.forum import SELF, ForumReply, ForumVote, board

pytestmark = pytest.mark.browser


def test_the_right_answer_in_another_thread_of_the_member_is_wrong(start):
    env = start("ForumReply")
    post, threads = env.wanted["posts"][-1], env.sight.page["state"]["threads"]
    meant = threads[post["thread"]]
    other = next(each for each in threads if each["author"] == meant["author"] and each != meant)
    do(env, Click("link", other["title"]), Click("link", "Answer"), Write("Text", post["text"]))
    assert do(env, Click("button", "Post")) is False


def test_the_right_vote_for_another_post_and_another_vote_for_the_right_one_are_wrong(start):
    for wrong_post in (True, False):
        env = start("ForumVote")
        [vote] = env.wanted["votes"]
        posts = env.sight.page["state"]["posts"]
        meant = posts[vote["post"]]
        post = next(each for each in posts if (each["author"] == meant["author"]) and (each != meant) == wrong_post)
        word = vote["vote"] if wrong_post else next(each for each in ("odd", "kind") if each != vote["vote"])
        do(env, Click("link", "Members"), Click("link", meant["author"]), Click("link", post["text"]))
        assert do(env, Click("button", f"Vote {word}")) is False


def test_nobody_votes_for_himself(start):
    env = start("ForumVote")
    own = next(post for post in env.sight.page["state"]["posts"] if post["author"] == SELF)
    assert do(env, Click("link", "My posts"), Click("link", own["text"]), Click("button", "Vote kind")) is None
    assert env.sight.page["message"] == "You cannot vote for yourself." and not env.sight.page["state"]["votes"]
    assert finish(env)


def test_posts_of_others_cannot_be_changed(start):
    env = start("ForumChange")
    other = next(post for post in env.sight.page["state"]["posts"] if post["author"] != SELF)
    env.step(f'goto("/post/{other["id"]}")')
    assert env.sight.tree.find("link", "Report") and env.sight.tree.find("link", "Change") is None
    env.step(f'goto("/change/{other["id"]}")')
    assert env.sight.tree.find("button", "Save") is None
    assert finish(env)


def test_a_change_of_another_own_post_is_wrong_though_the_text_is_right(start):
    env = start("ForumChange")
    begun = env.sight.page["state"]["posts"]
    meant = env.post(env.sight.page)
    text = env.wanted["posts"][meant["id"]]["text"]
    other = next(post for post in begun if post["author"] == SELF and post != meant)
    do(env, Click("link", "My posts"), Click("link", other["text"]), Click("link", "Change"))
    assert env.sight.page["drafts"] == {"Text": other["text"]}
    assert do(env, Write("Text", text), Click("button", "Save")) is False


def test_a_report_needs_a_reason_and_the_post_that_was_meant(start):
    env = start("ForumReport", level=1)
    assert do(env, Click("button", "Send report")) is None
    assert env.sight.page["message"] == "Write something first."
    [report] = env.wanted["reports"]
    env.step(f'goto("/report/{(report["post"] + 6) % 18}")')  # in the same thread
    assert do(env, Write("Reason", report["reason"]), Click("button", "Send report")) is False


def test_threads_and_posts_have_rivals():
    for seed in range(30):
        state = board(ForumReply()._task_rng(seed))
        for author in {thread["author"] for thread in state["threads"]}:
            views = [thread["views"] for thread in state["threads"] if thread["author"] == author]
            assert len(set(views)) == 3
        for author in (*state["members"], SELF):
            assert len({post["day"] for post in state["posts"] if post["author"] == author}) == 3
    env, places = ForumVote(), set()
    for seed in range(30):
        env.task = env.draw(env.make, env._task_rng(seed))
        wanted = env.wanted
        meant = wanted["posts"][wanted["votes"][0]["post"]]
        places.add([post for post in wanted["posts"] if post["author"] == meant["author"]].index(meant))
    assert places == {0, 1, 2}
