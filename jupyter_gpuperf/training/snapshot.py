"""Keeps what a step changes, and puts it back to the bit, into the same tensors."""

from __future__ import annotations

import copy
import random
import sys
from collections.abc import Callable
from typing import Any

from jupyter_gpuperf.training.step_state import PLAIN, Reached


class Snapshot:
    """The state at this moment; :meth:`restore` may be called any number of times.

    It costs the memory of the model and its optimizer once more, where they lie.

    Parameters
    ----------
    loaders
        Whose generators are part of the random state.
    """

    def __init__(self, torch: Any, reached: Reached, loaders: tuple[Any, ...] = ()) -> None:
        self._torch = torch
        self._restores: list[Callable[[], None]] = []
        self._known: dict[int, Any] = {}
        for module in reached.modules:
            self._keep_module(module)
        for optimizer in reached.optimizers:
            self._keep_optimizer(optimizer)
        for tensor in reached.tensors:
            self._keep_tensor(tensor)
        self._restores += map(_of_state_dict, reached.stateful)
        self._restores += map(_of_container, reached.containers)
        self._restores += map(_of_attributes, reached.objects)
        self._restores += [_of_name(*each) for each in reached.globals]
        self._restores += map(_of_cell, reached.cells)
        self._keep_random(reached, loaders)

    def restore(self) -> None:
        """Put everything back."""
        with self._torch.no_grad():
            for restore in self._restores:
                restore()

    def _keep_module(self, module: Any) -> None:
        for part in module.modules():
            if id(part) in self._known:
                continue
            self._known[id(part)] = part
            self._restores.append(_of_module(part))
            for tensor in (*part._parameters.values(), *part._buffers.values()):
                if tensor is not None:
                    self._keep_tensor(tensor)

    def _keep_optimizer(self, optimizer: Any) -> None:
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                self._keep_tensor(parameter)
        self._restores.append(_of_optimizer(optimizer, self._torch))

    def _keep_tensor(self, tensor: Any) -> None:
        if id(tensor) in self._known:
            return
        self._known[id(tensor)] = tensor
        kept = tensor.detach().clone()
        gradient = tensor.grad if tensor.is_leaf else None
        kept_gradient = None if gradient is None else gradient.detach().clone()

        def restore() -> None:
            tensor.detach().copy_(kept)
            if gradient is not None:
                gradient.detach().copy_(kept_gradient)
            if tensor.is_leaf:
                tensor.grad = gradient

        self._restores.append(restore)

    def _keep_random(self, reached: Reached, loaders: tuple[Any, ...]) -> None:
        torch = self._torch
        python, cpu = random.getstate(), torch.get_rng_state()
        cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None
        numpy = sys.modules.get("numpy")
        legacy = None if numpy is None else numpy.random.get_state()
        generators = [*reached.generators]
        for loader in loaders:
            for holder in (loader, getattr(loader, "sampler", None)):
                generator = getattr(holder, "generator", None)
                if isinstance(generator, torch.Generator):
                    generators.append(generator)
        states = [(each, each.get_state()) for each in generators]

        def restore() -> None:
            random.setstate(python)
            torch.set_rng_state(cpu)
            if cuda is not None:
                torch.cuda.set_rng_state_all(cuda)
            if numpy is not None:
                numpy.random.set_state(legacy)
            for generator, state in states:
                generator.set_state(state)

        self._restores.append(restore)


def _of_module(module: Any) -> Callable[[], None]:
    plain = {name: value for name, value in vars(module).items() if isinstance(value, PLAIN)}
    parameters, buffers = dict(module._parameters), dict(module._buffers)

    def restore() -> None:
        vars(module).update(plain)  # training or not, and counters of the user's own
        for place, kept in ((module._parameters, parameters), (module._buffers, buffers)):
            place.clear()
            place.update(kept)

    return restore


def _of_optimizer(optimizer: Any, torch: Any) -> Callable[[], None]:
    state = {
        parameter: {name: _kept(value, torch) for name, value in entries.items()}
        for parameter, entries in optimizer.state.items()
    }
    groups = [
        {name: _kept(value, torch) for name, value in group.items() if name != "params"}
        for group in optimizer.param_groups
    ]
    plain = {
        name: value for name, value in vars(optimizer).items() if isinstance(value, (bool, int))
    }

    def restore() -> None:
        optimizer.state.clear()
        for parameter, entries in state.items():
            optimizer.state[parameter] = {name: back() for name, back in entries.items()}
        for group, kept in zip(optimizer.param_groups, groups, strict=True):
            for name in group.keys() - kept.keys() - {"params"}:
                del group[name]
            group.update({name: back() for name, back in kept.items()})
        for name, value in plain.items():
            setattr(optimizer, name, value)

    return restore


def _kept(value: Any, torch: Any) -> Callable[[], Any]:
    """Keep a value; what is returned gives it back, a tensor as the same one."""
    if not isinstance(value, torch.Tensor):
        plain = copy.deepcopy(value)
        return lambda: copy.deepcopy(plain)
    kept = value.detach().clone()

    def back() -> Any:
        value.detach().copy_(kept)
        return value

    return back


def _of_state_dict(thing: Any) -> Callable[[], None]:
    kept = copy.deepcopy(thing.state_dict())
    return lambda: thing.load_state_dict(copy.deepcopy(kept))


def _of_container(container: Any) -> Callable[[], None]:
    kept = copy.copy(container)

    def restore() -> None:
        container.clear()
        if isinstance(container, list):
            container.extend(kept)
        else:
            container.update(kept)

    return restore


def _of_attributes(thing: Any) -> Callable[[], None]:
    kept = dict(vars(thing))

    def restore() -> None:
        vars(thing).clear()
        vars(thing).update(kept)

    return restore


def _of_name(namespace: dict[str, Any], name: str) -> Callable[[], None]:
    kept = namespace[name]

    def restore() -> None:
        namespace[name] = kept

    return restore


def _of_cell(cell: Any) -> Callable[[], None]:
    try:
        kept = cell.cell_contents
    except ValueError:  # not yet bound
        return lambda: None

    def restore() -> None:
        cell.cell_contents = kept

    return restore
