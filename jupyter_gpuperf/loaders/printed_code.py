"""Write the code that creates a loader again with another setting.

Before the code is shown, it is run, and the new loader is compared with the old one. Standard library only at module
level.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from jupyter_gpuperf.errors import BadRequest
from jupyter_gpuperf.loaders.comparison import length_of, same_indices
from jupyter_gpuperf.loaders.endless import rebatched
from jupyter_gpuperf.loaders.rebuilding import arguments_of, parameters_of, rebuilt
from jupyter_gpuperf.loaders.setting import SETTINGS, Setting

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

    scope = {**({name: given} if names is None else names), "torch": torch}
    if _value(name, scope) is not given:
        return reason_as_comments("The loader has no name in this notebook.", setting)
    changes = setting.arguments()
    if batch_size is not None:
        if own.batch_size is not None:
            changes["batch_size"] = batch_size
        else:
            changes["batch_sampler"] = rebatched(own, batch_size)
    writer = _Writer(own, name, {} if names is None else names)
    try:
        made = rebuilt(given, changes, lambda **arguments: eval(writer.call(arguments), scope))
    except BadRequest as error:
        return reason_as_comments(error.message, setting)
    if same_indices(own, made) is None:
        writer.notes.append(
            "Its order was not compared: indices are only drawn from torch's samplers."
        )
    if hasattr(own, "state_dict"):
        writer.notes.append(
            "It starts from the beginning: load_state_dict() restores your position."
        )
    return "\n".join([*(f"# {each}" for each in writer.notes), f"{name} = {writer.text}"])


def arguments_as_code(own: Any, name: str, names: Mapping[str, Any]) -> list[str]:
    """Return the code of each argument that creates a plain DataLoader again, without its settings.

    Empty for subclasses: their own code must not run in a watched loop. No indices are drawn from samplers.
    """
    from torch.utils.data import DataLoader

    if type(own) is not DataLoader:
        return []
    writer = _Writer(own, name, names)
    try:
        rebuilt(own, {}, DataLoader, draws=False)
        others = {each: value for each, value in arguments_of(own).items() if each not in SETTINGS}
        writer.call(others)
    except Exception:  # the user's own objects; the watched loop must continue  # noqa: BLE001
        return []
    return writer.parts[1:]


def code_of_data(name: str, batch_size: int, setting: Setting, *, is_stream: bool) -> str:
    """Return the line that creates a loader with this setting over a dataset."""
    parts = [name, f"batch_size={batch_size}", *([] if is_stream else ["shuffle=True"])]
    return f"loader = torch.utils.data.DataLoader({', '.join([*parts, *setting.code()])})"


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

        self.notes = []
        kind = type(self._own)
        made_by = self._named(kind) or f"type({self._name})"
        if kind is DataLoader:
            made_by = "torch.utils.data.DataLoader"
        parts = (self._argument(*each) for each in arguments.items())
        self.parts = [made_by, *filter(None, parts)]
        return self.text

    @property
    def text(self) -> str:
        """The call, on one line."""
        made_by, *arguments = self.parts
        return f"{made_by}({', '.join(arguments)})"

    def _argument(self, argument: str, value: Any) -> str:
        if argument == "dataset":
            return f"{self._name}.dataset"
        if argument == "sampler" and (usual := self._usual(value)) is not None:
            return usual
        if argument == "batch_sampler" and value is not self._own.batch_sampler:
            within = self._reference("batch_sampler.sampler", value.sampler)
            size = f"{value.batch_size}, {value.drop_last}"
            return f"batch_sampler=torch.utils.data.BatchSampler({within}, {size})"
        return f"{argument}={self._reference(argument, value)}"

    def _usual(self, sampler: Any) -> str | None:
        """Return the argument that makes torch create this sampler, possibly ``""``; ``None`` if none does."""
        from torch.utils.data import RandomSampler, SequentialSampler

        if getattr(sampler, "data_source", None) is not self._own.dataset:
            return None
        if type(sampler) is SequentialSampler:
            return ""
        shuffles = type(sampler) is RandomSampler and "shuffle" in parameters_of(type(self._own))
        if not shuffles or sampler.replacement or sampler.generator is not self._own.generator:
            return None
        return "shuffle=True" if sampler.num_samples == length_of(self._own.dataset) else None

    def _reference(self, attribute: str, value: Any) -> str:
        if isinstance(value, PLAIN):
            return repr(value)
        if name := self._named(value):
            return name
        is_plain = isinstance(value, (list, tuple)) and all(
            isinstance(each, PLAIN) for each in value
        )
        if is_plain and len(value) <= SHORT:
            return repr(value)
        kind = "lambda" if getattr(value, "__name__", "") == "<lambda>" else type(value).__name__
        self.notes.append(f"{attribute}: an unnamed {kind}, taken from {self._name}.")
        return f"{self._name}.{attribute}"

    def _named(self, value: Any) -> str | None:
        """Return the name of a variable that holds this value; ``None`` if there is none."""
        names = (name for name, each in self._names.items() if each is value)
        return next((name for name in names if not name.startswith("_")), None)


def _value(expression: str, scope: dict[str, Any]) -> Any:
    try:
        return eval(expression, scope)
    except (NameError, AttributeError, SyntaxError):
        return None
