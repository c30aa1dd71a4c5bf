"""A private Alertmanager, and where its program comes from."""

from pathlib import Path

import pytest

from servers import packages
from servers.alertmanager import find_alertmanager
from servers.process import ServerMissing


@pytest.fixture
def nothing_to_be_had(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.mark.usefixtures("nothing_to_be_had")
def test_with_nothing_to_be_had_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "can_install", lambda: False)
    with pytest.raises(ServerMissing, match="apt-get install prometheus-alertmanager"):
        find_alertmanager()


@pytest.mark.usefixtures("nothing_to_be_had")
def test_what_is_missing_is_installed_and_its_service_stopped(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    done: list[str] = []

    def install(package: str) -> bool:
        done.append(package)
        for name in ("prometheus-alertmanager", "amtool"):
            (tmp_path / name).touch(mode=0o755)
        return True

    monkeypatch.setattr(packages, "can_install", lambda: True)
    monkeypatch.setattr(packages, "install", install)
    monkeypatch.setattr(packages, "disable_service", done.append)
    assert find_alertmanager() == [tmp_path / "prometheus-alertmanager", tmp_path / "amtool"]
    assert done == ["prometheus-alertmanager"] * 2
