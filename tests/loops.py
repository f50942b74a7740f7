"""The event loop of a test, which ends only when every connection that was opened on it is closed.

A transport that nobody closes is reported by Python when the garbage is collected, which may happen
in another test, minutes later. Here the test that leaves one fails itself. A transport that was
closed still needs a round of the loop, or the peer's answer if it uses TLS: that is waited for. The
driver, for one, closes a TLS connection that the server has refused and does not wait for its end.
"""

import asyncio
from asyncio.sslproto import SSLProtocol
from typing import Any

from typing_extensions import override

CLOSE_SECONDS_MAX = 20


class StrictLoop(asyncio.SelectorEventLoop):
    """The loop of one test."""

    @override
    def close(self) -> None:
        left = [] if self.is_closed() else self.run_until_complete(self._never_closed())
        super().close()
        assert not left, f"this test never closed {', '.join(left)}"

    async def _never_closed(self) -> list[str]:
        """Wait for what closes, and describe what does not; nothing is open afterwards."""
        transports: list[Any] = list(self._transports.values())  # type: ignore[attr-defined]
        deadline = self.time() + CLOSE_SECONDS_MAX
        while any(is_open(transport) and is_closing(transport) for transport in transports):
            if self.time() > deadline:
                break
            await asyncio.sleep(0.001)
        left = [transport for transport in transports if is_open(transport)]
        for transport in left:
            transport.abort()
        await asyncio.sleep(0)  # an aborted transport closes in the loop's next round
        return [
            f"{transport!r} from {transport.get_extra_info('sockname')} "
            f"to {transport.get_extra_info('peername')}"
            for transport in left
        ]


def is_open(transport: asyncio.BaseTransport) -> bool:
    """Whether it still holds its socket."""
    return bool(transport.get_extra_info("socket").fileno() >= 0)


def is_closing(transport: Any) -> bool:  # noqa: ANN401 - asyncio has no public name for its kind
    """Whether it, or the TLS transport over it, has been closed."""
    protocol = transport.get_protocol()
    over_it = protocol._app_transport if isinstance(protocol, SSLProtocol) else transport
    return bool(transport.is_closing() or over_it.is_closing())
