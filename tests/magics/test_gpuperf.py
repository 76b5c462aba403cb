"""``%gpuperf``: the entry."""

from __future__ import annotations

import pytest

from jupyter_gpuperf.client.failures import BenchmarkError


def test_without_a_gpu_it_says_what_to_do_and_what_works_all_the_same(shell, monkeypatch):
    monkeypatch.setenv("JUPYTER_GPUPERF_SOURCE", "none")
    shown = shell.run_line_magic("gpuperf", "")
    text = repr(shown)
    assert shown.devices.reason.message in text
    assert shown.devices.reason.hint in text
    assert "No Jupyter server" in text
    assert "%gpubench dataloader LOADER --tune" in text
    assert "%gpurecord" not in text
    assert "%gpubench" in shown._repr_html_()


def test_a_recorded_gpu_is_said_to_be_one(shell, monkeypatch, training_recording):
    monkeypatch.setenv("JUPYTER_GPUPERF_SOURCE", f"replay:{training_recording}")
    text = repr(shell.run_line_magic("gpuperf", ""))
    assert "H100" in text
    assert "a recording" in text
    assert "%gpurecord start" in text


def test_without_torch_it_gives_the_command_that_installs_it(shell, monkeypatch):
    from importlib import metadata

    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setenv("JUPYTER_GPUPERF_SOURCE", "none")
    monkeypatch.setattr("importlib.metadata.version", missing)
    monkeypatch.setattr("jupyter_gpuperf.client.overview.package_version", lambda: "1.0")
    text = repr(shell.run_line_magic("gpuperf", ""))
    assert "pip install torch" in text
    assert "%gpubench" in text
    assert "%gpuwatch" not in text


def test_an_unknown_word_is_refused(shell):
    with pytest.raises(BenchmarkError, match="takes no options"):
        shell.run_line_magic("gpuperf", "now")
