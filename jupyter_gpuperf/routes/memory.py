"""``GET memory``: who holds a notebook's memory; ``GET`` and ``POST memory/free``: what can be freed, and free it."""

from __future__ import annotations

from typing import Final

from jupyter_server.utils import ensure_async
from tornado.web import HTTPError

from jupyter_gpuperf.errors import BadRequest
from jupyter_gpuperf.routes.base import NOT_AUTHORIZED, GpuPerfHandler
from jupyter_gpuperf.routes.operation import Query, operation
from jupyter_gpuperf.schemas import FreeableMemory, FreedMemory, FreeRequest, KernelMemory

KERNEL: Final = Query(name="kernel", help="The kernel's id.", default="")


class KernelHandler(GpuPerfHandler):
    """Base of the routes that ask a kernel: its names are shown only to those who may use kernels."""

    async def checked(self, kernel: str, action: str) -> str:
        """Return the kernel's id, if the user may do this with kernels, as Jupyter's own routes require.

        Raises
        ------
        BadRequest
            ``kernel_missing``.
        """
        allowed = self.authorizer.is_authorized(self, self.current_user, action, "kernels")
        if not await ensure_async(allowed):
            raise HTTPError(403, f"User {NOT_AUTHORIZED} to {action} kernels")
        if not kernel:
            hint = "Add ?kernel= with an id from GET api/kernels."
            raise BadRequest("kernel_missing", "No kernel is given.", hint)
        return kernel


class MemoryHandler(KernelHandler):
    """``GET memory``: who holds a notebook's memory."""

    @operation(KernelMemory, KERNEL)
    async def get(self, kernel: str) -> KernelMemory:
        """Who holds a notebook's device memory, the largest first, as `gpuperf.memory()` in its kernel.

        The kernel answers also while a cell runs. If it can't, the answer is an earlier one: see `age_seconds`.
        """
        return await self.services.memory.owners(await self.checked(kernel, "read"))


class FreeHandler(KernelHandler):
    """``GET memory/free`` and ``POST memory/free``."""

    @operation(FreeableMemory, KERNEL)
    async def get(self, kernel: str) -> FreeableMemory:
        """What freeing would clear in a notebook, and how many bytes only that keeps alive."""
        return await self.services.memory.freeable(await self.checked(kernel, "execute"))

    @operation(FreedMemory, takes=FreeRequest, action="execute")
    async def post(self, request: FreeRequest) -> FreedMemory:
        """Do what `%gpumem free` does in a notebook: clear its history of results and its last exception."""
        return await self.services.memory.free(await self.checked(request.kernel, "execute"))
