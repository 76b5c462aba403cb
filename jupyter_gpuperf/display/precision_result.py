"""The result of ``%%amp_profile`` and ``gpuperf.amp_profile``: a summary, a table with bars, loss curves, code."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Final

from jupyter_gpuperf.display.blocks import Bar, Block, Cell, Code, Heading, Items, Line, Span, Table
from jupyter_gpuperf.display.document import DisplayedOnce, warning_line
from jupyter_gpuperf.display.loss_curves import loss_curves
from jupyter_gpuperf.display.numbers import MISSING, format_interval, format_quantity
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.precision.outcome import ModeOutcome, Profile
from jupyter_gpuperf.results.subject import DEVICE_NAMES
from jupyter_gpuperf.schemas import Interval

NAME: Final = "amp_profile"
COLUMNS: Final[Mapping[str, Sequence[str]]] = {
    Message("mode"): ("name", "bar"),
    Message("step"): ("value", "quiet"),
    Message("speedup"): ("value", "quiet"),
    Message("peak memory"): ("value",),
    Message("computed in"): ("sentence",),
    Message("numbers"): ("sentence",),
}
"""Title → keys of ``style.CELLS`` for the columns that share it; the title is above the first of them."""
LOOKS: Final = [look for looks in COLUMNS.values() for look in looks]
HEAD: Final = [text for name, looks in COLUMNS.items() for text in (name, "")[: len(looks)]]
FORMATS: Final = {"float32": "fp32", "bfloat16": "bf16", "float16": "fp16", "float64": "fp64"}


@dataclass(frozen=True, repr=False)
class AmpProfile(DisplayedOnce):
    """A cell measured under each precision mode.

    Attributes
    ----------
    profile
        The complete profile; :meth:`to_dict` returns the documented shape.
    number
        The result's number among the stored results; ``None`` if it was not stored.
    """

    wide: ClassVar[bool] = True

    profile: Profile
    number: int | None = None

    @property
    def recommended(self) -> str | None:
        """The mode to use, such as ``bf16`` or ``bf16+compile``; the cell's current mode if no other is faster."""
        return self.profile.recommended

    @property
    def code(self) -> str:
        """The cell rewritten for the recommended mode; empty if nothing needs to change."""
        return self.profile.code

    @property
    def modes(self) -> Mapping[str, dict[str, Any]]:
        """Mode → its measured figures, as plain data."""
        return MappingProxyType({each.mode: asdict(each) for each in self.profile.modes})

    @property
    def warnings(self) -> tuple[str, ...]:
        """Reasons to doubt the figures, and anything unusual about the measurement."""
        return tuple(self.profile.warnings)

    def to_dict(self) -> dict[str, Any]:
        """Return a copy of the content as plain data, in its documented shape, ready for JSON."""
        return self.profile.to_dict()

    def terminal_name(self) -> str:
        """Return the name shown in a terminal."""
        return NAME

    def blocks(self) -> Iterator[Block]:
        """Yield the summary, a row per mode, the loss curves, what limits the gain, and the recommended code."""
        profile = self.profile
        yield Heading(profile.sentence)
        all_modes = all_outcomes(profile)
        slowest = max(
            (each.step_seconds["value"] for each in all_modes if each.step_seconds), default=0
        )
        yield Table([_row(profile, each, slowest) for each in all_modes], looks=LOOKS, head=HEAD)
        yield loss_curves(
            {each.mode: (each.numerics or {}).get("losses") or [] for each in profile.modes}
        )
        yield Items(Message("Limits"), profile.why_not_more)
        if profile.code:
            yield Code(profile.code, Message("The cell for this mode:"))
        yield Items(Message("Next"), profile.next_steps)
        yield from map(warning_line, profile.warnings)
        yield Line(_listed(_run(profile)), "quiet")


def all_outcomes(profile: Profile) -> list[ModeOutcome]:
    """Return the outcomes of all modes, preceded by that of the cell's current mode, unless it is one of them."""
    return [each for each in (profile.now, *profile.modes) if each is not None]


def _row(profile: Profile, outcome: ModeOutcome, slowest: float) -> Sequence[Cell]:
    name = outcome.mode
    if name == profile.same_as_now:
        name = Message("{mode} (now)", mode=name)
    if outcome.step_seconds is None:
        return name, Span(outcome.failure or Message("Not measured."))
    gain = outcome.speedup_over_now or outcome.speedup
    return (
        name,
        Bar(outcome.step_seconds["value"] / slowest),
        *format_interval(Interval(**outcome.step_seconds), "seconds"),
        *((MISSING, "") if gain is None else format_interval(Interval(**gain), "×")),
        format_quantity(outcome.peak_allocated_bytes, "bytes"),
        _listed(_formats(outcome)) or MISSING,
        _listed(_numbers(outcome)) or MISSING,
    )


def _formats(outcome: ModeOutcome) -> Iterator[str]:
    for name, share in ((outcome.dtypes or {}).get("flop_shares") or {}).items():
        if share >= 0.005:
            yield f"{100 * share:.0f} % {FORMATS.get(name, name)}"
    if (ratio := (outcome.kernels or {}).get("tensor_core_ratio")) is not None:
        yield Message("tensor-core kernels {percent:.0f} %", percent=100 * ratio)
    if (active := outcome.tensor_active_ratio) is not None:
        yield Message("tensor cores busy {percent:.0f} %", percent=100 * active)


def _numbers(outcome: ModeOutcome) -> Iterator[str]:
    yield (outcome.numerics or {}).get("sentence", "")
    if skipped := outcome.steps_skipped:
        yield Message.counted(
            "scaler skipped {count} step", "scaler skipped {count} steps", count=skipped
        )
    if compiled := outcome.compiled or {}:
        yield Message("compiled in {seconds:.1f} s", seconds=compiled["compile_seconds"])
    if (count := compiled.get("graphs")) is not None:
        yield Message.counted("{count} graph", "{count} graphs", count=count)
    if (count := compiled.get("graph_breaks")) is not None:
        yield Message.counted("{count} graph break", "{count} graph breaks", count=count)
    if (count := compiled.get("recompilations")) is not None:
        yield Message.counted("{count} recompilation", "{count} recompilations", count=count)
    if outcome.energy_joules is not None:
        value, interval = format_interval(Interval(**outcome.energy_joules), "J")
        yield Message("{energy} per step", energy=f"{value} {interval}".strip())


def _listed(parts: Iterable[str]) -> str:
    return Message("{parts}", parts=[*filter(None, parts)])


def _run(profile: Profile) -> Iterator[str]:
    environment = profile.environment
    yield next((str(environment[name]) for name in DEVICE_NAMES if environment.get(name)), "")
    yield f"torch {environment.get('torch', '')}"
    if profile.steps_per_run > 1:
        yield Message("{steps} steps per run", steps=profile.steps_per_run)
    if profile.numerics_steps:
        yield Message("losses over {steps} steps", steps=profile.numerics_steps)
    yield Message("profiled in {seconds:.0f} s", seconds=profile.seconds)
