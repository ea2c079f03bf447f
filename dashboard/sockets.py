"""What the server has to say goes out at once.

asyncio sets TCP_NODELAY on sockets that name TCP as their protocol; Streamlit's listening socket leaves it to the
system. So the second part of each answer waited until the browser acknowledged the first, 40 ms on Linux: for each of
the 115 files of a first page, and for what a refresh or a press is answered with.
"""

import os
import socket
from contextlib import suppress


def send_at_once() -> None:
    """Sets TCP_NODELAY on this process's listening sockets; on Linux the connections that they accept inherit it."""
    for fd in range(3, 256):
        with suppress(OSError), socket.socket(fileno=os.dup(fd)) as one:
            if one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
