"""The opening of a connection to an endpoint: its name, the addresses it may have, TLS."""

import asyncio
import socket
import ssl
from typing import Final

from app.edges.webhooks.addresses import AddressRefusedError, addresses_of, place_of
from app.edges.webhooks.attempts import ADDRESS_REFUSED, NAME_UNKNOWN, NO_TLS, NOT_CONNECTED
from app.edges.webhooks.connection import Connection, OnAnswer, OnLost
from app.edges.webhooks.endpoint import EndpointChoice

CONNECT_SECONDS_MAX: Final = 5


async def opened_connection(
    choice: EndpointChoice,
    tls: ssl.SSLContext,
    on_answer: OnAnswer,
    on_lost: OnLost,
) -> Connection | str:
    """Return a connection that has begun, or what became of the attempt."""
    place = place_of(choice.url)
    try:
        addresses = await addresses_of(
            place, choice.networks, may_be_loopback=choice.may_be_loopback
        )
        async with asyncio.timeout(CONNECT_SECONDS_MAX):
            _, connection = await asyncio.get_running_loop().create_connection(
                lambda: Connection(on_answer, on_lost),
                addresses[0],
                place.port,
                ssl=tls if place.is_tls else None,
                server_hostname=place.host if place.is_tls else None,
            )
    except AddressRefusedError:
        return ADDRESS_REFUSED
    except ssl.SSLError:
        return NO_TLS
    except OSError as error:
        return NAME_UNKNOWN if isinstance(error, socket.gaierror) else NOT_CONNECTED
    return connection
