"""How much of the memory that torch has allocated ``%gpumem`` gives to a named owner, on ten programs.

    python tests/perf/memory_attribution.py [--only transformer,gan] [--json FILE]

Each program runs a few steps in a process of its own, and is looked at in the middle of one: after the forward pass, with
the graph alive. *Attributed* counts allocated blocks whose address belongs to a storage that was found; *named* leaves
out what is found without a name (``other``). cuBLAS and cuDNN keep some 65 MiB on an H200 however small a program is,
so the programs have the size of real ones. Needs a GPU; torchvision, transformers and lightning for their programs.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

LOOKS: list[dict[str, Any]] = []
UNNAMED = ("other", "workspace")
OUTSIDE = ("cache", "context", "process")


def look() -> None:
    """Keep the figures of one look."""
    from jupyter_gpuperf import memory

    report = memory().to_dict()
    inside = [each for each in report["owners"] if each["kind"] not in OUTSIDE]
    named = sum(each["bytes"] for each in inside if each["kind"] not in UNNAMED)
    LOOKS.append(
        {
            "allocated_mib": round(report["allocated_bytes"] / 2**20),
            "attributed": report["attributed_ratio"],
            "named": named / report["allocated_bytes"],
            "seconds": report["seconds"],
            "largest": [
                f"{each['kind']} {each['name']} {each['bytes'] / 2**20:.0f}" for each in inside[:6]
            ],
            "unnamed": [
                f"{each['kind']} {each['name']} {each['bytes'] / 2**20:.1f}"
                for each in inside
                if each["kind"] in UNNAMED
            ],
        }
    )


def steps(
    model: nn.Module, batches: Any, loss_of: Callable[..., torch.Tensor], count: int = 4
) -> None:
    """Train for a few steps, and look in the middle of the last."""
    optimizer = torch.optim.AdamW(model.parameters())
    globals().update(model=model, optimizer=optimizer, batches=batches, loss_of=loss_of)
    code = """
for step, batch in zip(range(count), batches):
    loss = loss_of(model, batch)
    if step == count - 1:
        look()
    loss.backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=False)
"""
    globals()["count"] = count
    exec(compile(code, __file__, "exec"), globals())


def random_batches(*shape: int, high: int | None = None) -> list[torch.Tensor]:
    """Return four batches on the GPU: of normal numbers, or of integers below ``high``."""
    if high is None:
        return [torch.randn(shape, device="cuda") for _ in range(4)]
    return [torch.randint(high, shape, device="cuda") for _ in range(4)]


def transformer() -> None:
    """A language model under autocast."""
    layer = nn.TransformerEncoderLayer(1024, 16, 4096, batch_first=True)
    model = nn.Sequential(
        nn.Embedding(8192, 1024), nn.TransformerEncoder(layer, 12), nn.Linear(1024, 8192)
    ).cuda()

    def loss_of(model: nn.Module, tokens: torch.Tensor) -> torch.Tensor:
        with torch.autocast("cuda", torch.bfloat16):
            scores = model(tokens)
        return nn.functional.cross_entropy(scores.flatten(0, 1).float(), tokens.flatten())

    steps(model, random_batches(8, 512, high=8192), loss_of)


def resnet() -> None:
    """torchvision's ResNet-50 with batches of a loader with pinned memory."""
    from torchvision.models import resnet50

    data = TensorDataset(torch.randn(512, 3, 224, 224), torch.randint(1000, (512,)))
    loader = DataLoader(data, batch_size=64, num_workers=2, pin_memory=True)

    def loss_of(model: nn.Module, batch: Any) -> torch.Tensor:
        images, labels = (each.cuda(non_blocking=True) for each in batch)
        return nn.functional.cross_entropy(model(images), labels)

    steps(resnet50().cuda(), loader, loss_of)


def detection() -> None:
    """torchvision's Faster R-CNN: lists of images, targets in dictionaries."""
    from torchvision.models.detection import fasterrcnn_resnet50_fpn

    model = fasterrcnn_resnet50_fpn(weights=None, weights_backbone=None, num_classes=5).cuda()
    target = {
        "boxes": torch.tensor([[10.0, 10.0, 200.0, 200.0]], device="cuda"),
        "labels": torch.tensor([1], device="cuda"),
    }

    def loss_of(model: nn.Module, images: torch.Tensor) -> torch.Tensor:
        return sum(model(list(images), [target] * len(images)).values())

    steps(model, random_batches(4, 3, 480, 640), loss_of)


def gan() -> None:
    """Two models, two optimizers, and a step that uses both."""

    def network(*widths: int) -> nn.Module:
        parts: list[nn.Module] = []
        for first, second in itertools.pairwise(widths):
            parts += [nn.Linear(first, second), nn.LeakyReLU()]
        return nn.Sequential(*parts).cuda()

    generator, critic = network(128, 4096, 8192, 16_384), network(16_384, 8192, 4096, 1)
    optimizers = [torch.optim.Adam(each.parameters()) for each in (generator, critic)]
    for _ in range(3):
        made = generator(torch.randn(512, 128, device="cuda"))
        critic_loss = critic(made.detach()).mean() - critic(torch.randn_like(made)).mean()
        critic_loss.backward()
        optimizers[1].step()
        optimizers[1].zero_grad()
        loss = -critic(made).mean()
        loss.backward(retain_graph=True)
        optimizers[0].step()
        optimizers[0].zero_grad()
    globals().update(
        generator=generator, critic=critic, optimizers=optimizers, loss=loss, made=made
    )
    look()


def rnn() -> None:
    """A cuDNN LSTM, whose workspace is kept by its backward."""

    class Tagger(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(512, 1024, 3, batch_first=True, dropout=0.1)
            self.head = nn.Linear(1024, 64)

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            return self.head(self.lstm(inputs)[0])

    steps(Tagger().cuda(), random_batches(256, 256, 512), lambda model, x: model(x).square().mean())


def trainer() -> None:
    """Hugging Face's Trainer on a small GPT-2, looked at inside of its step."""
    from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainingArguments

    class Looking(Trainer):
        def compute_loss(self, model: Any, inputs: Any, *more: Any, **named: Any) -> Any:
            loss = super().compute_loss(model, inputs, *more, **named)
            if self.state.global_step == 3:
                look()
            return loss

    tokens = torch.randint(8192, (256, 512))
    rows = [{"input_ids": each, "labels": each} for each in tokens]
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            folder, max_steps=5, per_device_train_batch_size=32, report_to=[], bf16=True
        )
        config = GPT2Config(vocab_size=8192, n_embd=768, n_layer=8, n_head=12)
        globals()["trainer"] = Looking(GPT2LMHeadModel(config), arguments, train_dataset=rows)
        globals()["trainer"].train()


def lightning_trainer() -> None:
    """Lightning's Trainer, looked at in ``training_step``."""
    import lightning

    class Module(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(*(nn.Linear(8192, 8192) for _ in range(6)))

        def training_step(self, batch: Any, index: int) -> torch.Tensor:
            loss = self.body(batch[0]).square().mean()
            if index == 3:
                look()
            return loss

        def configure_optimizers(self) -> Any:
            return torch.optim.Adam(self.parameters())

    data = DataLoader(TensorDataset(torch.randn(2048, 8192)), batch_size=256)
    globals()["module"] = Module()
    globals()["fitter"] = lightning.Trainer(
        max_epochs=1, logger=False, enable_checkpointing=False, enable_progress_bar=False
    )
    globals()["fitter"].fit(globals()["module"], data)


def compiled() -> None:
    """A compiled model: one node of the graph keeps all activations."""
    layer = nn.TransformerEncoderLayer(1024, 16, 4096, batch_first=True, dropout=0.0)
    model = torch.compile(nn.TransformerEncoder(layer, 6).cuda())
    steps(model, random_batches(64, 256, 1024), lambda model, x: model(x).square().mean())


def graphs() -> None:
    """CUDA graphs: a captured forward and backward in a pool of their own."""
    model = nn.Sequential(*(nn.Linear(8192, 8192) for _ in range(8))).cuda()
    sample = torch.randn(1024, 8192, device="cuda", requires_grad=True)
    captured = torch.cuda.make_graphed_callables(model, (sample,))
    steps(captured, random_batches(1024, 8192), lambda model, x: model(x).square().mean())


def exception() -> None:
    """After a function raised, with its variables kept by the last traceback."""
    model = nn.Sequential(*(nn.Linear(4096, 4096) for _ in range(8))).cuda()
    globals().update(model=model, optimizer=torch.optim.AdamW(model.parameters()))

    def evaluate(batch: torch.Tensor) -> None:
        outputs = [model(batch) for _ in range(8)]
        scale = torch.zeros(1024, 1024, device="cuda")
        raise ValueError(f"no labels for {len(outputs)} outputs and {len(scale)} classes")

    try:
        evaluate(torch.randn(4096, 4096, device="cuda"))
    except ValueError as error:
        sys.last_type, sys.last_value, sys.last_traceback = type(error), error, error.__traceback__
        if sys.version_info >= (3, 12):
            sys.last_exc = error
    look()


PROGRAMS = (
    *(transformer, resnet, detection, gan, rnn, trainer, lightning_trainer, compiled, graphs),
    exception,
)


def main() -> None:
    """Run each program in a process of its own, and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    names = [each.__name__ for each in PROGRAMS]
    parser.add_argument("--only", default=",".join(names))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--here", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        next(each for each in PROGRAMS if each.__name__ == options.here)()
        print("LOOK", json.dumps(LOOKS[-1]))
        return
    found = {}
    for name in options.only.split(","):
        ended = subprocess.run(
            [sys.executable, __file__, "--here", name], check=False, capture_output=True, text=True
        )
        line = next((each for each in ended.stdout.splitlines() if each.startswith("LOOK ")), None)
        found[name] = json.loads(line[5:]) if line else {"failed": ended.stderr[-1500:]}
        print(name, json.dumps(found[name]), flush=True)
        if options.json:
            options.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
