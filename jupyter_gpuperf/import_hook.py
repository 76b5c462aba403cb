"""Call a function with a module once the module is there: now, or when it is imported.

Each Python process of a script's run imports this module, so it imports nothing that Python has not loaded itself.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any


class ImportHook:
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
        self._is_asking = False

    @property
    def waiting(self) -> bool:
        """Whether the module has yet to be imported."""
        return self in sys.meta_path

    def start(self) -> None:
        """Call the function now if the module is there, otherwise when it is imported."""
        module = sys.modules.get(self._name)
        if module is not None:
            self._call(module)
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
        if name != self._name or self._is_asking:
            return None
        from importlib.util import find_spec

        # Stay in sys.meta_path: another thread that goes through it would skip a finder.
        self._is_asking = True
        try:
            spec = find_spec(name)
        finally:
            self._is_asking = False
        loader: Any = None if spec is None else spec.loader
        if loader is not None:
            execute = loader.exec_module

            def exec_module(module: ModuleType) -> None:
                # Restore the loader's own method, unless another hook on this module has.
                loader.__dict__.pop("exec_module", None)
                execute(module)
                self.stop()
                self._call(module)

            loader.exec_module = exec_module
        return spec

    def _call(self, module: ModuleType) -> None:
        from contextlib import suppress

        with suppress(Exception):  # the user's import must not fail; other internals stay unwatched
            self._loaded(module)
