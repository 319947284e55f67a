"""Chat templates of real models: accepted ones are written token for token, the others are refused with the reason."""

import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saccade.agents.chat import Chat
from saccade.agents.engines.base import Completion, StopReason
from saccade.agents.formats import make_format
from saccade.agents.media import Media
from saccade.agents.modality import Modality
from saccade.agents.pictures import Pictures
from saccade.agents.tiny import TinyConfig, make_image_processor, make_tokenizer
from saccade.envs.actions import ActionSet, X, Y, verb
from saccade.envs.errors import ConfigError
from saccade.envs.observation import Image, Observation, Text

FOLDER = Path(__file__).parent / "templates"
STORED = {path.stem: path.read_text() for path in sorted(FOLDER.glob("*.jinja"))}
# Written by us: what these models' templates are known to write; their texts could not be stored.
INTERNVL = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{% if m['content'] is string %}{{ m['content'] }}{% else %}"
    "{% for c in m['content'] %}{% if c['type'] == 'image' %}<IMG_CONTEXT>\n{% elif c['type'] == 'text' %}"
    "{{ c['text'] }}{% endif %}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
OMNI = STORED["qwen2_vl"].replace("<|image_pad|>", "<|IMAGE|>").replace("<|vision_start|>", "<|vision_bos|>")
ONEVISION = (
    "{% for m in messages %}<|im_start|>{{ m['role'] + ' ' }}"
    "{% for c in m['content'] %}{% if c['type'] == 'image' %}<image>{% endif %}{% endfor %}"
    "{% for c in m['content'] %}{% if c['type'] == 'text' %}{{ '\n' + c['text'] }}{% endif %}{% endfor %}"
    "<|im_end|>{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
PICTURES_FIRST = ONEVISION.replace("+ ' '", "")
REFUSED = {
    "onevision": ONEVISION,
    "vicuna": "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }} {% endfor %}{{ 'assistant: ' }}",
    "counting": "{{ messages | length }}" + STORED["qwen2_vl"],
    "deaf": "<bos>",
}
TEMPLATES = STORED | REFUSED | {"internvl": INTERNVL, "omni": OMNI, "pictures_first": PICTURES_FIRST}

PICTURE = {  # the token that stands for features, where the template writes it itself
    **dict.fromkeys(["qwen2_vl", "qwen2_5_vl", "qwen3_vl"], "<|image_pad|>"),
    **dict.fromkeys(["smolvlm", "idefics3", "llava_next", "pictures_first", "onevision"], "<image>"),
    "internvl": "<IMG_CONTEXT>",
    "omni": "<|IMAGE|>",
}
TEXT_ONLY = ["qwen2_5", "qwen3", "qwen3_instruct_2507", "gemma", "gemma3"]
ACCEPTED = [
    *TEXT_ONLY,
    "qwen2_vl",
    "qwen2_5_vl",
    "qwen3_vl",
    "smolvlm",
    "idefics3",
    "internvl",
    "llava_next",
    "omni",
    "pictures_first",
]
CONTROL = (
    *("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>"),
    *("<|image_pad|>", "<|video_pad|>", "<|vision_bos|>", "<|vision_eos|>", "<|IMAGE|>", "<bos>", "<start_of_turn>"),
    *(
        "<end_of_turn>",
        "<start_of_image>",
        "<|begin_of_text|>",
        "<end_of_utterance>",
        "<image>",
        "<IMG_CONTEXT>",
        "</s>",
    ),
)
WORDS = [
    "User: what is it? Assistant: two",
    "Look here.\n\nuser\nmodel\nassistant\n",
    "system You are a helpful assistant.",
]


@pytest.fixture(scope="module")
def chats():
    """A chat for a template, over one tokenizer of ours that has the control tokens of all of them."""
    tokenizer = make_tokenizer(WORDS * 20, 60, CONTROL, "")
    tokenizer.add_special_tokens({"bos_token": "<bos>"})
    processor = Pictures(make_image_processor(TinyConfig()))
    made = {}

    def chat(name, thinking="default"):
        if (name, thinking) not in made:
            tokenizer.chat_template = TEMPLATES[name]
            token = tokenizer.convert_tokens_to_ids(PICTURE.get(name, "<|image_pad|>"))
            kinds = {Modality.IMAGE: processor} if name in PICTURE else {}
            made[name, thinking] = Chat(tokenizer, Media(kinds, {Modality.IMAGE: token}), thinking=thinking)
        tokenizer.chat_template = TEMPLATES[name]
        return made[name, thinking]

    return chat


def white(width, height):
    return Image(np.full((height, width, 3), 255, np.uint8))


# What a world says begins and ends with no white space, and is composed (NFC), as the tokenizer would make it.
letters = st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp", "Zs", "Cs"])
words = st.text(letters, min_size=1, max_size=12).map(lambda word: unicodedata.normalize("NFC", word))
texts = st.lists(words | st.sampled_from(["What", "is\n\nit", "two."]), min_size=1, max_size=4).map(" ".join)


def rendered(chat, system, turns, replies):
    """The template's own rendering by the library, each picture's token as often as it has features."""
    template, token = chat.template, chat.tokenizer.convert_ids_to_tokens(chat.media.placeholders[Modality.IMAGE])
    listed = template.listed

    def content(parts):
        if not listed:
            return "\n".join(part.text for part in parts)
        return [{"type": "text", "text": p.text} if isinstance(p, Text) else {"type": "image"} for p in parts]

    def written(text):
        return [{"type": "text", "text": text}] if listed else text

    messages = [] if template.folds else [{"role": "system", "content": written(system)}]
    for index, parts in enumerate(turns):
        if template.folds and not index:
            parts = [Text(f"{system}\n\n{parts[0].text}"), *parts[1:]]
        messages.append({"role": "user", "content": content(parts)})
        messages += [{"role": "assistant", "content": written(reply)} for reply in replies[index : index + 1]]
    text = chat.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    pictures = [part for parts in turns for part in parts if isinstance(part, Image)]
    pieces = text.split(token)
    assert len(pieces) == len(pictures) + 1
    counts = [chat.media.process(picture).tokens for picture in pictures]
    return pieces[0] + "".join(token * count + piece for count, piece in zip(counts, pieces[1:], strict=True))


@pytest.mark.parametrize("name", ACCEPTED)
@given(data=st.data())
@settings(max_examples=12)
def test_the_ledger_equals_the_templates_rendering_at_every_turn(chats, name, data):
    chat = chats(name)
    pictures = st.builds(white, *[st.integers(16, 64)] * 2)
    parts = st.lists(pictures, max_size=2) if name in PICTURE else st.just([])
    system, replies, turns = data.draw(texts), [], []
    ledger = chat.open(system)
    for turn in range(data.draw(st.integers(1, 3))):
        view = [Text(data.draw(texts)), *data.draw(parts)]
        if len(view) > 1 and data.draw(st.booleans()):
            view.append(Text(data.draw(texts)))
        if turn and len(view) > 1 and data.draw(st.booleans()):
            view = view[1:]  # a picture comes first
        turns.append(view)
        chat.observe(ledger, Observation(tuple(view)), turn)
        whole = rendered(chat, system, turns, replies)
        assert chat.tokenizer.decode(ledger.ids) == whole
        assert ledger.ids == chat.tokenizer(whole, add_special_tokens=False)["input_ids"]
        replies.append(data.draw(texts).strip())
        ids = chat.reply(replies[-1])
        ledger.append_action(
            Completion(tuple(ids), (0.0,) * len(ids), (0,) * len(ids), StopReason.STOP, tuple(ledger.ids)), turn
        )


@pytest.mark.parametrize("name", ACCEPTED)
def test_no_text_of_the_world_is_a_control_token(chats, name):
    chat = chats(name)
    clean, hostile = chat.open("S"), chat.open("S" + "".join(CONTROL))
    chat.observe(clean, Observation.of("hello"), 0)
    chat.observe(hostile, Observation.of("".join(CONTROL)), 0)
    control = set(chat.template.specials.values())
    assert [token for token in hostile.ids if token in control] == [token for token in clean.ids if token in control]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("onevision", r"not append-only: with one more turn .* after '.*assistant' first '\\n', then ' '"),
        ("vicuna", "ends a reply with no special token"),
        ("counting", "not append-only"),
        ("deaf", "does not write the system text and the first turn once"),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_reason(chats, name, why):
    with pytest.raises(ConfigError, match=why):
        chats(name)


def test_qwen3_takes_thoughts_out_of_earlier_turns(chats):
    assert chats("qwen3_vl").template.keeps_thoughts
    chat = chats("qwen3")
    assert not chat.template.keeps_thoughts
    with pytest.raises(ConfigError, match=r"takes the thoughts out of earlier turns: .* first '<think>', then"):
        chat.template.require_thoughts()


def test_qwen3_without_thinking_is_not_append_only(chats):
    """It opens a reply with an empty thought, which later turns no longer have."""
    with pytest.raises(ConfigError, match=r"not append-only: .* first '<think>'"):
        chats("qwen3", "off")


def test_thinking_is_set_where_a_template_knows_it(chats):
    assert chats("qwen3", "on").template.knows_thinking
    with pytest.raises(ConfigError, match="knows no enable_thinking"):
        chats("qwen3_vl", "on")
    with pytest.raises(ConfigError, match="thinking must be one of"):
        chats("qwen3_vl", "maybe")
    assert chats("qwen3").thinking("default") is chats("qwen3")


def test_gemma_has_no_system_role(chats):
    chat = chats("gemma")
    assert chat.template.folds and not chats("gemma3").template.folds
    for name in ("gemma", "gemma3"):
        chat = chats(name)
        ledger = chat.open("Be brief.")
        chat.observe(ledger, Observation.of(" What is it? "), 0)
        assert chat.tokenizer.decode(ledger.ids) == (
            "<bos><start_of_turn>user\nBe brief.\n\nWhat is it?<end_of_turn>\n<start_of_turn>model\n"
        )


def test_gemmas_own_picture_token_is_not_its_templates(chats):
    """The library's processor puts features behind `<start_of_image>`: a picture is refused, not lost."""
    tokenizer = chats("gemma3").tokenizer
    processor = Pictures(make_image_processor(TinyConfig()))
    token = tokenizer.convert_tokens_to_ids("<image>")
    with pytest.raises(ConfigError, match="must write one <image> for a picture"):
        Chat(tokenizer, Media({Modality.IMAGE: processor}, {Modality.IMAGE: token}))


def test_the_space_before_a_smolvlm_reply_is_the_replys(chats):
    chat = chats("smolvlm")
    assert chat.template.lead == " "
    assert chat.decode(chat.reply("two")) == " two"
    assert make_format("no-think").read(chat.decode(chat.reply("<answer>2</answer>"))).action == "2"


def test_pictures_that_a_template_puts_first_come_first(chats):
    chat = chats("pictures_first")
    ledger = chat.open("S")
    one, two = white(32, 32), white(16, 16)
    chat.observe(ledger, Observation.of("a", one, "b", two), 0)
    assert ledger.media == (one, two)
    assert chat.tokenizer.decode(ledger.ids).endswith("<image>" * 5 + "\na\nb<|im_end|><|im_start|>assistant\n")


@pytest.mark.parametrize("name", ["qwen2_5", "qwen3", "qwen3_vl", "qwen3_instruct_2507"])
def test_the_tool_call_format_says_what_the_template_would_say(chats, name):
    from saccade.agents.formats.calls import tools_of

    chat = chats(name)
    actions = ActionSet(verb("click", "Press the left mouse button.", x=X, y=Y))
    system = "\n".join(line for line in ["Click.", *make_format("tool-call").explain(actions, "")] if line)
    ours = chat.template.render(system, ["one"])
    theirs = chat.template.render("Click.", ["one"], tools=tools_of(actions))
    assert ours == theirs and chat.template.knows_tools


def test_what_a_template_can_do_is_told(chats):
    assert chats("qwen3_vl").template.summary == (
        "append-only, a system role, media: image, no thinking switch, thoughts stay, tools, "
        "replies end with <|im_end|>"
    )
    assert "before the first observation" in chats("gemma").template.summary
