"""Waiting for the next change of something, in an event loop."""

import asyncio


class Change:
    """Wakes all that wait for it, each time that it is told."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def tell(self) -> None:
        """Wake those that wait."""
        event, self._event = self._event, asyncio.Event()
        event.set()

    async def wait(self) -> None:
        """Wait until it is told the next time."""
        await self._event.wait()
