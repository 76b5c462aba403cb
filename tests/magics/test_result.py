"""A result: the documented shape, and one content as text and HTML."""

from __future__ import annotations

import dataclasses
import json
import re

import pytest

from jupyter_gpuperf.magics.result import rows, surroundings

CONTRACT = {
    "benchmark",
    "parameters",
    "unit",
    "figures",
    "samples",
    "environment",
    "limits",
    "warnings",
}


def test_to_dict_is_the_contracts_shape_and_plain_json(result):
    plain = result.to_dict()

    assert set(plain) == CONTRACT
    assert plain["figures"]["batch_seconds"] == {"value": 0.0112, "low": 0.0109, "high": 0.0116}
    assert json.loads(json.dumps(plain)) == plain


def test_changing_the_dictionary_does_not_change_the_result(result):
    result.to_dict()["samples"]["batch_seconds"].clear()

    assert result.to_dict()["samples"]["batch_seconds"] == [0.0111, 0.0113]


def test_a_result_is_frozen(result):
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.data = None
    with pytest.raises(TypeError):
        result.figures["batch_seconds"] = 0


def test_samples_and_figures_are_at_hand(result):
    assert result.samples["batch_seconds"] == (0.0111, 0.0113)
    assert result.figures["batch_seconds"].value == 0.0112
    assert result.warnings == ("The machine was busy <b>with</b> other work.",)


def test_text_and_html_say_the_same(result, measured):
    text, drawn = repr(result), result._repr_html_()
    said = re.sub(r"<[^>]*>", " ", drawn).replace("&lt;", "<").replace("&gt;", ">")

    for row in rows(measured):
        for part in dataclasses.astuple(row):
            assert part in text
            assert part in said
    for part in (*measured.warnings, surroundings(measured), "pin memory yes"):
        assert part in text
        assert part in said


def test_nothing_of_a_result_becomes_markup(result):
    drawn = result._repr_html_()

    assert "<H100>" not in drawn
    assert "<b>with</b>" not in drawn
    assert "NVIDIA &lt;H100&gt;" in drawn


def test_colours_are_the_themes_with_a_fallback_each(result):
    variables = re.findall(r"var\(([^()]*(?:\([^()]*\))?[^()]*)\)", result._repr_html_())

    assert variables
    assert all(variable.startswith("--jp-") and "," in variable for variable in variables)


def test_the_device_comes_first_and_what_is_missing_is_left_out(measured):
    assert surroundings(measured) == "NVIDIA <H100> · torch 2.11"
