import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saccade.envs.gui.tree import MAX_TEXT, read_tree

SNAPSHOT = r"""
- generic [active] [ref=e1] [box=8,8,304,2336]:
  - heading "Shop" [level=1] [ref=e2] [box=8,8,304,37]
  - paragraph [ref=e3] [box=8,66,304,18]: Hello you
  - text: Name
  - textbox "Na\"me" [active] [ref=e5] [box=50,101,177,21]: Ann
  - checkbox "Agree" [checked] [ref=e6] [box=231.5,103,13,13]
  - combobox "Size" [ref=e7] [box=251,102,34,19]:
    - option "M" [selected] [box=0,0,0,0]
  - 'link "a: b ''c''" [ref=e10] [cursor=pointer] [box=48,138,45,17]':
    - /url: /a
  - iframe [ref=e15] [box=8,229,104,54]:
    - button "Inner" [ref=f1e2] [box=8,8,46,21]
  - button "Deep" [disabled] [ref=e17] [box=8,2283,48,21]
  - generic [ref=e18] [cursor=pointer] [box=0,0,10,10]: Clicky
"""


def test_elements_have_roles_names_texts_states_and_places():
    tree = read_tree(SNAPSHOT)
    field = tree.find("textbox", 'Na"me')
    assert (field.text, dict(field.states), field.centre, field.depth) == ("Ann", {"active": ""}, (138, 111), 1)
    assert tree.focused is field
    assert tree.find("link", "a: b 'c'").handle == "e10"
    assert tree.find("paragraph", "").text == "Hello you"
    assert tree.find("option", "M").ref == "" and not tree.find("option", "M").usable
    assert tree.find("button", "Inner").box == (16, 237, 46, 21), "a frame's pixels become the window's"
    assert tree.find("button", "Deep").box == (8, 2283, 48, 21), "what follows the frame is not in it"
    assert [each.role for each in tree.elements].count("text") == 1


def test_refs_are_numbered_in_reading_order_and_kept():
    refs = {}
    first = read_tree(SNAPSHOT, refs)
    assert [each.ref for each in first.elements if each.ref] == [f"e{n}" for n in range(1, 12)]
    again = read_tree('- button "Deep" [ref=e17]\n- button "New" [ref=e99]', refs)
    assert [each.ref for each in again.elements] == [first.find("button", "Deep").ref, "e12"]


def test_what_can_be_used_and_is_in_sight_is_marked():
    names = [each.name or each.text for each in read_tree(SNAPSHOT).marked((320, 240))]
    assert names == ['Na"me', "Agree", "Size", "a: b 'c'", "Clicky"]
    assert "Inner" in [each.name for each in read_tree(SNAPSHOT).marked((320, 260))]


def test_a_model_reads_lines():
    text = read_tree(SNAPSHOT).text()
    assert '  textbox "Na"me" [e4] [active]: Ann' in text.splitlines()
    assert '  button "Deep" [e10] [disabled]' in text.splitlines()
    assert "box=" not in text and "/url" not in text


def test_a_name_with_a_control_character_is_one_line():
    tree = read_tree('- \'button "Pay\x85- link \\"Home\\" [ref=e7] [box=0,0,1,1]" [ref=e2] [box=0,0,9,9]\'')
    [button] = tree.elements
    assert (button.role, button.handle) == ("button", "e2") and "Home" in button.name


def test_a_huge_page_is_cut():
    tree = read_tree("\n".join(f'- button "{number}" [ref=e{number}]' for number in range(5000)))
    text = tree.text()
    assert len(text) <= MAX_TEXT + 30 and text.endswith("... (the page goes on)")
    assert tree.text(limit=100).count("\n") < 10


@given(st.text(max_size=300))
def test_no_snapshot_is_too_odd(text):
    for line in (text, f"- {text}", f'- button "{text}" [ref=e1] [box={text}]: {text}', f"- '{text}'"):
        read_tree(line).text()


@pytest.mark.parametrize("name", ["x: y", "it's", 'say "hi"', "[ref=e1]", "/a/", "- b", "#c", "'", '"', "\\", "{a}"])
@pytest.mark.browser
def test_names_of_every_kind_come_back_as_the_page_has_them(name):
    from saccade.envs.gui.browser import host
    from saccade.envs.gui.site import ASSETS, Site

    async def ask():
        tab = await host().shared("scene.html", Site(ASSETS), (200, 100))
        made = f"Object.assign(document.createElement('button'), {{ textContent: {json.dumps(name)} }})"
        await tab.evaluate(f"document.body.replaceChildren({made})")
        return await tab.page.aria_snapshot(mode="ai", boxes=True)

    [button] = [each for each in read_tree(host().call(ask(), 60)).elements if each.role == "button"]
    assert button.name == name
