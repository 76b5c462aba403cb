"""Compare what ``jupyter gpuperf run`` says of scripts with a second clock in them: CUDA events, and a count of their own.

python tests/perf/run_truth.py [--only "NAME;NAME"] [--seconds 25] [--json]

Each script records an event at the end of each step and prints, when it ends, the mean step of its last three quarters,
its samples and its own peak of memory. It runs without and under ``jupyter gpuperf run`` in turn (A B B A), so that its
own figures also show what being watched costs. Without a GPU, the script's clock is ``time.perf_counter()``.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

CLOCK: Final = """
import json, os, sys, time, torch
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
SECONDS = float(sys.argv[1])
marks = []
def mark():
    if DEVICE == "cuda":
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        marks.append(event)
    else:
        marks.append(time.perf_counter())
def say():
    if DEVICE == "cuda":
        torch.cuda.synchronize()
        times = [a.elapsed_time(b) / 1000 for a, b in zip(marks, marks[1:])]
    else:
        times = [b - a for a, b in zip(marks, marks[1:])]
    late = times[len(times) // 4:]
    peak = torch.cuda.max_memory_allocated() if DEVICE == "cuda" else None
    print("OWN", json.dumps({"steps": len(times), "step_seconds": sum(late) / len(late), "peak_bytes": peak}))
torch.zeros(1, device=DEVICE)  # a first start of CUDA can take seconds
until = time.monotonic() + SECONDS
"""
NANOGPT: Final = """
from torch import nn
V, T, B, W = 8192, 256, 16, 512
tokens = torch.randint(0, V, (1_000_000,))
class Gpt(nn.Module):
    def __init__(self):
        super().__init__()
        self.e = nn.Embedding(V, W)
        self.b = nn.TransformerEncoder(nn.TransformerEncoderLayer(W, 8, 4 * W, batch_first=True, dropout=0.0), 6)
        self.h = nn.Linear(W, V)
    def forward(self, x, y):
        with torch.autocast(DEVICE, torch.bfloat16):
            return nn.functional.cross_entropy(self.h(self.b(self.e(x))).flatten(0, 1), y.flatten())
def get_batch():
    end = time.perf_counter() + PREPARE
    at = torch.randint(0, len(tokens) - T - 1, (B,)).tolist()
    x = torch.stack([tokens[i:i + T] for i in at]); y = torch.stack([tokens[i + 1:i + T + 1] for i in at])
    while time.perf_counter() < end: pass
    return x.to(DEVICE), y.to(DEVICE)
model = Gpt().to(DEVICE)
optimizer = torch.optim.AdamW(model.parameters(), fused=DEVICE == "cuda")
x, y = get_batch()
while time.monotonic() < until:
    loss = model(x, y)
    x, y = get_batch()
    loss.backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    mark()
say()
"""
LOADER: Final = """
from torch import nn
from torch.utils.data import DataLoader, Dataset
class Images(Dataset):
    def __len__(self): return 100_000
    def __getitem__(self, index):
        end = time.perf_counter() + 0.002
        while time.perf_counter() < end: pass
        return torch.randn(3, 64, 64), index % 10
loader = DataLoader(Images(), batch_size=32, num_workers=2)
model = nn.Sequential(nn.Conv2d(3, 64, 3), nn.ReLU(), nn.Conv2d(64, 64, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)).to(DEVICE)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
for images, labels in loader:
    loss = nn.functional.cross_entropy(model(images.to(DEVICE)), labels.to(DEVICE))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    mark()
    if time.monotonic() > until: break
say()
"""
SMALL: Final = """
from torch import nn
model = nn.Sequential(*[nn.Linear(256, 256) for _ in range(12)]).to(DEVICE)
optimizer = torch.optim.Adam(model.parameters())
data = torch.randn(64, 256, device=DEVICE)
while time.monotonic() < until:
    optimizer.zero_grad()
    model(data).square().mean().backward()
    optimizer.step()
    mark()
say()
"""
SCRIPTS: Final = {
    "nanoGPT, GPU-bound": "PREPARE = 0\n" + NANOGPT,
    "nanoGPT, 20 ms get_batch": "PREPARE = 0.02\n" + NANOGPT,
    "images, two workers": LOADER,
    "small steps": SMALL,
}
ORDER: Final = (False, True, True, False)


def ended(script: Path, seconds: float, *, watched: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    """Run a script; return what it says of itself, and the record of the run."""
    record = script.with_suffix(".json")
    record.unlink(missing_ok=True)
    start = [sys.executable, str(script), str(seconds)]
    if watched:
        options = ["--quiet", "--save", str(record)]
        start = [sys.executable, "-m", "jupyter_gpuperf", "run", *options, *start[1:]]
    done = subprocess.run(start, capture_output=True, text=True, check=False, env=os.environ)
    if done.returncode:
        raise SystemExit(f"{start} failed: {done.stderr}")
    own = next(line for line in done.stdout.splitlines() if line.startswith("OWN "))
    return json.loads(own[4:]), json.loads(record.read_text()) if watched else {}


def row(name: str, folder: Path, seconds: float) -> dict[str, Any]:
    """Return the figures of one script."""
    script = folder / "script.py"
    script.write_text(CLOCK + SCRIPTS[name])
    own: dict[bool, list[float]] = {True: [], False: []}
    errors, records = [], []
    for watched in ORDER:
        said, record = ended(script, seconds, watched=watched)
        own[watched].append(said["step_seconds"])
        if watched:
            step = record["loops"][0]["step_seconds"]
            errors.append(step["value"] / said["step_seconds"] - 1)
            records.append(record)
    loop = records[-1]["loops"][0]
    cost = statistics.fmean(own[True]) / statistics.fmean(own[False]) - 1
    return {
        "name": name,
        "own_step_ms": 1000 * statistics.fmean(own[True]),
        "run_step_ms": 1000 * loop["step_seconds"]["value"],
        "error_percent": 100 * max(errors, key=abs),
        "cost_percent": 100 * cost,
        "without_ms": [1000 * each for each in own[False]],
        "under_ms": [1000 * each for each in own[True]],
        "findings": [
            f"{each['code']} {each['confidence']}: {each['summary']}"
            for each in records[-1]["findings"]
        ],
        "phases": loop["phases"],
        "devices": records[-1]["devices"],
    }


def main() -> None:
    """Print a row per script."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="names, separated by semicolons")
    parser.add_argument("--seconds", type=float, default=25.0)
    parser.add_argument("--json", action="store_true")
    parsed = parser.parse_args()
    names = [each.strip() for each in parsed.only.split(";") if each.strip()] or list(SCRIPTS)
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            found = row(name, Path(folder), parsed.seconds)
            if parsed.json:
                print(json.dumps(found), flush=True)
                continue
            print(
                f"{name}: own {found['own_step_ms']:.3f} ms, run {found['run_step_ms']:.3f} ms "
                f"({found['error_percent']:+.2f} %), cost {found['cost_percent']:+.2f} %; {found['findings']}",
                flush=True,
            )


if __name__ == "__main__":
    main()
