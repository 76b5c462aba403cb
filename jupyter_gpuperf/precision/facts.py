"""Facts about a cell and its models, used for warnings and advice."""

from __future__ import annotations

from typing import Any, Final

from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.precision.session import Session

MULTIPLE: Final = 8
"""Tensor cores in 16-bit formats are fastest with sizes that are multiples of this."""


def warnings_of(session: Session) -> list[str]:
    """Return warnings about how the cell was measured."""
    said: list[str] = []
    if session.device.type == "cpu":
        said.append(
            Message("Nothing of the cell lies on the GPU: it was measured on the processor.")
            if session.torch.cuda.is_available()
            else Message("This torch sees no GPU: the cell was measured on the processor.")
        )
    if session.around.own_autocast is not None:
        said.append(
            Message(
                "The cell enters autocast by itself ({own_autocast}): that wins over a mode, "
                "and only what is around it was varied.",
                own_autocast=session.around.own_autocast,
            )
        )
    if session.around.has_scaler:
        said.append(Message("The cell's own GradScaler was used in every mode."))
    for name, count in session.replayed.items():
        said.append(
            Message(
                "{name} gave {value} item{value_2}, replayed in every mode: its own time is "
                "not in the figures.",
                name=name,
                value=count,
                value_2="s" if count > 1 else "",
            )
        )
    lost = session.not_restored()
    if lost:
        said.append(Message("Not put back after each run: {lost}.", lost=", ".join(lost[:5])))
    return said


def advice_facts(session: Session, compiled: bool) -> dict[str, Any]:
    """Return the facts that advice rests on; see :func:`advice.explain`."""
    torch, roots = session.torch, session.models_used()
    used = map(session.subject.namespace.get, session.names_used())
    return {
        "odd_shapes": [name for path, module in roots for name in _odd_layers(torch, path, module)],
        "loads": any(isinstance(each, torch.utils.data.DataLoader) for each in used),
        "compiled": compiled,
        "convolutions": any(_plain_convolutions(torch, module) for _, module in roots),
        "model_names": [
            path for path, module in roots if next(module.parameters(), None) is not None
        ],
    }


def _odd_layers(torch: Any, path: str, root: Any) -> list[str]:
    names = []
    for name, module in root.named_modules():
        if isinstance(module, torch.nn.Linear):
            sizes = (module.in_features, module.out_features)
        elif isinstance(module, torch.nn.Conv2d):
            sizes = (module.in_channels, module.out_channels)
        else:
            continue
        if any(size % MULTIPLE for size in sizes):
            names.append(f"{path}.{name}".rstrip(".") + f" ({sizes[0]}→{sizes[1]})")
    return names


def _plain_convolutions(torch: Any, root: Any) -> bool:
    return any(
        isinstance(module, torch.nn.Conv2d)
        and module.weight.device.type == "cuda"
        and min(module.weight.shape[1:]) > 1
        and not module.weight.is_contiguous(memory_format=torch.channels_last)
        for module in root.modules()
    )
