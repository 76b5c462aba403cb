"""Run training loops with a planted cause as scripts, and compare what the diagnosis finds with it.

python tests/perf/phase_findings_truth.py [--only "NAME;NAME"] [--seconds 30] [--json]
python tests/perf/phase_findings_truth.py --dry          short, on whatever there is: does it run at all?

Each loop is run by ``jupyter gpuperf run``. The exit status is 1 if a finding is wrong or missing.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
DRY_SECONDS = 3.0


class Program(NamedTuple):
    """A model, its optimizer, one item, and how the loop gets a batch."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    item: torch.Tensor
    batch_size: int = 32
    is_pinned: bool = True
    has_loader: bool = True
    log_seconds: float = 0.0


class Expected(NamedTuple):
    """What must be in the findings: codes, of which one is enough, and words; and the codes that must not."""

    code: str
    words: str = ""
    never: tuple[str, ...] = ()


class Items(torch.utils.data.Dataset[torch.Tensor]):
    """So many views of one item."""

    def __init__(self, item: torch.Tensor) -> None:
        self.item = item

    def __len__(self) -> int:
        return 1_000_000

    def __getitem__(self, index: int) -> torch.Tensor:
        return self.item


class Frozen(nn.Module):
    """Small layers that are not trained: all launches are in the forward pass."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = small(200).requires_grad_(requires_grad=False)
        self.head = nn.Linear(64, 64)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return the outputs of the last layer."""
        return self.head(self.layers(inputs))


def small(layers: int, width: int = 64) -> nn.Module:
    """Return layers whose kernels are shorter than their launches; each has two tensors."""
    return nn.Sequential(*(nn.Linear(width, width) for _ in range(layers)))


def wide(layers: int = 6, width: int = 4096) -> nn.Module:
    """Return layers that keep the device busy."""
    return nn.Sequential(
        *(nn.Sequential(nn.Linear(width, width), nn.GELU()) for _ in range(layers))
    )


def program(model: nn.Module, width: int = 64, *, batch_size: int = 32, **options: Any) -> Program:
    """Return a program; ``fused`` and ``foreach`` are the optimizer's."""
    own = {name: options.pop(name) for name in ("fused", "foreach") if name in options}
    model = model.to(DEVICE)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, **own)
    return Program(model, optimizer, torch.randn(width), batch_size, **options)


NO_OPTIMIZER = ("optimizer-bound",)
CASES: dict[str, tuple[Callable[[], Program], Expected]] = {
    "one by one": (
        lambda: program(small(200), foreach=False),
        Expected("optimizer-bound", "each of its 400", ("launch-bound", "input-bound")),
    ),
    "one by one, no loader": (
        lambda: program(small(200), foreach=False, has_loader=False),
        Expected("optimizer-bound", "each of its 400", ("launch-bound",)),
    ),
    "in groups": (
        lambda: program(small(200)),
        Expected("launch-bound|optimizer-bound", never=("input-bound",)),
    ),
    "fused": (
        lambda: program(small(200), fused=True),
        Expected("launch-bound", "pass", NO_OPTIMIZER),
    ),
    "in the forward pass": (
        lambda: program(Frozen(), fused=True),
        Expected("launch-bound", "in the forward pass", NO_OPTIMIZER),
    ),
    "logs": (
        lambda: program(wide(), 4096, batch_size=256, fused=True, log_seconds=0.03),
        Expected("launch-bound", "between the passes, in log", ("input-bound", *NO_OPTIMIZER)),
    ),
    "pageable copies": (
        lambda: program(wide(2), 4096, batch_size=16384, fused=True, is_pinned=False),
        Expected("transfer-bound", "phase copy", ("launch-bound", "input-bound")),
    ),
    "pinned copies": (
        lambda: program(wide(), 4096, batch_size=4096, fused=True),
        Expected("", never=("transfer-bound", *NO_OPTIMIZER)),
    ),
    "busy, not fused": (
        lambda: program(wide(), 4096, batch_size=2048),
        Expected("", never=("transfer-bound", "launch-bound")),
    ),
}


def log(seconds: float) -> None:
    """Do what a loop's own function for logging would."""
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        sum(range(200))


def batches(of: Program) -> Iterator[torch.Tensor]:
    """Yield batches: of a loader that has them ready on the host, or always the same one on the device."""
    batch = torch.stack([of.item] * of.batch_size)
    if of.is_pinned and DEVICE == "cuda":
        batch = batch.pin_memory()
    if of.has_loader:
        items = Items(batch)
        yield from torch.utils.data.DataLoader(items, batch_size=None, pin_memory=of.is_pinned)
    batch = batch.to(DEVICE)
    while True:
        yield batch


def train(of: Program, seconds: float) -> None:
    """Train for so long."""
    end = time.perf_counter() + seconds
    for batch in batches(of):
        inputs = batch.to(DEVICE, non_blocking=of.is_pinned)
        with torch.autocast(DEVICE, torch.bfloat16):
            loss = of.model(inputs).float().square().mean()
        loss.backward()
        of.optimizer.step()
        of.optimizer.zero_grad(set_to_none=True)
        if of.log_seconds:
            log(of.log_seconds)
        if time.perf_counter() > end:
            break


def judged(name: str, seconds: float) -> dict[str, Any]:
    """Return what is found of a program, and what is wrong with it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.json"
        command = [sys.executable, "-m", "jupyter_gpuperf", "run", "--quiet", "--save", str(path)]
        command += ["--", __file__, "--run", name, "--seconds", str(seconds)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0 or not path.exists():
            sys.exit(done.stderr)
        record = json.loads(path.read_text())
    expected, found = CASES[name][1], record["findings"]
    wrong = [each["code"] for each in found if each["code"] in expected.never]
    is_there = not expected.code or any(
        each["code"] in expected.code.split("|") and expected.words in each["summary"]
        for each in found
    )
    return {
        "loops": [
            {key: loop[key] for key in ("step_seconds", "phases", "host_lines")}
            for loop in record["loops"]
        ],
        "findings": [
            f"{each['code']} {each['severity']} {each['confidence']}: {each['summary']}"
            for each in found
        ],
        "wrong": wrong + ([] if is_there else [f"no {expected.code}: {expected.words}"]),
    }


def main() -> int:
    """Run the programs, and print what is found."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", default="")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--dry", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--run", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        train(CASES[options.run][0](), options.seconds)
        return 0
    names = options.only.split(";") if options.only else list(CASES)
    results = {}
    for name in names:
        results[name] = judged(name, DRY_SECONDS if options.dry else options.seconds)
        if not options.json:
            print(name, json.dumps(results[name], indent=1, ensure_ascii=False), flush=True)
    if options.json:
        print(json.dumps(results))
    return 0 if options.dry else int(any(each["wrong"] for each in results.values()))


if __name__ == "__main__":
    sys.exit(main())
