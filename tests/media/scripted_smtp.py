"""A mail server that misbehaves where it is told to."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

REPLIES = {
    "connect": b"220 scripted\r\n",
    "EHLO": b"250 scripted\r\n",
    "MAIL": b"250 ok\r\n",
    "RCPT": b"250 ok\r\n",
    "DATA": b"354 go\r\n",
    "mail": b"250 taken\r\n",
    "RSET": b"250 ok\r\n",
    "QUIT": b"221 bye\r\n",
}

HANG, DRIP, CLOSE, RESET = b"hang", b"drip", b"close", b"reset"


@contextmanager
def scripted_smtp(script: Mapping[str, bytes]) -> Iterator[int]:
    """Serve until the end of the block; yield the port.

    `script` names stages (`connect`, `EHLO`, `MAIL`, `RCPT`, `DATA`, `mail` for the dot) and what
    happens there: a reply of its own, or one of HANG, DRIP, CLOSE, RESET.
    """
    script = {**script, **({"HELO": script["EHLO"]} if "EHLO" in script else {})}
    with socket.create_server(("127.0.0.1", 0)) as server:
        ending = threading.Event()
        thread = threading.Thread(target=_serve, args=(server, {**REPLIES, **script}, ending))
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            ending.set()
            socket.create_connection(server.getsockname()).close()
            thread.join()


def _serve(server: socket.socket, replies: Mapping[str, bytes], ending: threading.Event) -> None:
    threads = []
    while not ending.is_set():
        connection, _ = server.accept()
        threads.append(threading.Thread(target=_talk, args=(connection, replies, ending)))
        threads[-1].start()
    for thread in threads:
        thread.join()


def _talk(connection: socket.socket, replies: Mapping[str, bytes], ending: threading.Event) -> None:
    with connection, connection.makefile("rb") as lines:
        try:
            stage = "connect"
            while _act(connection, replies[stage], ending):
                if stage == "DATA":
                    while lines.readline() not in {b".\r\n", b""}:
                        pass
                    stage = "mail"
                    continue
                line = lines.readline()
                if not line:
                    return
                stage = line[:4].decode().upper()
        except OSError:
            return  # the client went away, as it should


def _act(connection: socket.socket, reply: bytes, ending: threading.Event) -> bool:
    if reply == HANG:
        ending.wait(30)
        return False
    if reply == DRIP:
        while not ending.wait(0.1):
            connection.sendall(b"2")
        return False
    if reply == RESET:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
        return False
    if reply == CLOSE:
        return False
    connection.sendall(reply)
    return True
