"""Call a function with a module once the module is there: now, or when it is imported."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


class ImportHook(MetaPathFinder):
    """Waits for one module, which it never imports itself.

    Parameters
    ----------
    module_name
        The module's full name.
    loaded
        Called once with the module.
    """

    def __init__(self, module_name: str, loaded: Callable[[ModuleType], None]) -> None:
        self._name, self._loaded = module_name, loaded

    @property
    def waiting(self) -> bool:
        """Whether the module has yet to be imported."""
        return self in sys.meta_path

    def start(self) -> None:
        """Call the function now if the module is there, otherwise when it is imported."""
        module = sys.modules.get(self._name)
        if module is not None:
            with contextlib.suppress(Exception):  # a version with other internals stays unwatched
                self._loaded(module)
        elif not self.waiting:
            sys.meta_path.insert(0, self)

    def stop(self) -> None:
        """Wait no longer."""
        if self.waiting:
            sys.meta_path.remove(self)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the module's spec, whose loader also calls the function."""
        if name != self._name:
            return None
        sys.meta_path.remove(self)
        try:
            spec = importlib.util.find_spec(name)
        finally:
            sys.meta_path.insert(0, self)
        loader: Any = None if spec is None else spec.loader
        if loader is not None:
            execute = loader.exec_module

            def exec_module(module: ModuleType) -> None:
                # Restore the loader's own method, unless another hook on this module has.
                loader.__dict__.pop("exec_module", None)
                execute(module)
                self.stop()
                with contextlib.suppress(Exception):  # the user's import must not fail
                    self._loaded(module)

            loader.exec_module = exec_module
        return spec
