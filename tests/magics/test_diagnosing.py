"""``jupyter gpuperf diagnose``, as it is called in a shell."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest

from jupyter_gpuperf.cli import main
from jupyter_gpuperf.client.diagnosis import Diagnosis, diagnosis_of

RECORDED = Path(__file__).parents[1] / "recordings"


def test_json_is_what_scripts_rely_on(starved_recording, capsys):
    assert main(["diagnose", str(starved_recording), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    (finding,) = answer["findings"]
    assert finding["code"] == "input-bound"
    assert finding["severity"] == "warning"
    assert {"summary", "evidence", "advice"} <= set(finding)
    assert answer["devices"][0]["readings_count"] == 240


@pytest.mark.parametrize(
    "recording", sorted(RECORDED.glob("h100_*.jsonl.gz")), ids=lambda path: path.name.split(".")[0]
)
def test_whatever_is_found_goes_over_a_wire(recording, capsys):
    assert main(["diagnose", str(recording), "--json"]) == 0
    for finding in json.loads(capsys.readouterr().out)["findings"]:
        assert {"code", "severity", "summary", "evidence", "advice"} <= set(finding)


def test_text_begins_with_what_was_found_and_gives_figures_advice_and_doubt(
    starved_recording, capsys
):
    assert main(["diagnose", str(starved_recording)]) == 0
    said = capsys.readouterr().out
    assert "▲ input-bound · warning, suspected" in said
    assert re.search(r"evidence +busy \d", said)
    assert "%gpuwatch on" in said
    assert "how to check" in said


def test_healthy_work_and_no_work_are_different_words(training_recording, idle_recording, capsys):
    main(["diagnose", str(training_recording)])
    assert "No problems found" in capsys.readouterr().out
    main(["diagnose", str(idle_recording)])
    assert "No work lasted long enough" in capsys.readouterr().out


def test_a_torn_recording_is_judged_by_what_came_before(starved_recording, tmp_path, caplog):
    whole = gzip.decompress(starved_recording.read_bytes())
    torn = tmp_path / "torn.jsonl"
    torn.write_bytes(whole[: int(0.9 * len(whole))])
    assert [each.code for each in diagnosis_of(torn).findings] == ["input-bound"]
    assert "torn" in caplog.text


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (None, "file_not_found"),
        (b"", "not_a_recording"),
        (b"\x89PNG\r\n\x1a\n", "not_a_recording"),
        (b'{"trace": "x", "static": {}}\n', "not_a_recording"),
        (b'{"trace": "x", "static": {}}\n{"t": "late"}\n', "not_a_recording"),
        (b'{"format": "gpuperf-recording", "format_version": 99}\n', "not_a_recording"),
        (b"[1, 2]\n", "not_a_recording"),
    ],
)
def test_a_file_that_is_none_is_refused_with_a_code(content, code, tmp_path, capsys):
    path = tmp_path / "file.jsonl"
    if content is not None:
        path.write_bytes(content)
    assert main(["diagnose", str(path), "--json"]) == 2
    refusal = json.loads(capsys.readouterr().err.strip().splitlines()[-1])
    assert refusal["code"] == code
    assert refusal["hint"]


def test_live_looks_at_this_machine_and_refuses_too_short_a_time(capsys):
    assert main(["diagnose", "--live", "2", "--json"]) == 2
    assert json.loads(capsys.readouterr().err)["code"] == "parameter_out_of_range"


def test_live_without_a_gpu_says_why_there_is_none(capsys):
    assert main(["diagnose", "--live", "10", "--source", "none", "--json"]) == 1
    assert json.loads(capsys.readouterr().err)["hint"]


def test_without_gpm_it_says_which_causes_can_not_be_decided(tmp_path, capsys):
    """The figures that GPM gives are taken out of a recording: a GPU before Hopper."""
    plain = gzip.decompress((RECORDED / "h100_h2d_bound_pageable.jsonl.gz").read_bytes())
    lines = [json.loads(line) for line in plain.splitlines()]
    old = [{key: value for key, value in line.items() if "gpm" not in key} for line in lines]
    path = tmp_path / "old.jsonl"
    path.write_text("\n".join(map(json.dumps, old)))
    assert main(["diagnose", str(path)]) == 0
    said = capsys.readouterr().out
    assert "No readings of PCIe in, PCIe out, Tensor cores" in said
    assert "No cause is certain." in said
    assert main(["diagnose", str(path), "--json"]) == 0
    (undecided,) = json.loads(capsys.readouterr().out)["undecided"]
    assert "tensor-cores-idle" in undecided["codes"]


def test_each_of_several_devices_is_named(starved_recording, training_recording, tmp_path):
    from perturbing import beside, trace

    from jupyter_gpuperf.findings.wire_format import finding_of
    from jupyter_gpuperf.rules import RULES, judge

    window = beside(trace("input_bound_jpeg_1worker"), trace("healthy_resnet50_bf16"))
    findings = [finding_of(each, 0.0) for each in judge(window, RULES)]
    said = repr(Diagnosis("x", window, findings, []))
    assert "GPU 0 NVIDIA H100 80GB HBM3: GPU idle" in said


def test_the_same_finding_of_several_devices_is_shown_once_with_the_evidence_of_each():
    from perturbing import beside, trace

    from jupyter_gpuperf.findings.wire_format import finding_of
    from jupyter_gpuperf.rules import RULES, judge

    jpegs = trace("input_bound_jpeg_1worker")
    window = beside(jpegs, jpegs)
    findings = [finding_of(each, 0.0) for each in judge(window, RULES)]
    diagnosis = Diagnosis("x", window, findings, [])
    said = repr(diagnosis)
    assert said.count("input-bound") == 1
    assert "2 GPUs: GPU idle" in said
    for index in range(2):
        assert re.search(rf"GPU {index} NVIDIA H100 80GB HBM3 +busy \d", said)
    assert said.count("how to check") == 1
    # Scripts get each finding by itself.
    shared = [each for each in diagnosis.to_dict()["findings"] if each["code"] == "input-bound"]
    assert len({each["device"] for each in shared}) == 2
