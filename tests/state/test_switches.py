"""Torch's switches for float32 products: turned together, and put back exactly."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from jupyter_gpuperf.state.switches import Float32Switches, float32_as, tf32_is_on

NEWER = hasattr(torch.backends.cuda.matmul, "fp32_precision")


@pytest.fixture(autouse=True)
def _as_torch_has_them():
    yield
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = True


def by_older_ones(on):
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = on


def by_newer_ones(on):
    word = "tf32" if on else "ieee"
    torch.backends.cuda.matmul.fp32_precision = torch.backends.cudnn.conv.fp32_precision = word


def by_the_common_one(on):
    torch.set_float32_matmul_precision("high" if on else "highest")


@pytest.mark.parametrize("precision", ["fp32", "tf32"])
@pytest.mark.parametrize("on", [True, False])
@pytest.mark.parametrize("turn", [by_older_ones, by_newer_ones, by_the_common_one])
def test_a_mode_turns_them_all_and_puts_them_back(precision, on, turn):
    if turn is by_newer_ones and not NEWER:
        pytest.skip("this torch has only the older switches")
    turn(on)
    before = Float32Switches.read(torch)
    with float32_as(torch, precision):
        assert tf32_is_on(torch) == (precision == "tf32",) * 2
        # What compilers read must be readable meanwhile.
        assert torch.backends.cuda.matmul.allow_tf32 == (precision == "tf32")
    assert Float32Switches.read(torch) == before
