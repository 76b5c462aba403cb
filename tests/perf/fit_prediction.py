"""Whether ``gpuperf.fit`` predicts the peak memory of the batch that it recommends, and whether that batch runs.

python tests/perf/fit_prediction.py [--budget-seconds 40] [--memory-ratio 0.25] [--only resnet,gan] [--json]

Needs a CUDA device and torch alone. For each of the programs, fit() is run first. Then an ordinary loop runs with a
loader of the recommended and of the largest batch size, and its peak is compared with the prediction that was made
before the size was run (target: within 3 %). Memory and peak counter after fit() are compared with those before. The programs
may use a quarter of the device's memory, so that the largest batches don't take minutes.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import json
import sys
from pathlib import Path

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint
from torch.utils.data import DataLoader, Dataset

sys.path.insert(0, str(Path(__file__).parents[2]))

import jupyter_gpuperf
from jupyter_gpuperf.benchmarks.workloads import networks

CUDA = torch.device("cuda", 0)
STEPS = 5
SEQUENCE, VOCABULARY = 256, 1000


class Repeated(Dataset):
    """As many samples as one likes, of which 64 are different."""

    def __init__(self, make):
        self.samples = [make() for _ in range(64)]

    def __len__(self):
        return 1_000_000

    def __getitem__(self, index):
        return self.samples[index % 64]


def tokens():
    return torch.randint(0, VOCABULARY, (SEQUENCE,)), torch.randint(0, VOCABULARY, (SEQUENCE,))


def image(side, label=VOCABULARY):
    return lambda: (torch.rand(3, side, side), torch.randint(0, label, ()))


class Language(nn.Module):
    """Tokens to tokens, by a transformer or an LSTM."""

    def __init__(self, inner, width, *, checkpointed=False):
        super().__init__()
        self.embedding, self.inner = nn.Embedding(VOCABULARY, width), inner
        self.checkpointed = checkpointed

    def forward(self, rows):
        hidden = self.embedding(rows)
        if not self.checkpointed:
            return self.inner(hidden)
        for each in self.inner:
            hidden = checkpoint(each, hidden, use_reentrant=False)
        return hidden


class Recurrent(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.lstm, self.head = (
            nn.LSTM(width, width, 2, batch_first=True),
            nn.Linear(width, VOCABULARY),
        )

    def forward(self, hidden):
        return self.head(self.lstm(hidden)[0])


def supervised(model, optimizer, *, autocast=False):
    """Return the step of an ordinary loop."""
    model = model.to(CUDA).train()
    optimizer = optimizer(model.parameters())

    def step(batch):
        rows, labels = (each.to(CUDA, non_blocking=True) for each in batch)
        with torch.autocast("cuda", torch.bfloat16, enabled=autocast):
            predicted = model(rows)
            loss = nn.functional.cross_entropy(predicted.flatten(0, -2), labels.flatten())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def transformer():
    blocks = networks.transformer(torch, width=768, heads=12, layers=12)
    return supervised(Language(blocks, 768), torch.optim.AdamW, autocast=True), tokens, 8


def checkpointing():
    blocks = networks.transformer(torch, width=768, heads=12, layers=12)
    model = Language(blocks, 768, checkpointed=True)
    return supervised(model, torch.optim.AdamW, autocast=True), tokens, 8


def resnet():
    model = networks.resnet(torch, networks.RESNET_50, bottleneck=True)
    sgd = lambda parameters: torch.optim.SGD(parameters, 0.01, momentum=0.9)
    return supervised(model, sgd), image(224), 32


def rnn():
    return supervised(Language(Recurrent(1024), 1024), torch.optim.Adam), tokens, 32


def gan():
    """Two models, each with its optimizer."""
    sizes = (512, 256, 128, 64)
    layers = [nn.ConvTranspose2d(100, sizes[0], 4), nn.BatchNorm2d(sizes[0]), nn.ReLU()]
    for inputs, outputs in itertools.pairwise((*sizes, 3)):
        layers += [nn.ConvTranspose2d(inputs, outputs, 4, 2, 1), nn.BatchNorm2d(outputs), nn.ReLU()]
    generator = nn.Sequential(*layers[:-2], nn.Tanh()).to(CUDA)
    layers = []
    for inputs, outputs in itertools.pairwise((3, *reversed(sizes))):
        layers += [nn.Conv2d(inputs, outputs, 4, 2, 1), nn.LeakyReLU(0.2)]
    critic = nn.Sequential(*layers, nn.Conv2d(sizes[0], 1, 4), nn.Flatten(0)).to(CUDA)
    optimizers = [torch.optim.Adam(each.parameters(), 2e-4) for each in (critic, generator)]
    loss_of = nn.functional.binary_cross_entropy_with_logits

    def step(batch):
        real = batch[0].to(CUDA)
        made = generator(torch.randn(len(real), 100, 1, 1, device=CUDA))
        ones, zeros = (make(len(real), device=CUDA) for make in (torch.ones, torch.zeros))
        critic.zero_grad()
        (loss_of(critic(real), ones) + loss_of(critic(made.detach()), zeros)).backward()
        optimizers[0].step()
        generator.zero_grad()
        loss_of(critic(made), ones).backward()
        optimizers[1].step()

    return step, image(64), 128


PROGRAMS = {each.__name__: each for each in (transformer, resnet, rnn, gan, checkpointing)}


def settled():
    torch.cuda.synchronize()
    gc.collect()
    torch.cuda.empty_cache()
    return torch.cuda.memory_allocated(), torch.cuda.max_memory_allocated()


def real_peak(step, data, size):
    """Return the peak of an ordinary loop."""
    settled()
    batches = iter(DataLoader(data, batch_size=size))
    step(next(batches))
    torch.cuda.reset_peak_memory_stats()
    for _ in range(STEPS - 1):
        step(next(batches))
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated()


def measured(name, budget_seconds):
    torch.manual_seed(0)
    step, make, own_size = PROGRAMS[name]()
    data = Repeated(make)
    before = settled()
    found = jupyter_gpuperf.fit(
        step, DataLoader(data, batch_size=own_size), budget_seconds=budget_seconds
    )
    after = settled()
    print(found)
    rows = []
    for role, size in (("recommended", found.recommended), ("largest", found.largest)):
        if size is None:
            continue
        trial = next(each for each in found.trials if each.batch_size == size)
        real = real_peak(step, data, size)
        predicted = trial.predicted_bytes
        rows.append(
            {
                "program": name,
                "role": role,
                "batch_size": size,
                "predicted_gib": None if predicted is None else predicted / 2**30,
                "measured_gib": trial.peak_bytes / 2**30,
                "real_gib": real / 2**30,
                "error_percent": None if predicted is None else 100 * (predicted / real - 1),
                "limited_by": found.data.limited_by,
                "seconds": found.data.seconds,
                "memory_as_before": after[0] == before[0],
                "counter_as_before": after[1] == before[1],
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--budget-seconds", type=float, default=40.0)
    parser.add_argument("--memory-ratio", type=float, default=0.25)
    parser.add_argument("--only", default=",".join(PROGRAMS))
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    torch.cuda.set_per_process_memory_fraction(given.memory_ratio, CUDA)
    rows = []
    for name in given.only.split(","):
        rows += measured(name, given.budget_seconds)
        settled()
    if given.json:
        print(json.dumps(rows))
        return
    for row in rows:
        cells = (
            f"{value:.3f}" if isinstance(value, float) else str(value) for value in row.values()
        )
        print("  ".join(cells))


if __name__ == "__main__":
    main()
