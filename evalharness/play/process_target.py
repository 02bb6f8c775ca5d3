"""A command as the system under test: JSON lines over its standard input and output, one process per worker."""

from __future__ import annotations

import asyncio
import json
import shlex
from dataclasses import dataclass, field

from evalharness.core.dialogue import Message
from evalharness.play.target import Asked, TargetCause, TargetError, read_reply

_LINE_LIMIT = 16 << 20


@dataclass
class ProcessTarget:
    """Runs ``command`` (no shell) and talks to it; after a crash or a time-out the next reply gets a fresh process."""

    command: str
    timeout: float
    _process: asyncio.subprocess.Process | None = field(default=None, init=False)

    async def reply(self, asked: Asked) -> tuple[Message, ...]:
        """Write one line, read one line."""
        try:
            async with asyncio.timeout(self.timeout):
                line = await self._exchange(asked.to_json())
        except TimeoutError:
            await self.close()
            raise TargetError(TargetCause.TIMEOUT, f"no line within {self.timeout:g} s") from None
        try:
            return read_reply(json.loads(line))
        except ValueError:
            raise TargetError(TargetCause.BAD_REPLY, "the line it wrote is not JSON") from None

    async def close(self) -> None:
        """End the process, by force if closing its input does not."""
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            async with asyncio.timeout(1.0):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

    async def _exchange(self, request: str) -> bytes:
        process = await self._running()
        assert process.stdin is not None and process.stdout is not None
        try:
            process.stdin.write(request.encode("utf-8", "surrogatepass") + b"\n")
            await process.stdin.drain()
            line = await process.stdout.readline()
        except (ConnectionError, BrokenPipeError):
            line = b""
        except ValueError:
            await self.close()
            raise TargetError(TargetCause.BAD_REPLY, f"its line is longer than {_LINE_LIMIT} bytes") from None
        if not line.strip():
            code = await process.wait() if process.stdout.at_eof() else None
            await self.close()
            ended = "wrote an empty line" if code is None else f"ended with exit code {code}"
            raise TargetError(TargetCause.CRASHED, f"the process {ended}")
        return line

    async def _running(self) -> asyncio.subprocess.Process:
        if self._process is None or self._process.returncode is not None:
            try:
                self._process = await asyncio.create_subprocess_exec(
                    *shlex.split(self.command),
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    limit=_LINE_LIMIT,
                )
            except OSError as fault:
                raise TargetError(TargetCause.CRASHED, f"it can't be started: {fault.strerror}") from None
        return self._process
