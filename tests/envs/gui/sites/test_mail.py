import pytest
from visit import do, finish

from saccade.envs.gui.sites.base import Click, Write
from saccade.envs.gui.sites.mail import MailForward, MailReply, inbox

pytestmark = pytest.mark.browser


def test_the_right_text_under_an_older_mail_is_wrong(start):
    env = start("MailReply")
    sent, state = env.wanted["sent"], env.sight.page["state"]
    newest, older, *_ = inbox(state, **{"from": state["mails"][sent["mail"]]["from"]})
    assert newest["id"] == sent["mail"]
    way = Click("link", f"{older['from']}: {older['subject']}"), Click("link", "Answer")
    assert do(env, *way, Write("Text", sent["text"]), Click("button", "Send")) is False


def test_a_mail_that_was_moved_by_the_way_counts_until_it_is_back(start):
    for back in (True, False):
        env = start("MailForward")
        page = env.sight.page
        mail = page["state"]["mails"][env.wanted["sent"]["mail"]]
        elsewhere = page["state"]["folders"][0]
        do(env, Click("link", f"{mail['from']}: {mail['subject']}"), Click("button", f"Move to {elsewhere}"))
        assert env.next(env.sight.page) == Click("button", "Move to Inbox")
        if back:
            assert finish(env)
        else:
            do(env, Click("link", "Forward"), Write("To", env.wanted["sent"]["to"]))
            assert do(env, Click("button", "Send")) is False


def test_a_mail_is_forwarded_to_people_of_the_address_book_only(start):
    env = start("MailForward", level=1)
    assert do(env, Write("To", "Nobody"), Click("button", "Send")) is None
    assert env.sight.page["message"] == "There is nobody of this name." and env.sight.page["state"]["sent"] is None
    assert finish(env)


def test_an_empty_text_is_not_sent(start):
    env = start("MailContact", level=1)
    assert do(env, Click("button", "Send")) is None
    assert env.sight.page["message"] == "Write a text first."


def test_to_move_one_mail_too_many_or_too_few_is_wrong(start):
    env = start("MailSort")
    state, folder = env.sight.page["state"], env.wanted["mails"]
    moved = [old for old, new in zip(state["mails"], folder, strict=True) if old != new]
    newest = inbox(state, **{"from": moved[0]["from"]})[0]
    assert len(moved) == 2 and newest not in moved
    target = Click("button", f"Move to {folder[moved[0]['id']]['folder']}")
    opens = {mail["id"]: Click("link", f"{mail['from']}: {mail['subject']}") for mail in state["mails"]}
    assert do(env, opens[moved[0]["id"]], target, Click("button", "Tidy up done")) is False
    env.reset(seed=0)
    do(env, opens[newest["id"]], target, Click("link", "Inbox"))
    assert env.sight.tree.find("link", opens[newest["id"]].name) is None
    assert finish(env)  # the demonstration puts it back first


def test_addresses_of_nothing_show_nothing(start):
    env = start("MailReply")
    for path in ("mail/99", "folder/Nowhere", "write/Nobody", "mail"):
        env.step(f'goto("/{path}")')
        assert any("no such page" in each.text for each in env.sight.tree.elements)


def test_newest_mails_stand_anywhere_and_have_rivals():
    for task in (MailReply, MailForward):
        env, places = task(), set()
        for seed in range(30):
            drawn = env.draw(env.make, env._task_rng(seed))
            env.task = drawn
            number = env.wanted["sent"]["mail"]
            mails = env.wanted["mails"]
            key = "from" if task is MailReply else "subject"
            like = [mail["id"] for mail in mails if mail[key] == mails[number][key] and mail["folder"] == "Inbox"]
            assert len(like) > 1
            places.add(like.index(number))
        assert places == {0, 1, 2}
