"""The recommendation as a line of code that runs as it stands. Standard library only at module level."""

from __future__ import annotations

from typing import Any

from jupyter_gpuperf.tuning.setting import Setting
from jupyter_gpuperf.tuning.subject import Subject


def code_of(subject: Subject, setting: Setting) -> str:
    """Return the line that makes the user's loader anew in this setting."""
    own, name = subject.own, subject.name
    source = f"{name}.dataset" if own is not None else name
    parts = [source, *_sampling_code(subject, name)]
    for each, standard in (("collate_fn", None), ("worker_init_fn", None), ("generator", None)):
        if own is not None and _is_own(own, each, standard):
            parts.append(f"{each}={name}.{each}")
    parts.append(f"num_workers={setting.num_workers}")
    if setting.num_workers:
        parts.append(f"prefetch_factor={setting.prefetch_factor}")
    parts.append(f"pin_memory={setting.pin_memory}")
    parts += _worker_code(own, name, setting)
    target = name if own is not None else "loader"
    return f"{target} = torch.utils.data.DataLoader({', '.join(parts)})"


def _worker_code(own: Any, name: str, setting: Setting) -> list[str]:
    if not setting.num_workers:
        return []
    parts = [f"persistent_workers={setting.persistent_workers}"]
    if setting.start_method:
        parts.append(f"multiprocessing_context={setting.start_method!r}")
    if not setting.in_order:
        parts.append("in_order=False")
    if own is not None and own.timeout:
        parts.append(f"timeout={name}.timeout")
    return parts


def _sampling_code(subject: Subject, name: str) -> list[str]:
    from torch.utils.data import BatchSampler, RandomSampler, SequentialSampler

    own = subject.own
    if own is None:
        shuffled = [] if subject.is_stream else ["shuffle=True"]
        return [f"batch_size={subject.batch_size}", *shuffled]
    if subject.is_stream or own.batch_sampler is None:
        size = [f"batch_size={own.batch_size and subject.batch_size}"]
        drop = ["drop_last=True"] if own.drop_last else []
        return [*size, *([] if subject.is_stream else [f"sampler={name}.sampler"]), *drop]
    if type(own.batch_sampler) is not BatchSampler:
        return [f"batch_sampler={name}.batch_sampler"]
    parts = [f"batch_size={subject.batch_size}"]
    sampler = own.batch_sampler.sampler
    if type(sampler) is RandomSampler and not sampler.replacement:
        parts.append("shuffle=True")
    elif type(sampler) is not SequentialSampler:
        parts.append(f"sampler={name}.sampler")
    return [*parts, *(["drop_last=True"] if own.batch_sampler.drop_last else [])]


def _is_own(loader: Any, option: str, standard: object) -> bool:
    value = getattr(loader, option, None)
    module = str(getattr(value, "__module__", ""))
    return value is not standard and not module.startswith("torch.utils.data._utils")
