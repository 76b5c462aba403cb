"""A benchmark that fails in part, or takes too long, says what really happened."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from jupyter_gpuperf.benchmarks import compute, startup
from jupyter_gpuperf.benchmarks.io import PIECE_BYTES, _write
from jupyter_gpuperf.benchmarks.workloads.child import run_program
from jupyter_gpuperf.errors import GpuPerfError


def test_a_program_that_does_not_end_is_said_to():
    with pytest.raises(GpuPerfError) as error:
        run_program("time.sleep(60)", error_code="x", package="torch", hint="h", limit_seconds=0.1)
    assert (error.value.code, error.value.hint) == ("x", "h")
    assert error.value.message == "torch did not end within 0.1 s."


def test_a_shell_that_does_not_start_is_said_to(tmp_path, monkeypatch):
    shell = tmp_path / "sh"
    shell.write_text("#!/bin/sh\nexec sleep 60\n")
    shell.chmod(0o755)
    monkeypatch.setattr(startup, "TIMEOUT_SECONDS", 0.1)
    with pytest.raises(GpuPerfError) as error:
        startup._time_shell(str(shell))
    assert error.value.message == f"{shell} did not start within 0.1 s."


def test_no_piece_of_a_file_is_like_another(tmp_path):
    data = _write(tmp_path / "large", 3 * PIECE_BYTES + 5).read_bytes()
    assert len(data) == 3 * PIECE_BYTES + 5
    assert len({data[at : at + PIECE_BYTES] for at in range(0, len(data), PIECE_BYTES)}) == 4


def test_a_variant_without_memory_is_not_said_to_be_uncompiled(monkeypatch):
    torch = pytest.importorskip("torch")

    def make(self, *_):
        if self.precision != "fp32":
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB\nand more")
        return lambda: None

    warnings = []
    monkeypatch.setattr(compute.ForwardPass, "make", make)
    monkeypatch.setattr(compute, "warmed_up_timer", lambda work, device: work)
    monkeypatch.setattr(compute, "check_compiler", lambda *_: None)
    stopwatch = SimpleNamespace(in_turn=lambda blocks: list(blocks))
    monkeypatch.setattr(compute, "Stopwatch", lambda *_: stopwatch)
    context = SimpleNamespace(progress=lambda *_: None, span=lambda *_: None, warn=warnings.append)
    requested = compute.ForwardPass(batch_size=1, image_size=8, precision="fp32")
    cpu = torch.device("cpu")
    left = compute._compare_variants(torch, cpu, requested, {}, context)
    assert left == ["eager", "compiled"]
    reason = "CUDA out of memory. Tried to allocate 2 GiB"
    assert warnings == [f"Skipped bf16: {reason}", f"Skipped bf16_channels_last: {reason}"]
