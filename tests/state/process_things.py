"""Files, memory and settings of the process that code changes; and what can't be put back."""

from __future__ import annotations

import array
import configparser
import contextlib
import contextvars
import ctypes
import decimal
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
import warnings
from pathlib import Path

import numpy as np
from things import Thing


class Handler(logging.Handler):
    count = 0

    def emit(self, record):
        self.count += 1


def in_an_empty_cache():
    return functools.lru_cache(lambda number: [number])


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


OPENED = contextlib.ExitStack()
"""Closes the files at the end of a test."""


def an_open_file(mode="r"):
    path = Path(OPENED.enter_context(tempfile.TemporaryDirectory())) / "file"
    path.write_text("one\ntwo\nthree\n")
    return OPENED.enter_context(path.open(mode))


def bump(name):
    os.environ[name] = os.environ.get(name, "") + "1"


def change_decimals(_):
    decimal.getcontext().prec += 1


def counting():
    number = 0
    while True:
        number += 1
        yield number


def under_way():
    made = counting()
    next(made)
    return made


PROCESS_THINGS = {
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
    "a file that is read and written": Thing(
        lambda: an_open_file("r+"), lambda it: it.readline(), lambda it: it.tell()
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


LOST_THINGS = {
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
    "an empty cache": Thing(in_an_empty_cache, lambda it: it(1)),
    "a file that is written": Thing(lambda: an_open_file("w"), lambda it: it.write("words")),
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
