from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_gpuperf.benchmarks import BENCHMARKS, Context, Parameter, find
from jupyter_gpuperf.errors import BadRequest, NotFound
from jupyter_gpuperf.messages import Message

anything = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.integers())
)


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"speed": 1}, "unknown_parameter"),
        ({"workers": True}, "parameter_wrong_type"),
        ({"workers": 1.5}, "parameter_wrong_type"),
        ({"workers": math.nan}, "parameter_wrong_type"),
        ({"workers": math.inf}, "parameter_wrong_type"),
        ({"workers": None}, "parameter_wrong_type"),
        ({"pin_memory": 1}, "parameter_wrong_type"),
        ({"workers": -1}, "parameter_out_of_range"),
        ({"batch_size": 10**9}, "parameter_out_of_range"),
        ({"time_limit_seconds": math.nan}, "parameter_out_of_range"),
    ],
)
def test_what_cannot_be_is_refused_with_what_to_do(parameters, code):
    with pytest.raises(BadRequest) as refusal:
        find("dataloader").check(parameters)
    assert refusal.value.code == code
    assert refusal.value.hint


def test_a_whole_number_may_come_as_a_float_and_defaults_fill_the_rest():
    checked = find("dataloader").check({"workers": 2.0})
    assert checked["workers"] == 2
    assert isinstance(checked["workers"], int)
    assert set(checked) == {parameter.name for parameter in find("dataloader").parameters}


@given(st.sampled_from(BENCHMARKS), st.dictionaries(st.text(), anything, max_size=2), anything)
def test_no_input_ends_in_anything_but_a_refusal_or_complete_parameters(benchmark, odd, value):
    for parameter in benchmark.parameters:
        try:
            checked = benchmark.check({**odd, parameter.name: value})
        except BadRequest:
            continue
        assert list(checked) == [each.name for each in benchmark.parameters]


@pytest.mark.parametrize("value", ["two\nlines", "a\0b", "x" * 5000, 3, True, None, ["a"]])
def test_text_that_is_not_one_line_is_refused(value):
    folder = Parameter(name="folder", type="text", default="", help="A folder.")
    assert folder.check("/data/my images") == "/data/my images"
    with pytest.raises(BadRequest) as refusal:
        folder.check(value)
    assert refusal.value.code == "parameter_wrong_type"


def test_defaults_pass_their_own_checks():
    for benchmark in BENCHMARKS:
        assert benchmark.check({}) == {each.name: each.default for each in benchmark.parameters}


def test_an_unknown_benchmark_is_refused_with_those_that_there_are():
    with pytest.raises(NotFound) as refusal:
        find("magic")
    assert refusal.value.code == "unknown_benchmark"
    assert "dataloader" in refusal.value.hint


@pytest.mark.parametrize("name", ["items", "time_limit_seconds"])
def test_a_number_too_large_for_floating_point_is_out_of_range(name):
    with pytest.raises(BadRequest) as refusal:
        find("dataloader").check({name: 10**400})
    assert refusal.value.code == "parameter_out_of_range"
    assert len(refusal.value.message) < 200


def test_a_refusal_shows_every_digit_that_matters():
    with pytest.raises(BadRequest) as refusal:
        find("dataloader").check({"items": 1_000_001})
    assert refusal.value.message == "items = 1000001 is out of range."
    assert refusal.value.hint == "items must be from 1 to 1000000."


@pytest.mark.parametrize("value", ["x" * 100_000, [0] * 100_000], ids=["text", "list"])
def test_a_refusal_does_not_repeat_a_long_value_at_length(value):
    with pytest.raises(BadRequest) as refusal:
        find("dataloader").check({"items": value})
    assert len(refusal.value.message) < 200


def test_a_part_s_name_and_its_message_are_translated_each():
    reported = []
    context = Context(
        progress=lambda ratio, text: reported.append((ratio, text)), warn=reported.append
    )
    part = context.part(1, 4, Message("triad"))
    part.progress(0.5, Message("{rate} images/s so far", rate="7"))
    part.warn("Careful.")
    assert reported == [(0.375, "triad: 7 images/s so far"), "triad: Careful."]
    (_, message), warning = reported
    assert message.template == warning.template == "{name}: {text}"
    assert message.parameters["name"].template == "triad"
    assert message.parameters["text"].template == "{rate} images/s so far"


@pytest.mark.parametrize(
    ("minimum", "maximum", "value"),
    [(1.0, None, 0.0), (None, 1.0, 2.0), (None, None, math.nan), (None, None, math.inf)],
)
def test_a_bound_may_be_missing_but_a_number_is_always_finite(minimum, maximum, value):
    parameter = Parameter(
        name="open", type="number", default=1.0, help="h", minimum=minimum, maximum=maximum
    )
    assert parameter.check(1) == 1.0
    assert isinstance(parameter.check(1), float)
    with pytest.raises(BadRequest) as refusal:
        parameter.check(value)
    assert refusal.value.code == "parameter_out_of_range"
