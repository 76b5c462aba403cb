"""A message is its English sentence everywhere, and another language's where it is translated."""

from __future__ import annotations

import copy
import json
import pickle
import tracemalloc

import msgspec
import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo

from jupyter_gpuperf.errors import NotFound
from jupyter_gpuperf.messages import Message, translator, with_messages, without_messages
from jupyter_gpuperf.messages.translator import Translator, language_of
from jupyter_gpuperf.schemas import ErrorInfo, encode

MEMORY = Message("Memory is nearly full: {used:.1f} of {total:.0f} GiB.", used=78.04, total=80)


def test_a_message_is_its_sentence_with_the_values_formatted():
    assert MEMORY == "Memory is nearly full: 78.0 of 80 GiB."
    assert json.dumps([MEMORY]) == '["Memory is nearly full: 78.0 of 80 GiB."]'
    assert Message("{ratio:.0%} of the time", ratio=0.04) == "4 % of the time"
    assert Message("{path!r} has {{braces}}", path="a b") == "'a b' has {braces}"


def test_translators_see_the_template_without_formats():
    assert MEMORY.to_dict() == {
        "template": "Memory is nearly full: {used} of {total} GiB.",
        "parameters": {"used": "78.0", "total": "80"},
    }


def test_a_field_without_a_parameter_is_an_error_where_it_is_written():
    with pytest.raises(KeyError):
        Message("{used} GiB")


@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))]
)
def test_copies_keep_the_template(again):
    whole = Message(
        "{name}: {cause}",
        name="bf16",
        cause=Message.counted("{count} try", "{count} tries", count=3),
    )
    assert again(whole) == "bf16: 3 tries"
    assert again(whole).to_dict() == whole.to_dict()


@pytest.fixture
def german(tmp_path, monkeypatch) -> Translator:
    """A translator with a language of its own, as another package could ship one."""
    catalog = Catalog(locale="de", domain=translator.DOMAIN)
    catalog.add(
        "Memory is nearly full: {used} of {total} GiB.", "Von {total} GiB sind {used} belegt."
    )
    catalog.add(
        ("{count} GPU waits", "{count} GPUs wait"), ("{count} GPU wartet", "{count} GPUs warten")
    )
    catalog.add("{name} stopped: {cause}", "{name} hielt an: {cause}")
    catalog.add("Cause", "Ursache")
    folder = tmp_path / "de" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    with (folder / f"{translator.DOMAIN}.mo").open("wb") as file:
        write_mo(file, catalog)
    monkeypatch.setattr(translator, "LOCALES", tmp_path)
    return Translator("de")


def test_values_go_where_the_translation_has_them(german):
    assert german(MEMORY) == "Von 80 GiB sind 78.0 belegt."


@pytest.mark.parametrize(("count", "expected"), [(1, "1 GPU wartet"), (2, "2 GPUs warten")])
def test_a_count_takes_the_form_of_the_language(german, count, expected):
    assert (
        german(Message.counted("{count} GPU waits", "{count} GPUs wait", count=count)) == expected
    )


def test_a_message_within_a_message_is_translated_with_it(german):
    whole = Message("{name} stopped: {cause}", name="fp16", cause=MEMORY)
    assert german(Message.from_dict(json.loads(json.dumps(whole.to_dict())))) == german(whole)
    assert german(whole) == "fp16 hielt an: Von 80 GiB sind 78.0 belegt."


def test_a_label_is_looked_up_and_what_is_not_known_stays_english(german):
    assert german(Message("Cause")) == german(Message.from_template("Cause")) == "Ursache"
    assert german("Cause") == "Cause"  # a user's name may be a word of the catalogue
    assert german(Message("Not {what}", what="known")) == "Not known"
    assert german("") == ""


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({}, "en"),
        ({"LANG": "zh_TW.UTF-8"}, "zh_CN"),
        ({"LANG": "de_DE.UTF-8", "LC_ALL": "zh_CN"}, "zh_CN"),
        ({"LANG": "de_DE.UTF-8"}, "de_DE"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({"LANGUAGE": "zh_CN:en", "LANG": "de_DE.UTF-8"}, "zh_CN"),
    ],
)
def test_the_environment_names_the_language(environment, language):
    assert language_of(environment) == language
    assert Translator(language)(MEMORY) == MEMORY or language == "zh_CN"


def test_a_list_is_joined_and_each_message_in_it_translated(german):
    whole = Message("<{causes}>", causes=[MEMORY, "disk"])
    assert whole == f"<{MEMORY}, disk>"
    assert german(whole) == "<Von 80 GiB sind 78.0 belegt., disk>"
    assert Message.from_dict(whole.to_dict()).to_dict() == whole.to_dict()


def test_plain_data_keeps_messages_beside_their_strings():
    data = {"a": MEMORY, "list": [MEMORY, "plain"], "deep": [{"b": MEMORY}], "count": 2}
    plain = with_messages(data)
    assert plain["a"] == MEMORY
    assert type(plain["a"]) is str
    assert plain["list_message"] == [MEMORY.to_dict(), None]
    assert "count_message" not in plain
    back = without_messages(json.loads(json.dumps(plain)))
    assert back == data
    assert back["deep"][0]["b"].to_dict() == back["list"][0].to_dict() == MEMORY.to_dict()


@pytest.mark.parametrize(
    "described",
    [
        {"template": "Format C:", "parameters": {}},
        {"template": "{used", "parameters": 5},
        {"parameters": {}},
        "text",
        7,
        [None],
        {"template": "{count}", "plural": "{count}s", "parameters": {}},
    ],
)
def test_a_description_of_another_sentence_is_ignored(described):
    """It may come from a file or a foreign worker; the English string counts."""
    back = without_messages({"a": "Text", "a_message": described})
    assert back == {"a": "Text"}
    assert not isinstance(back["a"], Message)


def nested(levels, template="{a}"):
    inner = "x"
    for _ in range(levels):
        inner = {"template": template, "parameters": {"a": inner}}
    return inner


@pytest.mark.parametrize(
    "described",
    [
        nested(2000),
        nested(10),
        nested(6, "{a}" * 1000),  # would be a text of 10^18 characters
        {"template": "{a}" * 10_000, "parameters": {"a": "x" * 30_000}},
        {"template": "{a}", "parameters": {"a": [[["x"]]]}},
        {"template": "{a}", "parameters": {"a": 1.5}},
    ],
)
def test_a_description_can_not_take_all_memory(described):
    tracemalloc.start()
    back = without_messages({"a": "x", "a_message": described})
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()
    assert back == {"a": "x"}
    assert not isinstance(back["a"], Message)


def test_values_that_the_template_does_not_name_are_dropped():
    described = {"template": "{a}", "parameters": {"a": "x", "b": [[["y"]]], "c": nested(2000)}}
    back = without_messages({"a": "x", "a_message": described})
    assert back["a"].to_dict() == {"template": "{a}", "parameters": {"a": "x"}}


def test_a_template_from_a_file_reaches_into_no_object():
    described = {"template": "{a.__class__} {a:>99999999999} {a}", "parameters": {"a": "x"}}
    message = Message.from_dict(described)
    assert message == "{a.__class__} {a:>99999999999} x"


def test_a_struct_carries_its_messages_over_the_wire_and_back():
    sent = ErrorInfo(code="a", message=MEMORY, hint="Plain.")
    raw = json.loads(encode(sent))
    assert raw == {
        "code": "a",
        "message": MEMORY,
        "hint": "Plain.",
        "message_message": MEMORY.to_dict(),
    }
    back = msgspec.json.decode(encode(sent), type=ErrorInfo)
    assert back.message.to_dict() == MEMORY.to_dict()
    assert json.loads(encode(back)) == raw


def test_a_replaced_text_does_not_keep_the_old_description():
    sent = ErrorInfo(code="a", message=MEMORY, hint="")
    changed = msgspec.structs.replace(sent, message="Other.")
    assert json.loads(encode(changed)) == {"code": "a", "message": "Other.", "hint": ""}


def test_a_message_in_an_error_keeps_its_braces_when_the_hint_has_values():
    path = Message("No file {path}.", path="{x}")
    error = NotFound("a", path, "Try {other}.", other="b")
    assert (error.message, error.hint) == ("No file {x}.", "Try b.")
    assert error.message.to_dict() == path.to_dict()


def test_a_singular_keeps_the_values_that_only_the_plural_names():
    """Chinese has one text for both, made from the plural's fields."""
    one = Message.counted("One on {gpu}", "{count} of {all} on {gpu}", count=1, gpu="A", all=3)
    assert one == "One on A"
    assert one.parameters == {"gpu": "A", "all": "3", "count": 1}


def test_a_count_that_is_no_number_describes_nothing():
    described = {"template": "a", "plural": "b", "parameters": {"count": "3"}}
    assert not isinstance(without_messages({"a": "b", "a_message": described})["a"], Message)
