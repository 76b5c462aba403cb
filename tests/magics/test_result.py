"""A result: the documented shape, and one content as text and HTML."""

from __future__ import annotations

import dataclasses
import json
import re

import msgspec
import pytest

from jupyter_gpuperf.display.result import Result, environment_line, rows
from jupyter_gpuperf.schemas import BenchmarkResult, Interval

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

    for row in rows(result):
        for part in row:
            assert part in text
            assert part in said
    for part in (*measured.warnings, environment_line(measured), "pin memory yes"):
        assert part in text
        assert part in said


def rate(value=80.0, **environment):
    return BenchmarkResult(
        benchmark="matmul",
        parameters={},
        unit="flops_per_second",
        figures={"bf16_flops_per_second": Interval(value=value, low=value, high=value)},
        samples={"bf16_seconds": [1.0, 1.1, 0.9]},
        environment=environment,
        limits={"bf16_flops_per_second": 100.0},
        warnings=[],
    )


def test_a_figure_is_held_against_its_limit_and_the_clock_that_was_held():
    shown = repr(Result(rate(clock_sm_mean_mhz=900.0, limit_clock_mhz=1800.0)))
    assert "80 % of 100 FLOP/s" in shown.replace("\u00a0", " ")
    assert "160 % at 900 MHz" in shown
    assert "MHz" not in repr(Result(rate()))


def test_of_a_time_the_limit_is_the_shortest():
    data = BenchmarkResult(
        benchmark="compute",
        parameters={},
        unit="seconds",
        figures={"pass_seconds": Interval(value=4.0, low=4.0, high=4.0)},
        samples={},
        environment={},
        limits={"pass_seconds": 1.0},
        warnings=[],
    )
    assert "minimum 1.00 s, 25 % reached" in repr(Result(data)).replace("\u00a0", " ")


def test_the_best_of_this_machine_stands_beside_a_lower_figure_alone():
    assert "80 % of the best on this machine" in repr(
        Result(rate(), best={"bf16_flops_per_second": 100.0})
    )
    assert "best on this machine" not in repr(
        Result(rate(100.0), best={"bf16_flops_per_second": 100.0})
    )


def test_how_it_compares_is_shown_in_text_and_html(measured):
    result = Result(measured, comparison=["Compared with the baseline", "batch: 1.1× <worse>"])
    assert "batch: 1.1× <worse>" in repr(result)
    assert "batch: 1.1× &lt;worse&gt;" in result._repr_html_()


def test_samples_come_as_a_data_frame(result):
    frame = result.to_frame()
    assert list(frame.columns) == ["figure", "sample", "value"]
    assert frame[frame.figure == "batch_seconds"].value.tolist() == [0.0111, 0.0113]


def test_samples_are_drawn_in_order_and_as_they_lie_with_their_interval(result):
    in_order, beside, *_, last = result.plot().axes
    assert in_order.get_ylabel() == "batch, ms"
    assert list(in_order.lines[0].get_ydata()) == pytest.approx([11.1, 11.3])
    assert len(in_order.patches) == 1  # the interval
    assert sum(bar.get_width() for bar in beside.containers[0]) == 2
    assert last.get_xlabel() == "samples"


def test_the_roofline_is_drawn_where_operations_bytes_and_limits_are_known():
    data = rate(80e12)
    known = msgspec.structs.replace(
        data,
        limits={"bf16_flops_per_second": 989e12, "memory_bytes_per_second": 3.35e12},
        environment={**data.environment, "bf16_flop_per_byte": 100.0},
    )
    (axes,) = (each for each in Result(known).plot().axes if each.get_xscale() == "log")
    roof, point = axes.lines
    assert roof.get_xdata()[1] == pytest.approx(989 / 3.35)  # where memory ceases to bind
    assert (point.get_xdata()[0], point.get_ydata()[0]) == (100.0, 80.0)
    assert not any(each.get_xscale() == "log" for each in Result(data).plot().axes)


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
    assert environment_line(measured) == "NVIDIA <H100> · torch 2.11"
