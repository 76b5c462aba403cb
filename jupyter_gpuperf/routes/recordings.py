"""What happened here: ``recordings``, to keep, to send and to replay."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Final

from jupyter_server.auth.decorator import authorized
from tornado import web
from tornado.iostream import StreamClosedError

from jupyter_gpuperf.errors import NotFound
from jupyter_gpuperf.routes.base import GpuPerfHandler
from jupyter_gpuperf.schemas import RecordingRequest, Recordings
from jupyter_gpuperf.server.threads import in_thread

PIECE_BYTES: Final = 1 << 18


class RecordingsHandler(GpuPerfHandler):
    """``GET recordings`` and ``POST recordings``."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer :class:`schemas.Recordings`, newest first."""
        self.answer(Recordings(recordings=await in_thread(self.services.recordings.all)))

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Begin one: takes :class:`schemas.RecordingRequest` or nothing, answers 201 and it."""
        request = self.body_as(RecordingRequest) if self.request.body else RecordingRequest()
        await self.services.fresh()  # its header names the devices
        self.answer(await in_thread(lambda: self.services.recordings.start(request)), status=201)


class RecordingHandler(GpuPerfHandler):
    """``GET recordings/<id>`` and ``DELETE recordings/<id>``."""

    @web.authenticated
    @authorized
    async def get(self, identifier: str) -> None:
        """Send the file, as far as it is written; ``?describe=1``: :class:`schemas.RecordingInfo`."""
        info = await in_thread(lambda: self.services.recordings.get(identifier))
        if self.get_query_argument("describe", "") not in ("", "0"):
            self.answer(info)
            return
        # A file that grows meanwhile is sent up to its size of now.
        await self._send_file(Path(info.path), info.size_bytes)

    @web.authenticated
    @authorized
    async def delete(self, identifier: str) -> None:
        """Stop it and keep the file; ``?discard=1``: delete the file. Answers it as it was."""
        shelf = self.services.recordings
        discard = self.get_query_argument("discard", "") not in ("", "0", "false")
        act = shelf.discard if discard else shelf.stop
        self.answer(await in_thread(lambda: act(identifier)))

    async def _send_file(self, path: Path, size_bytes: int) -> None:
        try:
            file = await in_thread(lambda: path.open("rb"))
        except OSError as error:
            raise NotFound(
                "unknown_recording", f"The file {path.name} is gone.", "Somebody deleted it."
            ) from error
        with file:
            self.set_header("Content-Type", "application/gzip")
            self.set_header("Content-Disposition", f'attachment; filename="{path.name}"')
            self.set_header("X-Content-Type-Options", "nosniff")
            self.set_header("Content-Length", str(size_bytes))
            remaining = size_bytes
            while remaining > 0:
                piece = await in_thread(partial(file.read, min(PIECE_BYTES, remaining)))
                if not piece:
                    break
                remaining -= len(piece)
                self.write(piece)
                try:
                    await self.flush()  # so that no more than a piece is in memory
                except StreamClosedError:
                    return
        self.finish()
