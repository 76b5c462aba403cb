"""Find a DataLoader's arguments, and rebuild it with other settings. Standard library only at module level."""

from __future__ import annotations

import contextlib
import inspect
import warnings
from collections.abc import Callable, Mapping
from multiprocessing import get_all_start_methods, get_context
from typing import Any, Final

from jupyter_gpuperf.errors import BadRequest
from jupyter_gpuperf.loaders.comparison import alike, difference
from jupyter_gpuperf.loaders.randomness import random_state_restored
from jupyter_gpuperf.loaders.setting import SETTINGS, accepted_arguments
from jupyter_gpuperf.messages import Message

KEPT_ARGUMENTS: Final = (
    *("collate_fn", "worker_init_fn", "generator", "timeout"),
    *("multiprocessing_context", "pin_memory_device", "in_order"),
)
"""Arguments that a new loader takes unchanged from the old one, if this torch has them."""
LOST: Final = object()
TORCHS_OWN: Final = "torch.utils.data._utils"


def loader_with(loader: Any, settings: Mapping[str, Any]) -> Any:
    """Return a loader of the same class that differs from ``loader`` only in these settings.

    Raises
    ------
    BadRequest
        ``unknown_setting``, or ``not_rebuildable``: a loader made from the same arguments is not equal.
    """
    unknown = [name for name in settings if name not in SETTINGS]
    if unknown or not settings:
        raise BadRequest(
            "unknown_setting",
            "{names!r} can't be changed." if unknown else "There is no setting to try.",
            "Choose from {settings}.",
            names=unknown,
            settings=SETTINGS,
        )
    return rebuilt(loader, settings, lambda dataset, **others: type(loader)(dataset, **others))


def rebuilt(
    loader: Any, changes: Mapping[str, Any], make: Callable[..., Any], *, draws: bool = True
) -> Any:
    """Return the loader that ``make`` creates from the arguments and the changes. It differs only by the changes.

    Parameters
    ----------
    changes
        Arguments that replace the loader's own. The value ``None`` leaves an argument to torch.
    draws
        Whether to compare the indices of torch's samplers too.

    Raises
    ------
    BadRequest
        ``not_rebuildable``, with the first difference.
    """
    from torch.utils.data import DataLoader

    kind = type(loader)
    if DataLoader not in kind.__mro__:  # Accelerate's loaders deceive isinstance()
        raise _not_rebuildable(loader, Message("it is not a DataLoader itself"))
    if lost := _lost_arguments(loader):
        raise _not_rebuildable(loader, Message("its argument {name} is not kept", name=lost[0]))
    reasons = []
    # The class's own code may pass a collate function to torch.
    for dropped in [None] if kind is DataLoader else ["collate_fn", None]:
        try:
            with warnings.catch_warnings(), random_state_restored():
                # Ignore torch's warnings about the number of workers and pinning: both are measured.
                warnings.simplefilter("ignore", UserWarning)
                made = make(**_accepted_by(kind, loader, changes, dropped))
            reasons.append(difference(loader, made, changes, draws=draws))
        except (Exception, SystemExit) as error:  # the class's own code  # noqa: BLE001
            reasons.append(f"{type(error).__name__}: {error}".rstrip("."))
        if not reasons[-1]:
            return made
    raise _not_rebuildable(loader, reasons[0])


def _accepted_by(
    kind: type, loader: Any, changes: Mapping[str, Any], dropped: str | None
) -> dict[str, Any]:
    known, merged = (
        {*parameters_of(kind), "dataset"} - {dropped},
        {**arguments_of(loader), **changes},
    )
    return accepted_arguments({name: each for name, each in merged.items() if name in known})


def _not_rebuildable(loader: Any, reason: str) -> BadRequest:
    return BadRequest(
        "not_rebuildable",
        "A {type} can't be rebuilt from its settings: {reason}.",
        "Set them where the loader is created, before anything wraps it.",
        type=type(loader).__name__,
        reason=reason,
    )


def arguments_of(loader: Any) -> dict[str, Any]:
    """Return the arguments that create a loader like this one, without those that have their default value."""
    from torch.utils.data import DataLoader

    parameters = parameters_of(type(loader))
    torchs = inspect.signature(DataLoader).parameters
    arguments = {"dataset": loader.dataset, **_sampling(loader)}
    for name in (*KEPT_ARGUMENTS, *SETTINGS, *(each for each in parameters if each not in torchs)):
        if name not in parameters:
            continue
        value, default = _attribute(loader, name), parameters[name].default
        is_default = isinstance(value, (int, float, str)) and value == default
        # The user passed neither torch's own collate functions nor methods of the loader.
        is_torchs = str(getattr(value, "__module__", "")).startswith(TORCHS_OWN)
        is_method = getattr(value, "__self__", None) is loader
        if name == "multiprocessing_context" and value in map(get_context, get_all_start_methods()):
            value = value.get_start_method()
        if value is not None and not (is_default or is_torchs or is_method):
            arguments[name] = value
    return arguments


def _lost_arguments(loader: Any) -> list[str]:
    """Return the arguments of the loader's class, except the data, of which the loader has no attribute."""
    from torch.utils.data import DataLoader

    with contextlib.suppress(ValueError):  # a class without a signature
        known = inspect.signature(DataLoader).parameters
        names = [each for each in [*parameters_of(type(loader))][1:] if each not in known]
        return [each for each in names if _attribute(loader, each, LOST) is LOST]
    return []


def _attribute(loader: Any, name: str, default: Any = None) -> Any:
    with contextlib.suppress(Exception):  # a property of the class's own
        return getattr(loader, name)
    return default


def _sampling(loader: Any) -> dict[str, Any]:
    """Return the arguments that determine the batches. With a batch sampler, torch keeps no batch size."""
    from torch.utils.data import IterableDataset

    size, batches = loader.batch_size, loader.batch_sampler
    if size is None and batches is not None:
        return {"batch_sampler": batches}
    arguments = {"batch_size": size}
    if not isinstance(loader.dataset, IterableDataset):  # a stream's sampler is torch's own
        arguments |= _order(loader)
    return arguments | ({"drop_last": True} if loader.drop_last else {})


def _order(loader: Any) -> dict[str, Any]:
    """Return the argument for the loader's sampler: ``shuffle``, or none, if torch creates an equal one."""
    from torch.utils.data import RandomSampler, SequentialSampler

    sampler, data = loader.sampler, loader.dataset
    if alike(sampler, SequentialSampler(data)):
        return {}
    if "shuffle" not in parameters_of(type(loader)) or type(sampler) is not RandomSampler:
        return {"sampler": sampler}
    is_usual = alike(sampler, RandomSampler(data, generator=loader.generator))
    return {"shuffle": True} if is_usual else {"sampler": sampler}


def parameters_of(kind: type) -> dict[str, inspect.Parameter]:
    """Return the parameters of a loader class, then of its base classes as long as each class takes ``**kwargs``."""
    parameters: dict[str, inspect.Parameter] = {}
    for each in kind.__mro__:
        if "__init__" not in vars(each):
            continue
        _self, *own_names = own = dict(inspect.signature(vars(each)["__init__"]).parameters)
        parameters |= {name: own[name] for name in own_names if name not in parameters}
        if not any(one.kind is one.VAR_KEYWORD for one in own.values()):
            break
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return {name: each for name, each in parameters.items() if each.kind in named}
