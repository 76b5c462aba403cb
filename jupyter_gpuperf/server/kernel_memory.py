"""Ask notebooks' kernels who holds their memory; keep their latest answers, and whether they ran out of memory."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal

import msgspec

from jupyter_gpuperf.errors import GpuPerfError, NotFound, Unavailable
from jupyter_gpuperf.kernel_link.router import KernelSession
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.rules.rule_input import OutOfMemoryCell
from jupyter_gpuperf.schemas import (
    ErrorInfo,
    FreeableMemory,
    FreedMemory,
    KernelMemory,
    MemoryReport,
)
from jupyter_gpuperf.schemas.kernel_link import (
    Attached,
    MemoryAnswer,
    MemoryFailure,
    MemoryRequest,
)

ANSWER_SECONDS: Final = 10.0
"""How long to wait for an answer: a call that holds the kernel's interpreter delays it."""
FREE_SECONDS: Final = 60.0
LOST_SECONDS: Final = 120.0
"""What is not answered for this long is asked again."""
KEPT_SECONDS: Final = 1.0
"""How long an answer is reused."""
FAILURE_SECONDS: Final = 900.0
"""How long a failure is reported if the memory does not come free and the kernel is not restarted."""

_GONE: Final = ErrorInfo(
    code="kernel_gone",
    message=Message("The notebook's kernel ended or was restarted."),
    hint=Message("Run %load_ext jupyter_gpuperf in it."),
)

Action = Literal["owners", "freeable", "free"]


@dataclass(eq=False)
class _Question:
    number: int
    asked_at: float
    answer: asyncio.Future[MemoryAnswer]
    """All who ask meanwhile share it."""


@dataclass(eq=False)
class _Kernel:
    id: str
    path: str | None
    questions: dict[Action, _Question] = field(default_factory=dict)
    report: MemoryReport | None = None
    reported_at: float = 0.0
    failure: OutOfMemoryCell | None = None
    failed_at: float = 0.0


class KernelMemoryReader:
    """Methods run on the event loop, except for :meth:`failures`.

    Parameters
    ----------
    answer_seconds
        How long to wait for an answer.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        *,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        self._clock, self._answer_seconds = clock, answer_seconds
        self._kernels: dict[KernelSession, _Kernel] = {}
        self._numbers = itertools.count(1)

    def attach(self, session: KernelSession, attached: Attached) -> None:
        """Take a kernel that answers. Of several processes with one id, the first is the kernel."""
        if session not in self._kernels:
            session.on_close(lambda: self._detach(session))
            self._kernels[session] = _Kernel(attached.kernel_id, attached.notebook_path)

    def take(self, session: KernelSession, answer: MemoryAnswer) -> None:
        """Take a kernel's answer."""
        kernel = self._kernels.get(session)
        if kernel is None:
            return
        for action, question in list(kernel.questions.items()):
            if question.number == answer.number:
                del kernel.questions[action]
                if not question.answer.done():
                    question.answer.set_result(answer)
        if answer.owners is not None:
            kernel.report, kernel.reported_at = answer.owners, self._clock()

    def take_failure(self, session: KernelSession, failed: MemoryFailure) -> None:
        """Keep that a cell ran out of memory, until the memory came free."""
        kernel = self._kernels.get(session)
        if kernel is None:
            return
        kernel.failed_at = self._clock()
        kernel.failure = None
        if (failure := failed.failure) is not None:
            uuid, path = failed.device_uuid, kernel.path
            kernel.failure = OutOfMemoryCell(
                device=uuid, pid=session.pid, notebook=path, failure=failure
            )

    def failures(self) -> tuple[OutOfMemoryCell, ...]:
        """Return the cells that ran out of memory lately. Any thread may call this."""
        since = self._clock() - FAILURE_SECONDS
        kernels = list(self._kernels.values())
        return tuple(x.failure for x in kernels if x.failure is not None and x.failed_at >= since)

    async def owners(self, kernel_id: str) -> KernelMemory:
        """Return who holds a kernel's memory; an earlier answer, if the kernel does not answer now.

        Raises
        ------
        NotFound
            ``kernel_not_attached``.
        Unavailable
            ``kernel_not_answering``.
        """
        from jupyter_gpuperf.display.memory_view import KINDS  # slow to import

        session, kernel = self._of(kernel_id)
        if kernel.report is None or self._clock() - kernel.reported_at > KEPT_SECONDS:
            try:
                await self._ask(session, "owners", self._answer_seconds)
            except Unavailable:
                if kernel.report is None:
                    raise
        if kernel.report is None:
            raise _not_understood()
        fields = msgspec.structs.asdict(kernel.report)
        age_seconds = max(0.0, self._clock() - kernel.reported_at)
        labels = {each.kind: KINDS.get(each.kind, each.kind) for each in kernel.report.owners}
        return KernelMemory(**fields, kernel=kernel_id, age_seconds=age_seconds, labels=labels)

    async def freeable(self, kernel_id: str) -> FreeableMemory:
        """Return what :meth:`free` would clear. Raises as :meth:`owners` does."""
        answer = await self._ask(self._of(kernel_id)[0], "freeable", FREE_SECONDS)
        if answer.freeable is None:
            raise _not_understood()
        return answer.freeable

    async def free(self, kernel_id: str) -> FreedMemory:
        """Clear the notebook's history and its last exception. Raises as :meth:`owners` does."""
        session, kernel = self._of(kernel_id)
        answer = await self._ask(session, "free", FREE_SECONDS)
        kernel.report = None
        if answer.freed is None:
            raise _not_understood()
        return answer.freed

    async def _ask(self, session: KernelSession, action: Action, seconds: float) -> MemoryAnswer:
        kernel = self._kernels[session]
        question = kernel.questions.get(action)
        now = self._clock()
        if question is None or now - question.asked_at > LOST_SECONDS:
            number, answer = next(self._numbers), asyncio.get_running_loop().create_future()
            question = kernel.questions[action] = _Question(number, now, answer)
            session.send(MemoryRequest(number=number, action=action), topic=action)
        await asyncio.wait([question.answer], timeout=seconds)
        if not question.answer.done():
            raise Unavailable(
                "kernel_not_answering",
                "The notebook's kernel did not answer within {seconds:.0f} s.",
                "A call that blocks Python is running in it. Try again when it has returned.",
                seconds=seconds,
            )
        found = question.answer.result()
        if (error := found.error) is not None:
            raise Unavailable(error.code, error.message, error.hint)
        return found

    def _of(self, kernel_id: str) -> tuple[KernelSession, _Kernel]:
        for session, kernel in self._kernels.items():
            if kernel.id == kernel_id:
                return session, kernel
        message = "This notebook does not answer questions about its memory."
        raise NotFound("kernel_not_attached", message, "Run %load_ext jupyter_gpuperf in it.")

    def _detach(self, session: KernelSession) -> None:
        kernel = self._kernels.pop(session)
        for question in kernel.questions.values():
            if not question.answer.done():
                question.answer.set_result(MemoryAnswer(number=question.number, error=_GONE))


def _not_understood() -> GpuPerfError:
    hint = "Kernel and server may run different versions: restart both."
    return Unavailable("kernel_not_understood", "The kernel's answer could not be read.", hint)
