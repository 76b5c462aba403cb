"""Facts about a cell and its models, used for warnings and advice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.precision.outcome import ModeOutcome
from jupyter_gpuperf.precision.session import ProfileSession

FLOAT32: Final = "float32"
FAST_SIZE_MULTIPLE: Final = 8
"""Tensor cores in 16-bit formats are fastest with sizes that are multiples of this."""


def measurement_warnings(session: ProfileSession) -> Iterator[Message]:
    """Yield warnings about how the cell was measured."""
    if session.device.type == "cpu":
        unused = "The cell uses no GPU; measured on the CPU."
        missing = "PyTorch found no GPU; measured on the CPU."
        yield Message(unused if session.torch.cuda.is_available() else missing)
    if dtype := session.cell_traits.own_autocast:
        yield Message("The cell's own autocast ({dtype}) overrides the modes.", dtype=dtype)
    if session.cell_traits.has_scaler:
        yield Message("All modes used the cell's own GradScaler.")
    for name, count in session.replayed.items():
        yield Message.counted(
            "{name} returned {count} item, replayed in every mode; its own time is excluded.",
            "{name} returned {count} items, replayed in every mode; its own time is excluded.",
            name=name,
            count=count,
        )
    if lost := session.not_restored():
        yield Message("Not restored after each run: {paths}.", paths=lost[:5])


def dtype_warnings(session: ProfileSession, reference: ModeOutcome) -> Iterator[Message]:
    """Yield a warning if the cell itself computes in another dtype, so that the mode called fp32 is none."""
    shares = (reference.dtypes or {}).get("flop_shares") or {}
    dtype, share = next(iter(shares.items()), (FLOAT32, 1.0))
    if dtype == FLOAT32 or session.cell_traits.own_autocast is not None:
        return
    yield Message(
        "fp32 was not measured: {percent:.0f} % of the FLOPs in its row are in {dtype}, set by the cell itself.",
        percent=100 * share,
        dtype=dtype,
    )
    parameters = (
        f"{path}.{name}"
        for path, module in session.models_used()
        for name, each in module.named_parameters()
        if str(each.dtype) == f"torch.{dtype}"
    )
    if (first := next(parameters, None)) is not None:
        yield Message("Parameters are {dtype}, such as {name}.", dtype=dtype, name=first)


def advice_facts(session: ProfileSession, compiled: bool) -> dict[str, Any]:
    """Return the facts for :func:`advice.explain_limits`."""
    torch, roots = session.torch, session.models_used()
    used = map(session.subject.namespace.get, session.names_used())
    return {
        "odd_shapes": [name for path, module in roots for name in _odd_layers(torch, path, module)],
        "loads": any(isinstance(each, torch.utils.data.DataLoader) for each in used),
        "compiled": compiled,
        "convolutions": any(_plain_convolutions(torch, module) for _, module in roots),
    }


def _odd_layers(torch: Any, path: str, root: Any) -> Iterator[str]:
    for name, module in root.named_modules():
        match module:
            case (
                torch.nn.Linear(in_features=size_in, out_features=size_out)
                | torch.nn.Conv2d(in_channels=size_in, out_channels=size_out)
            ) if size_in % FAST_SIZE_MULTIPLE or size_out % FAST_SIZE_MULTIPLE:
                yield f"{path}.{name}".rstrip(".") + f" ({size_in}→{size_out})"


def _plain_convolutions(torch: Any, root: Any) -> bool:
    return any(
        isinstance(module, torch.nn.Conv2d)
        and module.weight.device.type == "cuda"
        and min(module.weight.shape[1:]) > 1
        and not module.weight.is_contiguous(memory_format=torch.channels_last)
        for module in root.modules()
    )
