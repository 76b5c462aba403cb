"""The look calls none of the user's code, raises nothing, and keeps nothing."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import time
import weakref

import pytest
import torch

import jupyter_gpuperf
from jupyter_gpuperf.device_memory.notebook import Notebook
from jupyter_gpuperf.device_memory.report import memory_report
from jupyter_gpuperf.errors import NotFound

HOSTILE = """
called = []

class Meta(type):
    def __hash__(cls): called.append("meta hash"); raise RuntimeError
    def __eq__(cls, other): called.append("meta eq"); raise RuntimeError
    def __getattribute__(cls, name):
        if name not in ("__new__", "__init__", "__set_name__"):
            called.append(f"meta {name}")
        return super().__getattribute__(name)

class Hostile(metaclass=Meta):
    def __getattribute__(self, name): called.append(name); raise RuntimeError
    def __getattr__(self, name): called.append(name); raise RuntimeError
    def __len__(self): called.append("len"); raise RuntimeError
    def __bool__(self): called.append("bool"); raise RuntimeError
    def __eq__(self, other): called.append("eq"); raise RuntimeError
    def __hash__(self): called.append("hash"); raise RuntimeError
    def __repr__(self): called.append("repr"); raise RuntimeError
    def __iter__(self): called.append("iter"); raise RuntimeError
    @property
    def __class__(self): called.append("class"); raise RuntimeError
    @property
    def __dict__(self): called.append("dict"); raise RuntimeError

class Key:
    def __repr__(self): called.append("key repr"); raise RuntimeError

class List(list):
    def __iter__(self): called.append("list iter"); raise RuntimeError
    def __len__(self): called.append("list len"); raise RuntimeError

class Dict(dict):
    def items(self): called.append("items"); raise RuntimeError
    def __getitem__(self, key): called.append("getitem"); raise RuntimeError

class Tensor(torch.Tensor):
    @classmethod
    def __torch_function__(cls, *arguments): called.append("torch function"); raise RuntimeError
    def numel(self): called.append("numel"); raise RuntimeError
    @property
    def grad_fn(self): called.append("grad_fn"); raise RuntimeError

class Wrapper(torch.Tensor):
    @staticmethod
    def __new__(cls, inner):
        return torch.Tensor._make_wrapper_subclass(cls, inner.shape, dtype=inner.dtype)
    def __init__(self, inner): self.inner = inner
    @classmethod
    def __torch_dispatch__(cls, *arguments): called.append("dispatch"); raise RuntimeError

def planted(size): return torch.zeros(size)

hostile = object.__new__(Hostile)
object.__setattr__(hostile, "kept", planted(400_000))
items, keyed, mapped = List([planted(400_001)]), {Key(): planted(400_002)}, Dict(a=planted(400_003))
odd = planted(400_004).as_subclass(Tensor)
wrapped = Wrapper(planted(400_005))
from torch._subclasses.fake_tensor import FakeTensorMode
with FakeTensorMode():
    fake = torch.empty(10**9, device="cuda")
meta = torch.empty(10**9, device="meta")
sparse = torch.eye(400).to_sparse()
import weakref
class Plain: pass
plain = Plain()
proxy = weakref.proxy(plain)
del plain
def packing(value): return (value.detach(),)
def unpacking(value): called.append("unpack"); raise RuntimeError
with torch.autograd.graph.saved_tensors_hooks(packing, unpacking):
    loss = planted(400_006).requires_grad_().exp().sum()
called.clear()
"""


def test_no_code_of_the_user_is_called(cells):
    cells.run(HOSTILE)
    holders = {each for _, _, names in cells.owners() for each in names}
    assert cells.shell.user_ns["called"] == []
    assert {"items[0]", "keyed[Key]", "mapped['a']", "odd", "wrapped.inner"} <= holders
    assert any(each.startswith("hostile") for each in holders)
    assert "loss → graph" in holders


def test_keys_of_any_size_are_written_short_and_as_text(cells):
    cells.run("held = {10**10000: torch.zeros(N)}")
    assert cells.only_owner()[2] == ["held[int]"]
    cells.run("held = {'<b>' + 'x' * 10**6: torch.zeros(N)}")
    assert len(cells.only_owner()[2][0]) < 60
    page = jupyter_gpuperf.memory("cpu")._repr_html_()
    assert "&lt;b&gt;" in page
    assert "<b>x" not in page


def test_what_was_found_is_not_kept_alive(cells):
    class Marked(torch.Tensor):
        pass

    tensor = torch.zeros(300_000).as_subclass(Marked)
    cells.shell.user_ns["held"] = {"deep": [tensor]}
    gone = weakref.ref(tensor)
    del tensor
    gc.disable()
    report = memory_report(Notebook(cells.shell))
    assert any(each.name == "held" for each in report.owners)
    del cells.shell.user_ns["held"]
    assert gone() is None


def test_reading_an_ended_function_s_variables_does_not_keep_them(cells, monkeypatch):
    """Until Python 3.12, ``frame.f_locals`` is a copy that lives as long as the frame."""
    kept = []

    def step():
        images = torch.zeros(300_000)
        kept.append(weakref.ref(images))
        raise KeyError

    with pytest.raises(KeyError) as error:
        step()
    monkeypatch.setattr(sys, "last_value", error.value, raising=False)
    kind, _, holders = cells.only_owner()
    assert kind == "exception"
    assert holders[0].endswith(" images")
    error.value.__traceback__.tb_next.tb_frame.clear()
    assert kept[0]() is None


def test_another_thread_may_change_everything_meanwhile(cells):
    names, ends = cells.shell.user_ns, threading.Event()
    names["growing"] = growing = {}

    def change():
        while not ends.is_set():
            growing[len(growing)] = torch.zeros(10)
            if len(growing) > 500:
                growing.clear()

    thread = threading.Thread(target=change)
    thread.start()
    try:
        for _ in range(5):
            assert memory_report(Notebook(cells.shell)).device == "cpu"
    finally:
        ends.set()
        thread.join()


def test_a_million_numbers_are_passed_over(cells):
    cells.run("numbers = list(range(1_000_000))\nheld = torch.zeros(N)")
    began = time.thread_time()
    assert cells.only_owner()[1] == "held"
    assert (
        time.thread_time() - began < 10
    )  # it hangs, or it doesn't; speed is measured in tests/perf


def test_without_torch_there_is_nothing_to_report():
    code = (
        "import sys, jupyter_gpuperf\n"
        "report = jupyter_gpuperf.memory().to_dict()\n"
        "assert 'torch' not in sys.modules\n"
        "assert report['owners'] == [] and report['attributed_ratio'] is None\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_shape_is_the_documented_one(cells):
    cells.run("held = torch.zeros(N)")
    report = jupyter_gpuperf.memory().to_dict()
    assert report["device"] == "cpu"
    for name in ("reserved_bytes", "free_bytes", "total_bytes", "attributed_ratio"):
        assert report[name] is None
    assert report["allocated_bytes"] == sum(each["bytes"] for each in report["owners"])
    assert {"kind", "name", "bytes", "holders"} == report["owners"][0].keys()


def test_an_unknown_device_is_refused():
    for name in ("cuda:7", "tpu", "meta"):
        with pytest.raises(NotFound):
            jupyter_gpuperf.memory(name)
