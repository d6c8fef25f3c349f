"""Names to addresses, by the resolver of the machine that we run on."""

import asyncio
import socket


async def addresses(host: str) -> tuple[str, ...]:
    """Every address of a name; none when it has none, or when nobody answers that question now."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError):
        return ()
    return tuple(sorted({str(item[4][0]) for item in found}))
