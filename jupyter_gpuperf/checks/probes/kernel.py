"""Collect facts in a running kernel, from loaded modules only; nothing is imported. Standard library only."""

from __future__ import annotations

import sys
from typing import Any

from jupyter_gpuperf.checks.probes.imports_probe import loaded_libraries, torch_facts


def kernel_facts(shell: Any = None) -> dict[str, Any]:  # IPython's shell
    """Return PyTorch's settings and this process's libraries if PyTorch is loaded, and the inline figure formats."""
    facts: dict[str, Any] = {}
    torch = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "_C") and hasattr(torch.cuda, "is_initialized"):
        facts["torch"] = {**torch_facts(torch), "initialized": torch.cuda.is_initialized()}
        facts["libraries"] = loaded_libraries()
    for each in getattr(shell, "configurables", []):
        if type(each).__name__ == "InlineBackend" and each.figure_formats:
            facts["inline_formats"] = sorted(each.figure_formats)
    return facts
