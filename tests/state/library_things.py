"""Arrays, tensors, models and tables that code changes."""

from __future__ import annotations

import functools
import queue
from types import SimpleNamespace

import numpy as np
import pandas
import PIL.Image
import torch
from process_things import an_open_file
from things import Thing, grow, step_of, training
from torch import nn


class Noted(np.ndarray):
    """An array with attributes."""


class Refusing(torch.Tensor):
    """A tensor with which only its own package can compute."""

    @classmethod
    def __torch_function__(cls, function, kinds, arguments=(), named=None):
        raise NotImplementedError(function)


def computing_with_refusing(compute):
    def computed(it):
        with torch._C.DisableTorchFunctionSubclass():
            return compute(it)

    return computed


def noted_array():
    made = np.arange(3.0).view(Noted)
    made.notes = [1]
    return made


def a_frame():
    return pandas.DataFrame({"loss": [1.0, 2.0], "name": ["a", "b"], "list": [[1], [2]]})


def look_of_frame(it):
    return repr(it), repr(it.attrs), it.index.name, [str(each) for each in it.dtypes]


def grow_frame(it):
    it.loc[len(it)] = [3.0, "c", [3], *[0] * (it.shape[1] - 3)]
    it.loc[0, "loss"] = 9.0
    it["list"][0].append(7)
    it["more"] = 1
    it.attrs["note"] = 1


def widen_frame(it):
    """Insert a column. A fast machine takes hundreds of steps, and pandas warns of a hundred inserts."""
    if len(it.columns) < 50:
        it.insert(len(it.columns), f"new{len(it.columns)}", 1)


def rename_frame(it):
    it.columns = [f"{name}2" for name in it.columns]
    it.index = [7, 8]
    it.index.name = "step"


def a_hooked_tensor():
    made = torch.ones(2, requires_grad=True)
    made.register_hook(lambda gradient: gradient)
    return made


def hooks_of(it):
    return len(it._backward_hooks or ()), len(it._post_accumulate_grad_hooks or ())


def hook(it):
    it.register_hook(lambda gradient: gradient)
    it.register_post_accumulate_grad_hook(lambda tensor: None)


def embedded():
    made = nn.Embedding(4, 2, sparse=True)
    made(torch.tensor([1])).sum().backward()
    return made


def a_parameter():
    made = nn.Parameter(torch.ones(2))
    made.main_grad, made.calls = torch.zeros(2), 0
    return made


def change_parameter(it):
    it.main_grad.add_(1)
    it.calls += 1


def averaged():
    model = nn.Linear(2, 2)
    return SimpleNamespace(model=model, average=torch.optim.swa_utils.AveragedModel(model))


def average(it):
    it.model.weight.data.add_(1)
    it.average.update_parameters(it.model)


def scheduled(make):
    def made():
        trained = training(functools.partial(torch.optim.SGD, momentum=0.9))
        trained.schedule = make(trained.optimizer)
        return trained

    return made


def look_of_schedule(trained):
    states = trained.optimizer.state_dict(), trained.schedule.state_dict()
    return repr(states), repr(trained.model.state_dict())


SCHEDULES = {
    "one cycle": lambda it: torch.optim.lr_scheduler.OneCycleLR(it, 0.5, total_steps=10**6),
    "warm restarts": lambda it: torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(it, 3),
    "a formula": lambda it: torch.optim.lr_scheduler.LambdaLR(it, lambda epoch: 0.9**epoch),
    "averaging": lambda it: torch.optim.swa_utils.SWALR(it, 0.05),
}


LIBRARY_THINGS = {
    "a structured array": Thing(
        lambda: np.zeros(2, dtype=[("a", "f4"), ("b", "i4")]), lambda it: it["a"].__iadd__(1)
    ),
    "a record": Thing(
        lambda: np.zeros(1, dtype=[("a", "f4")])[0],
        lambda it: it.__setitem__("a", it["a"] + 1),
        lambda it: it.tobytes(),
    ),
    "a masked array": Thing(
        lambda: np.ma.array([1.0, 2, 3], mask=[0, 1, 0], hard_mask=True),
        lambda it: (it.__setitem__(0, it[2] + 9), it.__setitem__(0, np.ma.masked)),
        lambda it: (it.data.tobytes(), np.ma.getmaskarray(it).tobytes()),
    ),
    "an array that gets a mask": Thing(
        lambda: np.ma.array([1.0, 2, 3]),
        lambda it: (it.__setitem__(0, np.ma.masked), it.set_fill_value(7.0)),
        lambda it: (it.data.tobytes(), np.ma.getmaskarray(it).tobytes(), it.fill_value),
    ),
    "an array with attributes": Thing(
        noted_array,
        lambda it: (it.notes.append(2), setattr(it, "fresh", 1), it.__iadd__(1)),
        lambda it: (it.tobytes(), repr(vars(it))),
    ),
    "an array in a file": Thing(
        lambda: np.memmap(an_open_file().name, dtype="u1", mode="r+"), lambda it: it.__iadd__(1)
    ),
    "a protected array": Thing(
        lambda: np.arange(3.0),
        lambda it: it.flags.writeable and (it.__iadd__(1), it.setflags(write=False)),
        lambda it: (it.tobytes(), it.flags.writeable),
    ),
    "NumPy's errors": Thing(
        lambda: None,
        lambda _: np.seterr(over="raise" if np.geterr()["over"] != "raise" else "warn"),
        lambda _: np.geterr(),
    ),
    "NumPy's printing": Thing(
        lambda: None,
        lambda _: np.set_printoptions(precision=np.get_printoptions()["precision"] + 1),
        lambda _: repr(np.get_printoptions()),
    ),
    "a growing sparse tensor": Thing(
        lambda: torch.eye(3).to_sparse(),
        lambda it: it.add_(torch.ones(3, 3).to_sparse()),
        lambda it: it.to_dense().tolist(),
    ),
    "a compressed sparse tensor": Thing(
        lambda: torch.eye(3).to_sparse_csr(), grow, lambda it: it.to_dense().tolist()
    ),
    "a sparse gradient": Thing(
        lambda: nn.Embedding(4, 2, sparse=True),
        lambda it: it(torch.tensor([1])).sum().backward(),
        lambda it: None if it.weight.grad is None else it.weight.grad.to_dense().tolist(),
    ),
    "a sparse gradient that grows": Thing(
        embedded,
        lambda it: it(torch.tensor([1, 2])).sum().backward(),
        lambda it: it.weight.grad.to_dense().tolist(),
    ),
    "a nested tensor": Thing(
        lambda: torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]),
        grow,
        lambda it: [each.tolist() for each in it.unbind()],
    ),
    "a parameter's attributes": Thing(
        a_parameter, change_parameter, lambda it: (it.main_grad.tolist(), it.calls)
    ),
    "a tensor's first hooks": Thing(lambda: torch.ones(2, requires_grad=True), hook, hooks_of),
    "a tensor's second hooks": Thing(a_hooked_tensor, hook, hooks_of),
    "a module's hook": Thing(
        lambda: nn.Linear(2, 2),
        lambda it: it.register_forward_hook(lambda *_: None),
        lambda it: len(it._forward_hooks),
    ),
    "a hook of all modules": Thing(
        lambda: None,
        lambda _: nn.modules.module.register_module_forward_hook(lambda *_: None),
        lambda _: len(nn.modules.module._global_forward_hooks),
    ),
    "a lazy layer": Thing(
        lambda: nn.LazyLinear(2),
        lambda it: it(torch.ones(1, 3)),
        lambda it: (type(it), type(it.weight), len(it._forward_pre_hooks)),
    ),
    "a model of another class": Thing(
        lambda: nn.Linear(2, 2),
        lambda it: (
            hasattr(it, "parametrizations") or torch.nn.utils.parametrizations.weight_norm(it)
        ),
        lambda it: (type(it).__name__, [name for name, _ in it.named_parameters()]),
    ),
    "parameters by name": Thing(
        lambda: nn.ParameterDict({"a": nn.Parameter(torch.ones(2))}),
        lambda it: (it["a"].data.add_(1), it.update({"b": nn.Parameter(torch.ones(1))})),
        lambda it: [(name, each.tolist()) for name, each in it.items()],
    ),
    "an averaged model": Thing(
        averaged,
        average,
        lambda it: (it.average.state_dict()["n_averaged"].item(), repr(it.average.module.weight)),
    ),
    **{
        f"a schedule by {name}": Thing(scheduled(make), step_of, look_of_schedule)
        for name, make in SCHEDULES.items()
    },
    "new parameters in an optimizer": Thing(
        training,
        lambda it: it.optimizer.add_param_group({"params": [nn.Parameter(torch.ones(1))]}),
        lambda it: len(it.optimizer.param_groups),
    ),
    "threads": Thing(
        lambda: None,
        lambda _: torch.set_num_threads(3 - torch.get_num_threads()),
        lambda _: torch.get_num_threads(),
    ),
    "how tensors are printed": Thing(
        lambda: None,
        lambda _: torch.set_printoptions(precision=torch._tensor_str.PRINT_OPTS.precision + 1),
        lambda _: repr(torch.tensor(1 / 3)),
    ),
    "a table that grows": Thing(a_frame, grow_frame, look_of_frame),
    "an empty table": Thing(pandas.DataFrame, widen_frame, repr),
    "a table's labels": Thing(a_frame, rename_frame, look_of_frame),
    "a column": Thing(
        lambda: pandas.Series([1.0, 2]),
        lambda it: (it.__setitem__(0, it[0] + 9), setattr(it, "name", "n")),
        repr,
    ),
    "an index's name": Thing(
        lambda: pandas.Index([1, 2]), lambda it: setattr(it, "name", "step"), repr
    ),
    "a picture": Thing(
        lambda: PIL.Image.new("L", (2, 2)),
        lambda it: it.putpixel((0, 0), (it.getpixel((0, 0)) + 9) % 256),
        lambda it: it.tobytes(),
    ),
    "a queue between threads": Thing(
        queue.Queue, lambda it: it.put(1), lambda it: (it.qsize(), it.unfinished_tasks)
    ),
    "a tensor that refuses torch's functions": Thing(
        lambda: torch.ones(2).as_subclass(Refusing),
        computing_with_refusing(grow),
        computing_with_refusing(lambda it: it.tolist()),
    ),
}
