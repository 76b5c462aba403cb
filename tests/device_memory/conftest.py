"""A notebook without a kernel: IPython's shell, in which cells run."""

from __future__ import annotations

import gc
import sys

import pytest

torch = pytest.importorskip("torch")

from IPython.core.interactiveshell import InteractiveShell

from jupyter_gpuperf.client.memory import memory

COUNT = 300_000
"""Numbers in the tensors that tests plant: much more than all others have."""


class Cells:
    """Runs cells as a user does."""

    def __init__(self) -> None:
        self.shell = InteractiveShell.instance()
        self.run(f"import torch\nfrom torch import nn\nN = {COUNT}")

    def run(self, code):
        return self.shell.run_cell(code, store_history=True)

    def owners(self, least_bytes=COUNT):
        """Return the owners of what tests plant, as kind, name and holders."""
        found = memory("cpu").to_dict()["owners"]
        return [(e["kind"], e["name"], e["holders"]) for e in found if e["bytes"] >= least_bytes]

    def forget(self):
        """Drop everything: one test's tensors must not be found in the next."""
        self.shell.user_ns_hidden.clear()
        self.shell.reset(new_session=False)
        self.shell.InteractiveTB.tb = None
        for name in ("last_exc", "last_type", "last_value", "last_traceback"):
            vars(sys).pop(name, None)

    def only_owner(self):
        found = self.owners()
        assert len(found) == 1, found
        return found[0]


@pytest.fixture
def cells(capsys):
    InteractiveShell.clear_instance()
    cells = Cells()
    yield cells
    cells.forget()
    InteractiveShell.clear_instance()
    gc.enable()
    gc.collect()
