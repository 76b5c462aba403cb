"""``recordings``: record readings, and download the files."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Final

from tornado.iostream import StreamClosedError

from jupyter_gpuperf.errors import NotFound
from jupyter_gpuperf.recordings.load import open_regular
from jupyter_gpuperf.routes.base import GpuPerfHandler
from jupyter_gpuperf.routes.operation import flag, operation
from jupyter_gpuperf.schemas import RecordingInfo, RecordingRequest, Recordings
from jupyter_gpuperf.server.threads import in_file_thread

PIECE_BYTES: Final = 1 << 18


class RecordingsHandler(GpuPerfHandler):
    """``GET recordings`` and ``POST recordings``."""

    @operation(Recordings)
    async def get(self) -> Recordings:
        """All recordings, latest first."""
        return Recordings(recordings=await in_file_thread(self.services.recordings.all))

    @operation(
        RecordingInfo, status=201, takes=RecordingRequest, optional_body=True, action="execute"
    )
    async def post(self, request: RecordingRequest) -> RecordingInfo:
        """Start a recording."""
        await self.services.wait_for_readings()  # the header lists the devices
        return await in_file_thread(lambda: self.services.recordings.start(request))


class RecordingHandler(GpuPerfHandler):
    """``GET recordings/<id>`` and ``DELETE recordings/<id>``."""

    @operation("application/gzip", flag("describe", "Return the RecordingInfo, not the file."))
    async def get(self, identifier: str, describe: bool) -> RecordingInfo | None:
        """The file, as far as it has been written."""
        info = await in_file_thread(lambda: self.services.recordings.get(identifier))
        if describe:
            return info
        # Send a growing file up to its current size.
        path = self.services.recordings.path_of(identifier)
        await self._send_file(path, info.size_bytes)
        return None

    @operation(RecordingInfo, flag("discard", "Delete the file as well."))
    async def delete(self, identifier: str, discard: bool) -> RecordingInfo:
        """Stop the recording and keep the file; the answer is the recording's last state."""
        shelf = self.services.recordings
        return await in_file_thread(partial(shelf.discard if discard else shelf.stop, identifier))

    async def _send_file(self, path: Path, size_bytes: int) -> None:
        try:
            file = await in_file_thread(lambda: open_regular(path))
        except (OSError, ValueError) as error:
            message, hint = "The file {name} is missing.", "Someone may have deleted it."
            raise NotFound("unknown_recording", message, hint, name=path.name) from error
        with file:
            self.set_header("Content-Type", "application/gzip")
            self.set_header("Content-Disposition", f'attachment; filename="{path.name}"')
            self.set_header("X-Content-Type-Options", "nosniff")
            self.set_header("Content-Length", str(size_bytes))
            remaining = size_bytes
            while remaining > 0:
                piece = await in_file_thread(partial(file.read, min(PIECE_BYTES, remaining)))
                if not piece:
                    break
                remaining -= len(piece)
                self.write(piece)
                try:
                    await self.flush()  # so that no more than one piece is in memory
                except StreamClosedError:
                    return
        self.finish()
