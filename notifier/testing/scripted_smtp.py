"""A mail server that misbehaves where it is told to."""

from __future__ import annotations

import socket
import struct
import threading
from collections import ChainMap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_django.fixtures import Settings

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

PIPELINING = {"EHLO": b"250-scripted\r\n250 PIPELINING\r\n"}
"""A script of a server that takes several commands at once."""

HANG, DRIP, CLOSE, RESET = b"hang", b"drip", b"close", b"reset"


@dataclass(frozen=True)
class Mail:
    """What a client handed over: the envelope's recipients, and the mail with its last line."""

    recipients: tuple[str, ...]
    data: bytes


@contextmanager
def scripted_smtp(script: dict[str, bytes], mails: list[Mail] | None = None) -> Iterator[int]:
    """Serve until the end of the block; yield the port.

    `script` names stages (`connect`, `EHLO`, `MAIL`, `RCPT`, `DATA`, `mail` for the dot), or a whole
    line such as `RCPT TO:<anna@example.org>`, and what happens there: a reply of its own, or one of
    HANG, DRIP, CLOSE, RESET. It may change meanwhile. What is handed over goes into `mails`.
    """
    taken = [] if mails is None else mails
    with socket.create_server(("127.0.0.1", 0)) as server:
        ending = threading.Event()
        replies = ChainMap(script, REPLIES)
        thread = threading.Thread(target=_serve, args=(server, replies, taken, ending))
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            ending.set()
            socket.create_connection(server.getsockname()).close()
            thread.join()


def point_mail_at(port: int, settings: Settings) -> None:
    """Make Django send by SMTP to a port of this machine, in its old way and its new."""
    backend = "django.core.mail.backends.smtp.EmailBackend"
    if hasattr(settings, "MAILERS"):
        options = {"host": "127.0.0.1", "port": port, "timeout": 5}
        settings.MAILERS = {"default": {"BACKEND": backend, "OPTIONS": options}}
    else:
        settings.EMAIL_BACKEND = backend
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", port, 5


def _serve(
    server: socket.socket, replies: Mapping[str, bytes], mails: list[Mail], ending: threading.Event
) -> None:
    threads = []
    while not ending.is_set():
        connection, _ = server.accept()
        threads.append(threading.Thread(target=_talk, args=(connection, replies, mails, ending)))
        threads[-1].start()
    for thread in threads:
        thread.join()


def _talk(
    connection: socket.socket,
    replies: Mapping[str, bytes],
    mails: list[Mail],
    ending: threading.Event,
) -> None:
    recipients: list[str] = []
    with connection, connection.makefile("rb") as lines:
        try:
            stage = line = "connect"
            while _act(connection, reply := replies.get(line) or replies[stage], ending):
                if stage == "DATA" and reply.startswith(b"354"):
                    data = b"\r\n"  # so that an empty mail ends like any other
                    while not data.endswith(b"\r\n.\r\n") and (read := lines.readline()):
                        data += read
                    mails.append(Mail(tuple(recipients), data.removeprefix(b"\r\n")))
                    stage = line = "mail"
                    continue
                line = lines.readline().decode().strip()
                if not line:
                    return
                command, *path = line.partition("<")  # Python 3.13 writes `rcpt to:`
                line = "".join([command.upper().replace("HELO", "EHLO"), *path])
                stage = line[:4]
                if stage == "MAIL":
                    recipients.clear()
                if stage == "RCPT":
                    recipients.append(line.partition("<")[2].partition(">")[0])
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
