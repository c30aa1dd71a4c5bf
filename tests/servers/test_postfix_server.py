"""A private Postfix, and where its program comes from."""

import os
import smtplib
import tempfile
from pathlib import Path

import psutil
import pytest

from servers import packages, postfix
from servers.families import alive
from servers.postfix import PostfixServer, find_postfix
from servers.process import ServerMissing, wait_until


@pytest.fixture
def nothing_to_be_had(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("POSTFIX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(postfix, "SYSTEM_PROGRAMS", "")


def test_it_delivers_to_those_it_knows_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    temporary = Path(tempfile.mkdtemp())
    temporary.chmod(0o711)
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    with PostfixServer(tmp_path, users=["ada"]) as server:
        family = psutil.Process(server.process.pid).children(recursive=True)
        with smtplib.SMTP("127.0.0.1", server.port, timeout=10) as connection:
            with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
                connection.sendmail("a@example.net", ["bob@example.org"], b"hello")
            with pytest.raises(smtplib.SMTPRecipientsRefused):
                connection.sendmail("a@example.net", ["ada@elsewhere.example"], b"hello")
            connection.sendmail(
                "a@example.net", ["ada@example.org"], b"Subject: hi\r\n\r\nhello\r\n"
            )
        wait_until(lambda: len(server.maildir("ada")), timeout_s=10, what="a mail")
        [message] = server.maildir("ada")
    assert [code for code, _ in refused.value.recipients.values()] == [550]
    assert message.get_payload() == "hello\n"
    assert [process for process in family if alive(process)] == []
    assert [each for each in temporary.iterdir() if each.name.startswith("postfix-")] == []


@pytest.mark.usefixtures("nothing_to_be_had")
def test_with_nothing_to_be_had_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "can_install", lambda: False)
    with pytest.raises(ServerMissing, match=r"apt-get install postfix.*dnf install postfix"):
        find_postfix()


@pytest.mark.usefixtures("nothing_to_be_had")
def test_what_is_missing_is_installed_and_its_service_stopped(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    done: list[str] = []

    def install(package: str) -> bool:
        done.append(f"install {package}")
        (tmp_path / "postfix").touch(mode=0o755)
        return True

    monkeypatch.setattr(packages, "can_install", lambda: True)
    monkeypatch.setattr(packages, "install", install)
    monkeypatch.setattr(packages, "disable_service", lambda name: done.append(f"disable {name}"))
    assert find_postfix() == tmp_path / "postfix"
    assert done == ["install postfix", "disable postfix"]


@pytest.mark.usefixtures("nothing_to_be_had")
def test_another_mail_server_is_not_replaced(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "sendmail").touch(mode=0o755)
    monkeypatch.setattr(packages, "can_install", lambda: True)
    monkeypatch.setattr(packages, "install", lambda _: pytest.fail("installed"))
    with pytest.raises(ServerMissing, match="apt-get install postfix"):
        find_postfix()


def test_a_named_program_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTFIX", "/no/such/program")
    with pytest.raises(ServerMissing, match="POSTFIX is /no/such/program"):
        find_postfix()


def test_a_user_who_may_not_start_it_is_told_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(ServerMissing, match="as root"):
        PostfixServer(tmp_path)
