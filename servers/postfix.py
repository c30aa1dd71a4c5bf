"""A private Postfix on a loopback port, which delivers to Maildirs."""

import mailbox
import os
import pwd
import shutil
import smtplib
import tempfile
import weakref
from collections.abc import Collection
from pathlib import Path

from servers import packages
from servers.process import Process, ServerMissing
from servers.server import Server
from servers.waiting import listenable

MISSING = (
    "No Postfix found. Install one (Debian, Ubuntu: apt-get install postfix; "
    "Fedora: dnf install postfix), or set POSTFIX to the path of its program `postfix`."
)
NOT_ROOT = "Postfix starts as root only: run this as root, in a container or with sudo."
DOMAIN = "example.org"
SYSTEM_PROGRAMS = "/usr/sbin:/sbin:/usr/local/sbin"
"""What a user's PATH may lack."""


def find_postfix() -> Path:
    """Return the program to run, installing Debian's as root when nothing else is there.

    In order: the variable POSTFIX, PATH and the directories of system programs, apt-get. Raises
    ServerMissing.
    """
    if named := os.environ.get("POSTFIX"):
        if not os.access(named, os.X_OK):
            raise ServerMissing(f"POSTFIX is {named}, which is no program. {MISSING}")
        return Path(named).absolute()
    if found := _on_path() or _installed():
        return found
    raise ServerMissing(MISSING)


def _on_path(program: str = "postfix") -> Path | None:
    found = shutil.which(program, path=f"{os.environ.get('PATH', '')}:{SYSTEM_PROGRAMS}")
    return Path(found) if found else None


def _installed() -> Path | None:
    if _on_path("sendmail"):  # another mail server's, which apt-get would remove for this one
        return None
    if not packages.can_install() or not packages.install("postfix"):
        return None
    packages.disable_service("postfix")
    return _on_path()


class PostfixServer(Server):
    """A Postfix that takes mail for `users` at example.org, ready when the constructor returns.

    It sends nothing anywhere else. Its queue and the Maildirs are in a directory of the system's
    temporary ones, which `close` and the end of a `with` remove; the log is in `directory`. Raises
    ServerMissing, RuntimeError with the log's end when it does not start, TimeoutError, OSError
    for a taken port.
    """

    def __init__(
        self, directory: Path, *, users: Collection[str] = ("anna",), port: int | None = None
    ) -> None:
        if os.geteuid() != 0:
            raise ServerMissing(NOT_ROOT)
        postfix = find_postfix()
        self.port = listenable(port)
        self._home = Path(tempfile.mkdtemp(prefix="postfix-"))
        self._remove_home = weakref.finalize(self, shutil.rmtree, self._home, ignore_errors=True)
        try:
            self._configure(users)
            argv = [str(postfix), "-c", str(self._home / "etc"), "start-fg"]
            self.process = Process("postfix", argv, directory=directory)
            self._wait_until_ready()
        except BaseException:
            self.close()
            raise

    def maildir(self, user: str) -> mailbox.Maildir:
        """Return what a user has got."""
        return mailbox.Maildir(self._home / "mail" / user, create=False)

    def queued(self) -> int:
        """Return how many mails are taken and not delivered yet."""
        spool = self._home / "spool"
        return sum(
            len([*(spool / queue).rglob("*")]) for queue in ("incoming", "active", "deferred")
        )

    def close(self) -> None:
        """Stop it and remove its files; harmless when repeated."""
        if hasattr(self, "process"):
            self.process.stop()
        self._remove_home()

    def _configure(self, users: Collection[str]) -> None:
        self._home.chmod(0o755)  # its processes have several users
        for name in ("etc", "spool", "data", "mail"):
            (self._home / name).mkdir()
        shutil.chown(self._home / "data", "postfix")
        for user in users:
            _make_maildir(self._home / "mail" / user)
        settings = _settings(self._home, users)
        lines = [f"{name} = {value}\n" for name, value in settings.items()]
        (self._home / "etc" / "main.cf").write_text("".join(lines))
        (self._home / "etc" / "master.cf").write_text(_services(self.port))

    def _answers(self) -> bool:
        try:
            with smtplib.SMTP("127.0.0.1", self.port, timeout=5) as connection:
                return connection.noop()[0] == 250  # noqa: PLR2004 - RFC 5321
        except (OSError, smtplib.SMTPException):
            return False


def _make_maildir(directory: Path) -> None:
    """Make it at once, so that it can be read before the first mail."""
    for each in (directory, *(directory / name for name in ("cur", "new", "tmp"))):
        each.mkdir()
        shutil.chown(each, "nobody")


def _settings(home: Path, users: Collection[str]) -> dict[str, str]:
    nobody = pwd.getpwnam("nobody")
    mailboxes = " ".join(f"{{ {user}@{DOMAIN} = {user}/ }}" for user in users)
    return {
        "compatibility_level": "3.6",
        "queue_directory": f"{home}/spool",
        "data_directory": f"{home}/data",
        "maillog_file": "/dev/stdout",
        "inet_interfaces": "127.0.0.1",
        "inet_protocols": "ipv4",
        "myhostname": "mx.example.org",
        "mydestination": "",
        "local_recipient_maps": "",  # as `alias_maps`: the system's own
        "alias_maps": "",
        "alias_database": "",
        "smtpd_client_connection_count_limit": "0",  # nor does it count its only client
        "mynetworks": "127.0.0.0/8",
        "virtual_mailbox_domains": DOMAIN,
        "virtual_mailbox_base": f"{home}/mail",
        "virtual_mailbox_maps": f"inline:{{ {mailboxes} }}",
        "virtual_uid_maps": f"static:{nobody.pw_uid}",
        "virtual_gid_maps": f"static:{nobody.pw_gid}",
        # nothing leaves this machine, not even a bounce
        "smtpd_relay_restrictions": "reject_unauth_destination",
        "default_transport": "discard",
        "relay_transport": "discard",
    }


def _services(port: int) -> str:
    daemons = [
        "qmgr",
        "cleanup",
        "rewrite:trivial-rewrite",
        "bounce",
        "defer:bounce",
        "virtual",
        "discard",
    ]
    named = [each.partition(":")[::2] for each in daemons]
    rows = [f"127.0.0.1:{port} inet n - n - - smtpd"]
    rows += [
        f"{name} unix {_SERVICE.get(name, '- - n - -')} {command or name}"
        for name, command in named
    ]
    rows += ["postlog unix-dgram n - n - 1 postlogd"]
    return "".join(f"{row}\n" for row in rows)


_SERVICE = {
    "qmgr": "n - n 300 1",
    "cleanup": "n - n - 0",
    "bounce": "- - n - 0",
    "defer": "- - n - 0",
    "virtual": "- n n - -",
}
