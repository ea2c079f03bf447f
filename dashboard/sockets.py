"""What the server has to say goes out at once, and connections that it has no room for cost one line a minute.

asyncio sets TCP_NODELAY on sockets that name TCP as their protocol; Streamlit's listening socket leaves it to the
system. So the second part of each answer waited until the browser acknowledged the first, 40 ms on Linux: for each of
the 115 files of a first page, and for what a refresh or a press is answered with.
"""

import asyncio
import errno
import os
import socket
import sys
import time
from contextlib import suppress
from typing import Any


def send_at_once() -> None:
    """Sets TCP_NODELAY on this process's listening sockets; on Linux the connections that they accept inherit it."""
    for fd in range(3, 256):
        with suppress(OSError), socket.socket(fileno=os.dup(fd)) as one:
            if one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def complain_rarely(loop: asyncio.AbstractEventLoop) -> None:
    """Without a file descriptor asyncio tries each second to accept who waits, 2,048 times, and writes a traceback for
    each: a megabyte of log a second. A line a minute says the same.
    """
    said = [-60.0]

    def complain(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if not isinstance(error, OSError) or error.errno not in (errno.EMFILE, errno.ENFILE):
            loop.default_exception_handler(context)
        elif time.monotonic() - said[0] >= 60:
            said[0] = time.monotonic()
            sys.stderr.write(
                f"No new tab gets in for now: {error.strerror}. Close some, or start the app after `ulimit -n 4096`.\n"
            )

    loop.set_exception_handler(complain)
