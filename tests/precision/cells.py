"""Cells to profile, outside of a notebook."""

from __future__ import annotations

from namespaces import notebook

from jupyter_gpuperf.precision.options import ProfileOptions
from jupyter_gpuperf.precision.profile import run_profile
from jupyter_gpuperf.precision.profiled_code import ProfiledCode

STEP = """
optimizer.zero_grad()
outputs = helper()
loss = outputs.float().square().mean()
loss.backward()
optimizer.step()
"""
QUICK = ProfileOptions(modes=("fp32", "bf16"), time_limit_seconds=0.2, steps=4, numerics=False)


def profiled(code=STEP, options=QUICK, **names):
    ns = {**notebook(), **names}
    compiled = compile(code, "<cell>", "exec")
    subject = ProfiledCode(
        body=lambda: exec(compiled, ns),
        namespace=ns,
        code=compiled,
        hidden=frozenset({"__builtins__", "__name__"}),
    )
    return run_profile(subject, options)
