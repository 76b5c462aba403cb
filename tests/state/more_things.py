"""More of what code changes: Python's and other libraries' objects, and settings of the process."""

from __future__ import annotations

import array
import collections
import configparser
import contextlib
import contextvars
import ctypes
import dataclasses
import decimal
import enum
import functools
import gc
import hashlib
import io
import itertools
import logging
import mmap
import multiprocessing
import os
import queue
import sys
import tempfile
import threading
import types
import warnings
import weakref
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas
import PIL.Image
import torch
from things import Counter, Thing, step_of, training, twice
from torch import nn


class Recent(collections.OrderedDict):
    """A cache of the kind that Python's manual shows."""

    def __getitem__(self, key):
        self.move_to_end(key)
        return super().__getitem__(key)


class Noted(np.ndarray):
    """An array with attributes."""


def noted_array():
    made = np.arange(3.0).view(Noted)
    made.notes = [1]
    return made


class Slots:
    __slots__ = ("__secret", "items", "later")

    def __init__(self):
        self.items, self.__secret = [1], 1

    def change(self):
        self.items.append(2)
        self.later, self.__secret = 3, 2

    def look(self):
        return list(self.items), hasattr(self, "later"), self.__secret


@dataclasses.dataclass(frozen=True)
class Frozen:
    items: list = dataclasses.field(default_factory=list)


class Phase(enum.Enum):
    ONE = 1
    TWO = 2

    def __init__(self, number):
        self.calls = []


class OfAClass:
    calls, seen = 0, []

    def __call__(self):
        return 1


class Another:
    """Takes the place of a class."""


class AsAttributes(dict):
    def __init__(self, **items):
        super().__init__(**items)
        self.__dict__ = self


class Lazily:
    @functools.cached_property
    def found(self):
        return [1]


class Handler(logging.Handler):
    count = 0

    def emit(self, record):
        self.count += 1


Pair = collections.namedtuple("Pair", "left right")
KEPT = Counter()
KEY, OTHER_KEY = Another(), Another()


def in_an_empty_cache():
    return functools.lru_cache(lambda number: [number])


def a_cached(cache):
    made = cache(lambda: nn.Linear(2, 2))
    made()
    return made


def a_logger():
    made = logging.getLogger("counts")
    made.setLevel(0)
    made.handlers.clear()
    made.addHandler(Handler())
    return made


def change_logger(it):
    it.error("words")
    it.setLevel(it.level + 10)
    it.addHandler(logging.NullHandler())


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


def rename_frame(it):
    it.columns = [f"{name}2" for name in it.columns]
    it.index = [7, 8]
    it.index.name = "step"


OPENED = contextlib.ExitStack()
"""Closes the files at the end of a test."""


def an_open_file(mode="r"):
    path = Path(OPENED.enter_context(tempfile.TemporaryDirectory())) / "file"
    path.write_text("one\ntwo\nthree\n")
    return OPENED.enter_context(path.open(mode))


def text_of(file):
    file.flush()
    return Path(file.name).read_text(), file.tell()


def a_hooked_tensor():
    made = torch.ones(2, requires_grad=True)
    made.register_hook(lambda gradient: gradient)
    return made


def hooks_of(it):
    return len(it._backward_hooks or ()), len(it._post_accumulate_grad_hooks or ())


def hook(it):
    it.register_hook(lambda gradient: gradient)
    it.register_post_accumulate_grad_hook(lambda tensor: None)


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


def weighted():
    return torch.nn.utils.parametrizations.weight_norm(nn.Linear(2, 2))


def run_twice_with_gradients(it):
    it(torch.ones(1, 2)).sum().backward()


def bump(name):
    os.environ[name] = os.environ.get(name, "") + "1"


def change_decimals(_):
    decimal.getcontext().prec += 1


RESTORED = {
    "a default factory": Thing(
        lambda: collections.defaultdict(list, a=[1]),
        lambda it: (setattr(it, "default_factory", int), it["z"], it["a"].append(2)),
        lambda it: (it.default_factory, repr(dict(it))),
    ),
    "a dictionary that reorders itself": Thing(
        lambda: Recent(a=[1], b=[2]),
        lambda it: it["a"].append(3),
        lambda it: repr([*it.items()]),
    ),
    "linked dictionaries": Thing(
        lambda: collections.ChainMap({}, {"a": 1}),
        lambda it: it.update(b=1),
        lambda it: repr(it.maps),
    ),
    "a user's dictionary": Thing(
        lambda: collections.UserDict(a=[1]), lambda it: it["a"].append(2), lambda it: repr(it.data)
    ),
    "a read-only view": Thing(
        lambda: types.MappingProxyType({"a": [1]}), lambda it: it["a"].append(2), repr
    ),
    "a dictionary's values": Thing(
        lambda: {"a": [1]}.values(), lambda it: next(iter(it)).append(2), repr
    ),
    "an iterator of a list": Thing(
        lambda: iter([1] * 10_000), next, lambda it: it.__length_hint__()
    ),
    "an iterator of a range": Thing(
        lambda: iter(range(10_000)), next, lambda it: it.__length_hint__()
    ),
    "iterators in step": Thing(
        lambda: zip([1] * 10_000, iter(range(10_000)), strict=False),
        next,
        lambda it: [each.__length_hint__() for each in gc.get_referents(it)[0]],
    ),
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
        lambda: torch.eye(3).to_sparse_csr(), twice, lambda it: it.to_dense().tolist()
    ),
    "a nested tensor": Thing(
        lambda: torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]),
        twice,
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
    "a view of bytes": Thing(
        lambda: memoryview(bytearray(b"abc")),
        lambda it: it.__setitem__(0, (it[0] + 1) % 256),
        bytes,
    ),
    "a view of numbers": Thing(
        lambda: memoryview(array.array("d", [1.0])),
        lambda it: it.__setitem__(0, it[0] + 1),
        lambda it: it.tobytes(),
    ),
    "a number of C": Thing(
        lambda: ctypes.c_int(1),
        lambda it: setattr(it, "value", it.value + 1),
        lambda it: it.value,
    ),
    "a row of C": Thing(
        lambda: (ctypes.c_int * 3)(), lambda it: it.__setitem__(0, it[0] + 1), list
    ),
    "a number that processes share": Thing(
        lambda: multiprocessing.Value("i", 0),
        lambda it: setattr(it, "value", it.value + 1),
        lambda it: it.value,
    ),
    "memory that processes share": Thing(
        lambda: mmap.mmap(-1, 8),
        lambda it: it.__setitem__(0, (it[0] + 1) % 256),
        lambda it: it[:],
    ),
    "slots": Thing(Slots, Slots.change, Slots.look),
    "a pair of containers": Thing(
        lambda: Pair([1], {}), lambda it: (it.left.append(2), it.right.update(a=1)), repr
    ),
    "a frozen object": Thing(
        Frozen,
        lambda it: (it.items.append(1), object.__setattr__(it, "items", [*it.items, 2])),
        repr,
    ),
    "a member of an enumeration": Thing(
        lambda: Phase.ONE,
        lambda it: (it.calls.append(1), setattr(Phase.TWO, "fresh", 1)),
        lambda it: (list(it.calls), hasattr(Phase.TWO, "fresh")),
    ),
    "a class": Thing(
        lambda: OfAClass,
        lambda it: (setattr(it, "calls", it.calls + 1), it.seen.append(1), setattr(it, "x", 1)),
        lambda it: (it.calls, list(it.seen), hasattr(it, "x")),
    ),
    "a special method": Thing(
        OfAClass,
        lambda it: (
            setattr(OfAClass, "__call__", lambda self: 2),
            setattr(OfAClass, "__len__", lambda self: 2),
        ),
        lambda it: (it(), hasattr(it, "__len__")),
    ),
    "an object's class": Thing(
        OfAClass, lambda it: setattr(it, "__class__", Another), lambda it: type(it)
    ),
    "an object's dictionary": Thing(
        OfAClass,
        lambda it: setattr(it, "__dict__", {"a": 1}),
        lambda it: repr(vars(it)),
    ),
    "the order of attributes": Thing(
        lambda: SimpleNamespace(a=1, b=2),
        lambda it: (delattr(it, "a"), setattr(it, "a", 1)),
        lambda it: [*vars(it)],
    ),
    "keys as attributes": Thing(
        lambda: AsAttributes(a=1), lambda it: (setattr(it, "b", 2), it.update(a=[3])), repr
    ),
    "an attribute that is made when used": Thing(
        Lazily, lambda it: it.found.append(2), lambda it: repr(vars(it))
    ),
    "a function's parts": Thing(
        lambda: lambda number=1, *, other=1: (number, other),
        lambda it: (setattr(it, "__defaults__", (2,)), it.__kwdefaults__.update(other=2)),
        lambda it: it(),
    ),
    "a function's code": Thing(
        lambda: lambda: 1, lambda it: setattr(it, "__code__", (lambda: 2).__code__), lambda it: it()
    ),
    "an empty cache": Thing(in_an_empty_cache, lambda it: it(1), lambda it: it.cache_info()[1:]),
    "a cache without a limit": Thing(
        lambda: a_cached(functools.cache),
        lambda it: it().weight.data.add_(1),
        lambda it: (it.cache_info().currsize, it().weight.tolist()),
    ),
    "a model in a cache": Thing(
        lambda: a_cached(functools.lru_cache),
        lambda it: it().weight.data.add_(1),
        lambda it: it().weight.tolist(),
    ),
    "a weak reference": Thing(
        lambda: weakref.ref(KEPT), lambda it: it()(), lambda it: it().looks()
    ),
    "a weak proxy": Thing(
        lambda: weakref.proxy(KEPT),
        lambda it: setattr(it, "calls", it.calls + 1),
        lambda it: it.calls,
    ),
    "weak keys": Thing(
        lambda: weakref.WeakKeyDictionary({KEY: [1]}),
        lambda it: (it[KEY].append(2), it.update({OTHER_KEY: 1})),
        lambda it: (len(it), repr(it[KEY])),
    ),
    "a weak set": Thing(lambda: weakref.WeakSet([KEY]), lambda it: it.add(OTHER_KEY), len),
    "text in memory": Thing(
        lambda: io.StringIO("abc"),
        lambda it: it.write("words"),
        lambda it: (it.getvalue(), it.tell()),
    ),
    "bytes in memory": Thing(
        lambda: io.BytesIO(b"abc"),
        lambda it: it.write(b"words"),
        lambda it: (it.getvalue(), it.tell()),
    ),
    "a file that is read": Thing(an_open_file, lambda it: it.readline(), lambda it: it.tell()),
    "lines of a file": Thing(an_open_file, lambda it: next(it, None), lambda it: it.buffer.tell()),
    "a file that is written": Thing(
        lambda: an_open_file("w"), lambda it: it.write("words"), text_of
    ),
    "a logger": Thing(
        a_logger,
        change_logger,
        lambda it: (it.level, len(it.handlers), it.handlers[0].count),
    ),
    "a flag": Thing(
        threading.Event,
        lambda it: it.clear() if it.is_set() else it.set(),
        lambda it: it.is_set(),
    ),
    "what one thread has": Thing(
        threading.local, lambda it: setattr(it, "a", [1]), lambda it: repr(vars(it))
    ),
    "a queue between threads": Thing(
        queue.Queue, lambda it: it.put(1), lambda it: (it.qsize(), it.unfinished_tasks)
    ),
    "settings from a file": Thing(
        configparser.ConfigParser,
        lambda it: it.read_string("[a]\nb = 1"),
        lambda it: it.sections(),
    ),
    "an environment variable": Thing(
        lambda: None, lambda _: bump("GPUPERF_TRIED"), lambda _: os.environ.get("GPUPERF_TRIED")
    ),
    "the folder": Thing(
        lambda: None,
        lambda _: os.chdir("/usr" if Path.cwd() == Path("/") else "/"),
        lambda _: Path.cwd(),
    ),
    "where modules are found": Thing(
        lambda: None, lambda _: sys.path.append("/nowhere"), lambda _: len(sys.path)
    ),
    "which warnings are shown": Thing(
        lambda: None,
        lambda _: warnings.filterwarnings("ignore", f"word{len(warnings.filters)}"),
        lambda _: len(warnings.filters),
    ),
    "decimals": Thing(lambda: None, change_decimals, lambda _: decimal.getcontext().prec),
    "whether Python collects garbage": Thing(
        lambda: None,
        lambda _: gc.disable() if gc.isenabled() else gc.enable(),
        lambda _: gc.isenabled(),
    ),
}


def counting():
    number = 0
    while True:
        number += 1
        yield number


def under_way():
    made = counting()
    next(made)
    return made


NAMED = {
    "a counter that can't be set": Thing(lambda: itertools.count(5), next, repr),
    "a circle": Thing(lambda: itertools.cycle([1, 2, 3]), next),
    "an iterator that counts": Thing(lambda: enumerate([1] * 10_000), next),
    "an iterator of a dictionary": Thing(lambda: iter(dict.fromkeys(range(10_000))), next),
    "a generator": Thing(counting, next),
    "a generator under way": Thing(under_way, next),
    "a generator's children": Thing(lambda: np.random.default_rng(1), lambda it: it.spawn(1)),
    "seeds": Thing(lambda: np.random.SeedSequence(1), lambda it: it.spawn(1)),
    "a cache that is in use": Thing(
        lambda: [cache := in_an_empty_cache(), cache(0)][0], lambda it: it(1)
    ),
    "a file that is appended to": Thing(lambda: an_open_file("a"), lambda it: it.write("words")),
    "a file that is closed": Thing(an_open_file, lambda it: it.close()),
    "a lock": Thing(threading.Lock, lambda it: it.acquire(blocking=False)),
    "a simple queue": Thing(queue.SimpleQueue, lambda it: it.put(1)),
    "a sum over bytes": Thing(hashlib.md5, lambda it: it.update(b"a")),
    "a variable of a context": Thing(
        lambda: contextvars.ContextVar("calls"), lambda it: it.set(it.get(0) + 1)
    ),
    "a thread": Thing(lambda: threading.Thread(target=len, args=("",)), lambda it: it.start()),
}
