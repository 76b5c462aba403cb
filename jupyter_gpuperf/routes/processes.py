"""``GET processes``: the processes on each device, and their notebooks."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.utils import ensure_async

from jupyter_gpuperf.routes.base import GpuPerfHandler
from jupyter_gpuperf.routes.operation import operation
from jupyter_gpuperf.schemas import KernelInfo, Processes

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp

    from jupyter_gpuperf.processes.attribution import RunningKernel


class ProcessesHandler(GpuPerfHandler):
    """``GET processes``: per device, each process with its notebook."""

    @operation(Processes)
    async def get(self) -> Processes:
        """Per device, its processes: pid, memory, SM utilization, user, command, age, kernel and notebook."""
        return await self.services.processes.read(await running_kernels(self))


async def running_kernels(owner: JupyterHandler | ServerApp) -> list[RunningKernel]:
    """Return a server's kernels, each with its notebook."""
    manager = owner.kernel_manager
    sessions: list[dict[str, Any]] = await ensure_async(owner.session_manager.list_sessions())
    by_kernel = {session["kernel"]["id"]: session for session in sessions}
    return [
        _running_kernel(manager, kernel_id, by_kernel.get(kernel_id))
        for kernel_id in manager.list_kernel_ids()
    ]


def _running_kernel(manager: Any, kernel_id: str, session: dict[str, Any] | None) -> RunningKernel:
    from jupyter_gpuperf.processes.attribution import RunningKernel

    kernel = manager.get_kernel(kernel_id)
    state = getattr(kernel, "execution_state", "unknown")
    idle_seconds = None
    if state == "idle" and getattr(kernel, "last_activity", None) is not None:
        idle_seconds = (datetime.now(timezone.utc) - kernel.last_activity).total_seconds()
    return RunningKernel(
        info=KernelInfo(
            kernel_id=kernel_id,
            kernel_name=kernel.kernel_name,
            execution_state=state,
            idle_seconds=idle_seconds,
            notebook_path=session["path"] if session else None,
            session_name=session["name"] if session else None,
        ),
        pid=_pid_of(kernel),
    )


def _pid_of(kernel: Any) -> int | None:
    # With other provisioners, such as containers or clusters, there is no local process.
    provisioner = getattr(kernel, "provisioner", None)
    process = getattr(provisioner, "process", None)
    pid = getattr(process, "pid", None) or getattr(provisioner, "pid", None)
    return pid if isinstance(pid, int) and pid > 0 else None
