"""What a loop's model is given in a step: samples and tokens, by the shapes of the outermost module's arguments."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

TOKEN_NAMES: Final = ("input_ids", "tokens", "token_ids", "idx")
"""Names of arguments that hold tokens, the most certain first."""
OTHER_NAMES: Final = ("edge", "index", "indices", "label", "target", "user", "item")
"""Parts of names of arguments that hold other numbers, such as the edges of a graph."""
SHORTEST_SEQUENCE: Final = 3
MASK_SECONDS: Final = 1.0
"""Minimum time between two looks at the contents of an attention mask."""


class StepInputs(NamedTuple):
    """The arguments of a forward pass. ``None`` is unknown, and not zero.

    Attributes
    ----------
    elements
        The size of the tokens or of the first tensor, to which the work of the step is about proportional.
    tokens
        Without those that the attention mask leaves out.
    """

    elements: float | None = None
    samples: float | None = None
    tokens: float | None = None


class InputReader:
    """Reads the arguments of one module's forward passes."""

    def __init__(self, module: Any) -> None:
        self._embeds = any(
            getattr(each, "num_embeddings", 0) > 2 for each in module.modules() if each is not None
        )
        self._first_name = _first_name(module)
        self._mask = _MaskShare()

    def read(
        self, args: Sequence[Any], kwargs: Mapping[str, Any], *, is_loops_thread: bool = True
    ) -> StepInputs:
        """Return what these arguments hold. The device is not waited for, and not used in other threads than the loop's."""
        named = dict(_named(args, kwargs, self._first_name))
        first = next((each for each in named.values() if _is_tensor(each)), None)
        if first is None:
            return StepInputs()
        tokens = self._tokens(named)
        if tokens is None:
            return StepInputs(float(first.numel()), float(first.shape[0]))
        share = self._mask.share(named.get("attention_mask"), tokens, may_sum=is_loops_thread)
        count = float(tokens.numel())
        return StepInputs(count, float(tokens.shape[0]), None if share is None else share * count)

    def _tokens(self, named: Mapping[str, Any]) -> Any:
        """Return the integers of two dimensions or more that a model with an embedding takes first, or by such a name."""
        if not self._embeds:
            return None
        name = next((each for each in TOKEN_NAMES if _holds_tokens(named.get(each))), None)
        if name is not None:
            return named[name]
        name, first = next(iter(named.items()))
        is_other = any(part in name.lower() for part in OTHER_NAMES)
        return first if _holds_tokens(first) and first.ndim == 2 and not is_other else None


class _MaskShare:
    """The share of tokens that an attention mask keeps, summed on the device at most once a second.

    The sum is read in a later step, when the device has passed it, on a stream of its own: nothing else is waited for.
    """

    def __init__(self) -> None:
        self._share: float | None = None
        self._due_seconds = 0.0
        self._sum: Any = None
        self._event: Any = None
        self._stream: Any = None
        self._count = 1

    def share(self, mask: Any, tokens: Any, *, may_sum: bool) -> float | None:
        """Return the share of the latest sum; ``None`` until there is one, and 1 without a mask."""
        if not _is_tensor(mask) or mask.shape != tokens.shape or mask.is_floating_point():
            return 1.0
        if not may_sum:
            return self._share
        self._read()
        now = time.monotonic()
        if self._sum is None and now >= self._due_seconds:
            self._due_seconds = now + MASK_SECONDS
            self._begin(mask)
            self._read()
        return self._share

    def _begin(self, mask: Any) -> None:
        import torch

        self._count = max(1, mask.numel())
        self._event = None
        if mask.is_cuda:
            if torch.cuda.is_current_stream_capturing():
                return
            self._event = torch.cuda.Event()
        with torch.no_grad():
            self._sum = mask.ne(0).sum()
        if self._event is not None:
            self._event.record(torch.cuda.current_stream(mask.device))

    def _read(self) -> None:
        if self._sum is None or (self._event is not None and not self._event.query()):
            return
        if self._event is None:
            self._share = float(self._sum.item()) / self._count
        else:
            import torch

            self._stream = self._stream or torch.cuda.Stream(self._sum.device)
            with torch.cuda.stream(self._stream):
                self._share = float(self._sum.item()) / self._count
        self._sum = None


def _named(
    args: Sequence[Any], kwargs: Mapping[str, Any], first_name: str
) -> Iterator[tuple[str, Any]]:
    if args and isinstance(args[0], Mapping):  # the whole batch as one argument
        yield from ((str(name), each) for name, each in args[0].items())
    else:
        yield from ((first_name if not i else str(i), each) for i, each in enumerate(args))
    yield from kwargs.items()


def _first_name(module: Any) -> str:
    """Return the name of the first parameter of a module's ``forward``, of the one that a wrapper holds."""
    for name in ("_orig_mod", "module"):  # torch.compile's, and those of parallel training
        module = getattr(module, name, module)
    code = getattr(getattr(type(module), "forward", None), "__code__", None)
    return str(code.co_varnames[1]) if code is not None and code.co_argcount > 1 else "0"


def _is_tensor(value: Any) -> bool:
    return hasattr(value, "numel") and hasattr(value, "is_cuda") and value.ndim > 0


def _holds_tokens(value: Any) -> bool:
    return (
        _is_tensor(value)
        and value.ndim >= 2
        and value.shape[-1] >= SHORTEST_SEQUENCE
        and str(value.dtype) in {"torch.int64", "torch.int32"}
    )
