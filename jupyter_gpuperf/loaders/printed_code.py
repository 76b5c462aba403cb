"""Write the code that creates a loader again with another setting.

Before the code is shown, it is run, and the new loader is compared with the old one. Standard library only at module
level.
"""

from __future__ import annotations

import functools
import itertools
import math
import multiprocessing
import warnings
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from jupyter_gpuperf.errors import BadRequest
from jupyter_gpuperf.loaders.cloudpickling import loads_elsewhere
from jupyter_gpuperf.loaders.comparison import difference, same_indices
from jupyter_gpuperf.loaders.endless import rebatched
from jupyter_gpuperf.loaders.randomness import random_state_restored
from jupyter_gpuperf.loaders.rebuilding import arguments_of, rebuilt
from jupyter_gpuperf.loaders.setting import SETTINGS, Setting, accepted_arguments

SHORT: Final = 8
PLAIN: tuple[type, ...] = (bool, int, float, str, type(None))


def code_of(
    given: Any,
    own: Any,
    name: str,
    setting: Setting,
    names: Mapping[str, Any] | None,
    *,
    batch_size: int | None = None,
) -> str:
    """Return the line that creates the loader again, after notes on it; if there is none, comments with the reason.

    Parameters
    ----------
    given, own
        The notebook's object and its DataLoader: the same object, unless the notebook's is a wrapper.
    names
        The notebook's variables by name; ``None`` if unknown.
    batch_size
        Batch size that replaces the loader's own.
    """
    import torch

    known = {name: given} if names is None else names
    if _value(name, known) is not given:
        return reason_as_comments("The loader has no name in this notebook.", setting)
    changes, context = setting.arguments(), own.multiprocessing_context
    if context is not None and context.get_start_method() == setting.start_method:
        del changes["multiprocessing_context"]  # it may be a context of the user's own
    if batch_size is not None:
        if own.batch_size is not None:
            changes["batch_size"] = batch_size
        else:
            changes["batch_sampler"] = rebatched(own, batch_size)
    scope, writer = {"torch": torch, **known}, _Writer(own, name, known)
    try:
        made = rebuilt(given, changes, lambda **arguments: eval(writer.call(arguments), scope))
    except BadRequest as error:
        return reason_as_comments(error.message, setting)
    if names is not None and (lost := _lost_in_workers(made, made.num_workers)):
        return reason_as_comments(lost, setting)
    notes = [*writer.notes, *(text for text, applies in _notes(own, made, setting) if applies)]
    if names is None:
        notes.insert(0, f"{name}: the loader that was tuned.")
    return _lines(notes, name, writer.text, known)


def _lost_in_workers(made: Any, workers: int) -> str:
    """Return why a loader's workers, if they are new processes, can't load what torch sends them; or ``""``."""
    context = made.multiprocessing_context or multiprocessing.get_context()
    if not workers or context.get_start_method() == "fork":
        return ""
    for name in ("dataset", "collate_fn", "worker_init_fn"):
        if not loads_elsewhere(getattr(made, name)):
            return f"Only forked workers find its {name}: it is defined in the notebook. Move it into a module."
    return ""


def _lines(notes: Iterable[str], name: str, call: str, known: Mapping[str, Any]) -> str:
    imports = ["import torch"] if "torch" not in known and "torch.utils.data" in call else []
    return "\n".join([*(f"# {each}" for each in notes), *imports, f"{name} = {call}"])


def _notes(own: Any, made: Any, setting: Setting) -> Iterator[tuple[str, bool]]:
    """Yield what differs although the arguments are equal, and whether it applies."""
    compared, persists = same_indices(own, made), made.persistent_workers > own.persistent_workers
    order = "Its order was not compared: indices are only drawn from torch's samplers."
    yield order, compared is None
    order = "in_order=False: batches come in the order in which workers finish."
    yield order, getattr(own, "in_order", True) and not setting.in_order
    epochs = "Workers keep their copy of the dataset: check that set_epoch() still reaches them."
    yield epochs, persists and hasattr(own.dataset, "set_epoch")
    position = "The stream keeps a position: workers advance their own copies of it."
    yield position, made.num_workers > own.num_workers == 0 and hasattr(own.dataset, "__next__")
    restarted = "It starts from the beginning: load_state_dict() restores your position."
    yield restarted, hasattr(own, "state_dict")


def arguments_as_code(own: Any, name: str, names: Mapping[str, Any]) -> list[str]:
    """Return the code of each argument that creates a plain DataLoader again, without its settings.

    Empty for subclasses: their own code must not run in a watched loop. No indices are drawn from samplers.
    """
    import torch

    if type(own) is not torch.utils.data.DataLoader:
        return []
    scope = {"torch": torch, **names}
    writer = _Writer(own, name, scope)
    try:
        rebuilt(own, {}, lambda **arguments: eval(writer.call(arguments), scope), draws=False)
        others = {each: value for each, value in arguments_of(own).items() if each not in SETTINGS}
        made_by = "" if _lost_in_workers(own, 1) else writer.call(others).partition("(")[0]
    except Exception:  # the user's own objects; the watched loop must continue  # noqa: BLE001
        return []
    # The code begins with "import torch", which must not replace another object of the notebook.
    return writer.parts[1:] if made_by == "torch.utils.data.DataLoader" else []


def code_of_data(
    data: Any, name: str, batch_size: int, setting: Setting, names: Mapping[str, Any] | None
) -> str:
    """Return the line that creates a loader with this setting over a dataset, or comments that say why there is none."""
    import torch

    known = {name: data} if names is None else names
    if _value(name, known) is not data:
        return reason_as_comments("The dataset has no name in this notebook.", setting)
    settings = {"batch_size": batch_size, **accepted_arguments(setting.arguments())}
    shuffles = not isinstance(data, torch.utils.data.IterableDataset)
    parts = [name, *(f"{each}={value!r}" for each, value in settings.items())]
    parts[2:2] = ["shuffle=True"] if shuffles else []
    call = f"{_Writer(None, name, known).torchs(torch.utils.data.DataLoader)}({', '.join(parts)})"
    try:
        with warnings.catch_warnings(), random_state_restored():
            warnings.simplefilter("ignore", UserWarning)
            made = eval(call, {"torch": torch, **known})
        reason = difference(made, made, settings, draws=False)
        reason = reason or (_lost_in_workers(made, made.num_workers) if names else "")
    except Exception as error:  # the user's own code  # noqa: BLE001
        reason = f"{type(error).__name__}: {error}"
    if reason:
        return reason_as_comments(reason, setting)
    names_of_loaders = (f"loader_{count}" for count in itertools.count(2))
    new = next(each for each in itertools.chain(["loader"], names_of_loaders) if each not in known)
    notes = [f"{name}: the dataset that was tuned."] if names is None else []
    return _lines(notes, new, call, known)


def reason_as_comments(reason: str, setting: Setting) -> str:
    """Return comments to show instead of code: why there is none, and the settings to use."""
    where = "Set them where the loader is created, before anything wraps it"
    return f"# {' '.join(reason.split())}\n# {where}: {', '.join(setting.code())}"


class _Writer:
    """Writes the call that creates a loader.

    Attributes
    ----------
    parts, notes
        The code of the last call (the callable, then its arguments), and notes on it for the user.
    """

    def __init__(self, own: Any, name: str, names: Mapping[str, Any]) -> None:
        self._own, self._name, self._names = own, name, names
        self.parts, self.notes = [""], list[str]()

    def call(self, arguments: Mapping[str, Any]) -> str:
        """Return the call as code, in which the user's objects appear by name."""
        from torch.utils.data import DataLoader

        self.notes, kind = [], type(self._own)
        made_by = self._named(kind) or f"type({self._name})"
        if kind is DataLoader:
            made_by = self.torchs(kind)
        self.parts = [made_by, *(self._argument(*each) for each in arguments.items())]
        return self.text

    @property
    def text(self) -> str:
        """The call, on one line."""
        made_by, *arguments = self.parts
        return f"{made_by}({', '.join(arguments)})"

    def _argument(self, argument: str, value: Any) -> str:
        if argument == "dataset":
            return f"{self._name}.dataset"
        if argument == "batch_sampler" and value is not self._own.batch_sampler:
            within = self._reference("batch_sampler.sampler", value.sampler)
            size = f"{value.batch_size}, {value.drop_last}"
            return f"batch_sampler={self.torchs(type(value))}({within}, {size})"
        return f"{argument}={self._reference(argument, value)}"

    def _reference(self, attribute: str, value: Any) -> str:
        if _is_plain(value):
            return repr(value)
        if name := self._named(value):
            return name
        if type(value) in (list, tuple) and len(value) <= SHORT and all(map(_is_plain, value)):
            return repr(value)
        kind = "lambda" if getattr(value, "__name__", "") == "<lambda>" else type(value).__name__
        self.notes.append(f"{attribute}: an unnamed {kind}, taken from {self._name}.")
        return f"{self._name}.{attribute}"

    def torchs(self, kind: type) -> str:
        """Return a class of torch as code."""
        import torch

        named = None if self._names.get("torch") is torch else self._named(kind)
        return named or f"torch.utils.data.{kind.__name__}"

    def _named(self, value: Any) -> str | None:
        """Return the name of a variable that holds this value; ``None`` if there is none."""
        names = (name for name, each in self._names.items() if each is value)
        usual = (each for each in names if each.isidentifier() and not each.startswith("_"))
        return next(usual, None)


def _is_plain(value: Any) -> bool:
    return type(value) in PLAIN and (type(value) is not float or math.isfinite(value))


def _value(expression: str, names: Mapping[str, Any]) -> Any:
    """Return the object with this dotted name; ``None`` if there is none."""
    first, *others = expression.split(".")
    try:
        return functools.reduce(getattr, others, names.get(first))
    except Exception:  # a property of the user's own  # noqa: BLE001
        return None
