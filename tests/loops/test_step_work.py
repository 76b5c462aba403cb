"""What steps are worth: tokens, samples and operations of real loops, against counts by hand."""

from __future__ import annotations

import contextlib
import copy
import pickle
import threading
import time
from collections import defaultdict

import pytest

from jupyter_gpuperf.loop_store.step_window import steps_of
from jupyter_gpuperf.loops import flop_mode, phase_clock, step_work
from jupyter_gpuperf.loops.flop_count import OperationCount
from jupyter_gpuperf.loops.flop_watch import LEAST_LOOKS, follow_work
from jupyter_gpuperf.loops.followed_step import root_found
from jupyter_gpuperf.loops.root_module import ModuleLooks
from jupyter_gpuperf.loops.step_inputs import InputReader
from jupyter_gpuperf.loops.tallies import tally_of

torch = pytest.importorskip("torch")
pytest.importorskip("torch._dynamo.testing")
nn, F = torch.nn, torch.nn.functional

BATCH, LENGTH, WIDTH, HEADS, LAYERS, VOCABULARY = 4, 16, 32, 4, 2, 50
TOKENS = BATCH * LENGTH
STEPS = 10


@pytest.fixture
def followed(watching, monkeypatch):
    """Follow every step; other tests of this process compile."""
    monkeypatch.setattr(phase_clock, "INTERVAL_SECONDS", 0.0)
    monkeypatch.setattr(flop_mode, "_has_compiled", lambda _: False)
    watching.watch_everything()
    return watching


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(WIDTH) for _ in range(2))
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def attention(self, x):
        batch, length, _ = x.shape
        parts = self.qkv(x).split(WIDTH, dim=2)
        q, k, v = (each.view(batch, length, HEADS, -1).transpose(1, 2) for each in parts)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out(y.transpose(1, 2).reshape(batch, length, WIDTH))

    def forward(self, x):
        x = x + F.dropout(self.attention(self.norms[0](x)), 0.1)
        return x + self.down(F.gelu(self.up(self.norms[1](x))))


class Gpt(nn.Module):
    """As nanoGPT's, with tied weights."""

    def __init__(self, checkpoints=None):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(VOCABULARY, WIDTH), nn.Embedding(LENGTH, WIDTH)
        self.blocks = nn.ModuleList(Block() for _ in range(LAYERS))
        self.head = nn.Linear(WIDTH, VOCABULARY, bias=False)
        self.head.weight = self.wte.weight
        self.checkpoints = checkpoints

    def forward(self, idx, targets=None, attention_mask=None):
        x = self.wte(idx) + self.wpe(torch.arange(idx.shape[1]))
        for each in self.blocks:
            if self.checkpoints is None:
                x = each(x)
            else:
                reentrant = self.checkpoints == "reentrant"
                x = torch.utils.checkpoint.checkpoint(each, x, use_reentrant=reentrant)
        return F.cross_entropy(self.head(x).flatten(0, 1), targets.flatten())


def gpt_flops():
    """6 N tokens, of the weights that multiply, and attention."""
    weights = LAYERS * 12 * WIDTH**2 + VOCABULARY * WIDTH
    return 6 * weights * TOKENS + 12 * LAYERS * WIDTH * LENGTH * TOKENS


def tokens_of(batch=BATCH):
    return torch.randint(0, VOCABULARY, (batch, LENGTH))


class Pairs(torch.utils.data.Dataset):
    def __init__(self, *parts):
        self.parts = parts

    def __len__(self):
        return len(self.parts[0])

    def __getitem__(self, index):
        return [each[index] for each in self.parts]


def loader_of(*parts):
    return torch.utils.data.DataLoader(Pairs(*parts), batch_size=BATCH)


def know(watching, model):
    root_found(watching.given, threading.get_ident(), model)
    root = watching.given.roots[threading.get_ident()]
    root.looks = defaultdict(lambda: ModuleLooks(count=LEAST_LOOKS))


def look(watching):
    """Do what the telemetry's thread does."""
    follow_work(watching.given, torch, watching.clocks)


def shown(watching):
    """Return the figures of the only loop."""
    look(watching)
    (clock,) = watching.clocks
    assert clock.error is None
    assert not modes()
    return steps_of(clock.info, [tally_of(clock, 0.0)], pid=1, notebook="", busy=lambda *_: None)


def modes():
    return torch._C._len_torch_dispatch_stack()


def train(watching, model, batches, step, optimizer=None):
    """Train as loops with a loader do; return the losses."""
    optimizer = optimizer or torch.optim.SGD(model.parameters(), lr=0.01)
    know(watching, model)
    losses = []
    for batch in batches:
        loss = step(batch)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
        look(watching)
    return losses


def train_without_loader(watching, model, step, micro_steps=1, steps=STEPS):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    know(watching, model)
    losses = []
    for _ in range(steps):
        for _ in range(micro_steps):
            loss = step()
            loss.backward()
            losses.append(loss.item())
        optimizer.step()
        optimizer.zero_grad()
        look(watching)
    return losses


# --- operations against counts by hand


def test_a_transformer_has_six_operations_per_weight_and_token_and_its_attention(followed):
    model = Gpt()
    data = loader_of(tokens_of(STEPS * BATCH), tokens_of(STEPS * BATCH))
    train(followed, model, data, lambda batch: model(*batch))
    steps = shown(followed)
    assert steps.flops_per_step == pytest.approx(gpt_flops(), rel=0.01)
    assert (steps.flops_format, steps.flops_unknown) == ("fp32", None)
    assert steps.tokens_per_second == pytest.approx(TOKENS / steps.step_seconds)
    assert steps.flops_utilization_ratio is None  # a CPU has no peak in the table


@pytest.mark.parametrize("micro_steps", [1, 3])
def test_a_loop_without_a_loader_is_counted_by_its_backward_passes(followed, micro_steps):
    model = Gpt()
    step = lambda: model(tokens_of(), tokens_of())
    train_without_loader(followed, model, step, micro_steps)
    steps = shown(followed)
    assert steps.flops_per_step == pytest.approx(micro_steps * gpt_flops(), rel=0.01)
    assert steps.tokens_per_second == pytest.approx(micro_steps * TOKENS / steps.step_seconds)
    assert steps.samples_per_second == pytest.approx(micro_steps * BATCH / steps.step_seconds)


@pytest.mark.parametrize("checkpoints", ["reentrant", "saved"])
@pytest.mark.parametrize("with_loader", [False, True])
def test_what_checkpoints_recompute_does_not_count(followed, checkpoints, with_loader):
    model = Gpt(checkpoints)
    if with_loader:
        data = loader_of(tokens_of(STEPS * BATCH), tokens_of(STEPS * BATCH))
        train(followed, model, data, lambda batch: model(*batch))
    else:
        train_without_loader(followed, model, lambda: model(tokens_of(), tokens_of()))
    assert shown(followed).flops_per_step == pytest.approx(gpt_flops(), rel=0.01)


class Convolutions(nn.Module):
    """As in a ResNet: a stem, a strided block with a short cut, a grouped and a transposed convolution, a classifier."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.block = nn.Conv2d(8, 16, 3, stride=2, padding=1)
        self.short_cut = nn.Conv2d(8, 16, 1, stride=2)
        self.grouped = nn.Conv2d(16, 16, 3, padding=1, groups=8)
        self.transposed = nn.ConvTranspose2d(16, 8, 2, stride=2)
        self.head = nn.Linear(8, 10)

    def forward(self, images):
        x = self.stem(images).relu()
        x = (self.block(x) + self.short_cut(x)).relu()
        x = self.transposed(self.grouped(x)).mean((2, 3))
        return self.head(x)


def convolution_flops():
    stem = 2 * 32 * 32 * 8 * 3 * 9
    block, short_cut = 2 * 16 * 16 * 16 * 8 * 9, 2 * 16 * 16 * 16 * 8
    grouped, transposed = 2 * 16 * 16 * 16 * 2 * 9, 2 * 16 * 16 * 16 * 8 * 4
    others = block + short_cut + grouped + transposed + 2 * 8 * 10
    return BATCH * (2 * stem + 3 * others)  # images get no gradient


@pytest.mark.parametrize("with_loader", [False, True])
def test_convolutions_count_once_forward_and_once_for_each_gradient(followed, with_loader):
    model = Convolutions()
    images, labels = torch.randn(STEPS * BATCH, 3, 32, 32), torch.zeros(STEPS * BATCH).long()
    loss = lambda images, labels: F.cross_entropy(model(images), labels)
    if with_loader:
        train(followed, model, loader_of(images, labels), lambda batch: loss(*batch))
    else:
        train_without_loader(followed, model, lambda: loss(images[:BATCH], labels[:BATCH]))
    steps = shown(followed)
    assert steps.flops_per_step == pytest.approx(convolution_flops(), rel=0.001)
    assert steps.tokens_per_second is None
    assert steps.samples_per_second == pytest.approx(BATCH / steps.step_seconds)


def test_frozen_layers_count_where_the_forward_pass_is_seen(followed):
    model = nn.Sequential(nn.Linear(64, 64), nn.Linear(64, 8))
    model[0].requires_grad_(requires_grad=False)
    train(followed, model, loader_of(torch.randn(24, 64)), lambda batch: model(*batch).sum())
    flops = 2 * BATCH * (64 * 64 + 2 * 64 * 8)  # no gradient passes into the first layer
    assert shown(followed).flops_per_step == pytest.approx(flops)


def test_frozen_layers_are_unknown_where_it_is_not(followed):
    model = nn.Sequential(nn.Linear(64, 64), nn.Linear(64, 8))
    model[0].requires_grad_(requires_grad=False)
    train_without_loader(followed, model, lambda: model(torch.randn(4, 64)).sum())
    steps = shown(followed)
    assert (steps.flops_per_step, steps.flops_unknown) == (None, "frozen_layers")


def test_another_model_of_the_same_loader_is_counted_anew(followed):
    loader = loader_of(torch.randn(40, 16))
    small, large = nn.Linear(16, 4), nn.Linear(16, 8)
    train(followed, small, loader, lambda batch: small(*batch).sum())
    assert shown(followed).flops_per_step == pytest.approx(2 * 2 * BATCH * 16 * 4)
    followed.pause()  # the next cell
    train(followed, large, loader, lambda batch: large(*batch).sum())
    assert shown(followed).flops_per_step == pytest.approx(2 * 2 * BATCH * 16 * 8)


def test_two_losses_of_one_graph_count_its_forward_pass_once(followed):
    model = nn.Sequential(nn.Linear(64, 64), nn.Linear(64, 8))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    know(followed, model)
    for _ in range(STEPS):
        outputs = model(torch.randn(BATCH, 64))
        outputs.sum().backward(retain_graph=True)
        outputs.square().sum().backward()
        optimizer.step()
        look(followed)
    forward = 2 * BATCH * (64 * 64 + 64 * 8)
    backward = 2 * BATCH * (64 * 64 + 2 * 64 * 8)
    assert shown(followed).flops_per_step == pytest.approx(forward + 2 * backward)


def test_the_format_is_that_of_most_operations(followed):
    model = nn.Linear(64, 64)

    def step(batch):
        with torch.autocast("cpu", torch.bfloat16):
            return model(*batch).sum()

    train(followed, model, loader_of(torch.randn(24, 64)), step)
    assert shown(followed).flops_format == "bf16"


def test_longer_batches_have_more_operations(followed):
    model = Gpt()
    know(followed, model)
    lengths = [8] * STEPS + [16] * STEPS
    batches = [torch.randint(0, VOCABULARY, (BATCH, each)) for each in lengths]
    for idx in torch.utils.data.DataLoader(batches, batch_size=None):
        model(idx, idx).backward()
        look(followed)
    steps = list(followed.clocks[0].phases.steps)
    known = [each.work["flops"] for each in steps if "flops" in each.work]
    assert known[-1] == pytest.approx(2 * known[0])


def test_each_rank_counts_its_own_operations(followed):
    store = torch.distributed.HashStore()
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    try:
        inner = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 8))
        model = nn.parallel.DistributedDataParallel(inner)
        data = loader_of(torch.randn(40, 64))
        train(followed, model, data, lambda batch: model(*batch).sum())
        flops = 2 * BATCH * (2 * 64 * 64 + 3 * 64 * 8)
        assert shown(followed).flops_per_step == pytest.approx(flops)
    finally:
        torch.distributed.destroy_process_group()


def test_a_loop_is_counted_while_another_thread_looks_at_it(followed):
    model, ended = Gpt(), threading.Event()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)

    def look_on():
        while not ended.wait(0.05):
            followed.look_at_loops()

    looking = threading.Thread(target=look_on)
    looking.start()
    until = time.monotonic() + 60
    try:
        while time.monotonic() < until:
            model(tokens_of(), tokens_of()).backward()
            optimizer.step()
            if followed.clocks and followed.clocks[0].info.flops_format:
                break
    finally:
        ended.set()
        looking.join()
    (clock,) = followed.clocks
    tally = tally_of(clock, 0.0)
    assert clock.info.flops_format == "fp32"
    assert tally.followed.work["flops"].mean() == pytest.approx(gpt_flops(), rel=0.01)
    assert tally.followed.work["tokens"].mean() == pytest.approx(TOKENS)


# --- nothing changes


def test_losses_and_random_states_are_the_same_with_and_without_counting(followed, monkeypatch):
    def run():
        torch.manual_seed(0)
        model = Gpt()
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
        data = loader_of(tokens_of(STEPS * BATCH), tokens_of(STEPS * BATCH))
        losses = train(followed, model, data, lambda batch: model(*batch), optimizer)
        losses += train_without_loader(followed, model, lambda: model(tokens_of(), tokens_of()))
        return losses, torch.get_rng_state(), [each.clone() for each in model.parameters()]

    losses, state, parameters = run()
    assert all(each.phases.work.counted.flops for each in followed.clocks)
    followed.stop()
    plain_losses, plain_state, plain_parameters = run()
    assert losses == plain_losses
    assert torch.equal(state, plain_state)
    assert all(map(torch.equal, parameters, plain_parameters))


def test_the_counted_step_is_left_out_of_the_times(followed):
    model = nn.Linear(3, 1)
    train(followed, model, loader_of(torch.ones(40, 3)), lambda batch: model(*batch).sum())
    tally = tally_of(*followed.clocks, 0.0)
    assert (tally.count, tally.interrupted_count) == (9, 1)
    assert tally.followed.count == 9


class Interrupted(BaseException):
    """As KeyboardInterrupt: no Exception."""


@pytest.mark.parametrize("error", [ZeroDivisionError, Interrupted])
@pytest.mark.parametrize("place", ["forward", "backward"])
def test_an_error_in_the_counted_step_leaves_no_mode_and_nothing_on_the_model(
    followed, error, place
):
    class Failing(nn.Linear):
        fails = False

        def forward(self, x):
            y = super().forward(x)
            counting.append(modes())
            if self.fails and place == "forward":
                raise error
            if self.fails:
                y.register_hook(fail)
            return y

    def fail(_):
        counting.append(modes())
        raise error

    model, counting = Failing(3, 1), []
    know(followed, model)
    caught = False
    for number, batch in enumerate(loader_of(torch.ones(40, 3))):
        model.fails = followed.clocks[0].phases.work.new_count is None and number > 2
        try:
            model(*batch).sum().backward()
        except error:
            caught = True
            break
        look(followed)
    assert caught
    assert any(counting)
    assert not modes()
    followed.pause()  # as at the end of a cell
    assert not model._forward_hooks
    assert not model._forward_pre_hooks_with_kwargs
    assert "forward" not in vars(model)


def test_a_loop_that_ends_with_the_counted_step_leaves_nothing(followed):
    model = nn.Linear(3, 1)
    know(followed, model)
    for batch in loader_of(torch.ones(40, 3)):
        model(*batch).sum().backward()
        marks = followed.given.marks[threading.get_ident()]
        if marks.work.is_counted:
            break
        look(followed)
    assert marks.work.is_counted
    assert not modes()
    assert not model._forward_hooks
    assert "forward" not in vars(model)


def test_copies_made_while_a_counted_pass_is_awaited_are_ordinary_models(followed):
    model = nn.Linear(3, 1)
    know(followed, model)
    for batch in loader_of(torch.ones(40, 3)):
        if "forward" in vars(model):
            break
        model(*batch).sum().backward()
        look(followed)
    assert "forward" in vars(model)
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert twin.forward.__self__ is twin
        assert torch.equal(twin(torch.ones(2, 3)), model.weight.sum(1).expand(2, 1) + model.bias)
    assert not followed.given.marks[threading.get_ident()].work.is_counted


# --- what can't be counted is unknown


def test_recurrent_kernels_are_not_counted(followed):
    class Recurrent(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = nn.LSTM(8, 8, batch_first=True)

        def forward(self, x):
            return self.lstm(x)[0].sum()

    model = Recurrent()
    train(followed, model, loader_of(torch.randn(24, 5, 8)), lambda batch: model(*batch))
    steps = shown(followed)
    assert (steps.flops_per_step, steps.flops_unknown) == (None, "uncounted_operations")


class Hidden(torch.autograd.Function):
    """As a kernel behind a binding."""

    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, gradient):
        return gradient * 2


def test_functions_in_python_may_hide_kernels(followed):
    model = nn.Linear(3, 3)
    step = lambda batch: Hidden.apply(model(*batch)).sum()
    train(followed, model, loader_of(torch.ones(24, 3)), step)
    assert shown(followed).flops_unknown == "uncounted_operations"


def test_an_evaluation_has_no_backward_pass(followed):
    model = nn.Linear(3, 3)
    know(followed, model)
    for batch in loader_of(torch.ones(40, 3)):
        with torch.no_grad():
            model(*batch)
        look(followed)
    assert shown(followed).flops_unknown == "no_backward_pass"


@pytest.mark.parametrize("compiled", ["model", "anything"])
def test_no_mode_is_entered_where_something_is_compiled(followed, monkeypatch, compiled):
    model = nn.Linear(3, 3)
    if compiled == "model":
        model._compiled_call_impl = model._call_impl  # as Module.compile() does
    else:
        monkeypatch.setattr(flop_mode, "_has_compiled", lambda _: True)
    monkeypatch.setattr(flop_mode, "_mode_class", None)
    train(followed, model, loader_of(torch.ones(24, 3)), lambda batch: model(*batch).sum())
    assert shown(followed).flops_unknown == "compiled"


def test_a_compiled_function_is_noticed(monkeypatch):
    torch._dynamo.reset()
    torch.compile(lambda x: x + 1, backend="eager")(torch.ones(1))
    assert flop_mode.obstacle(torch) == "compiled"


def test_a_function_that_is_first_compiled_in_a_counted_pass_is_compiled_as_without(monkeypatch):
    torch._dynamo.reset()
    monkeypatch.setattr(flop_mode, "_has_compiled", lambda _: bool(graphs.frame_count))
    graphs = torch._dynamo.testing.CompileCounter()
    compiled = torch.compile(lambda x: (x @ x).sum(), backend=graphs, fullgraph=True)
    inputs, count = torch.ones(4, 4, requires_grad=True), OperationCount(torch, 0.0)
    with count.forward_pass():
        loss = compiled(inputs)
    with count.backward_pass(keeps_graph=False, creates_graph=False):
        loss.backward()
    assert compiled(inputs) == loss
    assert (graphs.frame_count, count.result(None).unknown) == (1, "compiled")


def test_nothing_is_counted_within_a_mode_of_the_users(followed):
    class Theirs(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            return func(*args, **(kwargs or {}))

    model = nn.Linear(3, 3)
    with Theirs():
        train(followed, model, loader_of(torch.ones(24, 3)), lambda batch: model(*batch).sum())
        look(followed)
        assert followed.clocks[0].info.flops_unknown == "other_modes"


def test_of_two_models_nothing_is_known(followed):
    generator, critic = nn.Linear(8, 8), nn.Linear(8, 1)
    optimizers = [torch.optim.SGD(each.parameters(), lr=0.01) for each in (generator, critic)]
    know(followed, critic)
    root = followed.given.roots[threading.get_ident()]
    for _ in range(STEPS):
        for optimizer in optimizers:
            critic(generator(torch.randn(4, 8))).sum().backward()
            optimizer.step()
        root.seen(id(followed.clocks[0].phases) if followed.clocks else 0, generator, (), {})
        look(followed)
    steps = shown(followed)
    assert (steps.flops_per_step, steps.flops_unknown) == (None, "several_models")


def test_a_copy_that_is_evaluated_in_a_loop_of_its_own_is_no_second_model(followed):
    model = nn.Linear(3, 3)
    know(followed, model)
    root, average = followed.given.roots[threading.get_ident()], copy.deepcopy(model)
    for batch in loader_of(torch.ones(40, 3)):
        model(*batch).sum().backward()
        root.seen(1, average, (), {})  # the id of the evaluation's clock
        look(followed)
    assert shown(followed).flops_format == "fp32"


# --- tokens and samples


class Embedding(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(VOCABULARY, 4)

    def forward(self, first, **others):
        return self.table(first % VOCABULARY).sum()


class Graph(nn.Module):
    """As LightGCN: it embeds nodes, not the edges that it takes first."""

    def __init__(self):
        super().__init__()
        self.nodes = nn.Embedding(VOCABULARY, 4)

    def forward(self, edge_index):
        return (self.nodes.weight[edge_index[0]] * self.nodes.weight[edge_index[1]]).sum()


class Columns(Embedding):
    """It embeds one column of a table."""

    def forward(self, table):
        return self.table(table[:, 0]).sum()


def rate_of(followed, model, *parts, **named):
    """Return tokens per step of a loop over one of the ``parts``; ``None`` if they are unknown."""
    keys = list(named)
    data = loader_of(*parts, *named.values())

    def step(batch):
        return model(*batch[: len(parts)], **dict(zip(keys, batch[len(parts) :], strict=True)))

    train(followed, model, data, step)
    steps = shown(followed)
    return steps.tokens_per_second and steps.tokens_per_second * steps.step_seconds


def test_integers_that_are_embedded_are_tokens(followed):
    assert rate_of(followed, Embedding(), tokens_of(24)) == pytest.approx(TOKENS)


def test_tokens_of_a_compiled_model_are_known_and_it_is_compiled_once(followed):
    torch._dynamo.reset()
    graphs = torch._dynamo.testing.CompileCounter()
    model = torch.compile(Embedding(), backend=graphs)
    assert rate_of(followed, model, tokens_of(40)) == pytest.approx(TOKENS)
    assert followed.clocks[0].info.flops_unknown == "compiled"
    assert graphs.frame_count == 1


@pytest.mark.parametrize("dtype", [torch.int64, torch.bool])
def test_tokens_that_the_attention_mask_leaves_out_do_not_count(followed, dtype):
    mask = (torch.arange(LENGTH) < 12).to(dtype).expand(24, LENGTH)
    found = rate_of(followed, Embedding(), tokens_of(24), attention_mask=mask)
    assert found == pytest.approx(TOKENS * 12 / 16)


class OnDevice:
    """A mask of which a device must first pass the sum."""

    is_cuda, device, ndim, shape = True, None, 2, (BATCH, LENGTH)

    def numel(self):
        return TOKENS

    def is_floating_point(self):
        return False

    def ne(self, _):
        return torch.ones(TOKENS // 2)


def test_the_sum_of_a_mask_on_a_device_is_read_when_the_device_has_passed_it(monkeypatch):
    class Event:
        passed, recorded = False, 0

        def record(self, _):
            Event.recorded += 1

        def query(self):
            return Event.passed

    for name, instead in (
        ("Event", Event),
        ("Stream", lambda _: None),
        ("stream", lambda _: contextlib.nullcontext()),
        ("current_stream", lambda _: None),
        ("is_current_stream_capturing", lambda: False),
    ):
        monkeypatch.setattr(torch.cuda, name, instead)
    reader = InputReader(Embedding())
    read = lambda: reader.read((tokens_of(),), {"attention_mask": OnDevice()}).tokens
    assert (read(), read(), Event.recorded) == (None, None, 1)
    Event.passed = True
    assert [read() for _ in range(3)] == [TOKENS / 2] * 3
    assert Event.recorded == 1  # at most once a second


@pytest.mark.parametrize(
    ("model", "inputs"),
    [
        (Graph, torch.randint(0, VOCABULARY, (24, 9))),  # edges
        (Columns, torch.randint(0, VOCABULARY, (24, 9))),  # a table of categories
        (Embedding, torch.randint(0, VOCABULARY, (24,))),  # labels
    ],
)
def test_other_integers_are_no_tokens(followed, model, inputs):
    assert rate_of(followed, model(), inputs) is None


def test_a_batch_in_one_argument_and_by_name_has_tokens(followed):
    class Named(Embedding):
        def forward(self, batch):
            return super().forward(batch["input_ids"])

    model = Named()
    for batch in (lambda ids: {"labels": ids[:, 0], "input_ids": ids},):
        data = loader_of(tokens_of(24))
        train(followed, model, data, lambda one, batch=batch: model(batch(*one)))
    steps = shown(followed)
    assert steps.tokens_per_second * steps.step_seconds == pytest.approx(TOKENS)


def test_a_loop_is_counted_again_only_when_its_inputs_change(followed, monkeypatch):
    monkeypatch.setattr(step_work, "AGAIN_SECONDS", 0.0)
    model = nn.Linear(3, 1)
    work = lambda: followed.clocks[0].phases.work

    def run(width, steps):
        counts = []
        for batch in loader_of(torch.ones(steps * width, 3)):
            model(batch[0]).sum().backward()
            look(followed)
            counts.append(work().new_count is not None)
        return sum(counts)

    know(followed, model)
    assert run(BATCH, 12) == 1
    work()._sizes.extend([10.0] * step_work.RECENT_STEPS)
    look(followed)
    assert work().new_count is not None
