"""The sources of the client's server address and key."""

from __future__ import annotations

from pathlib import Path

import pytest
from taxiway.client import NotConfigured
from taxiway.client.address import find_address, parse_env

UP = "# written by make up\nexport TAXIWAY_URL='http://127.0.0.1:8123/'\nTAXIWAY_API_KEY=\"up=key\"\n\nnonsense\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / ".taxiway").mkdir()
    (tmp_path / ".taxiway" / "up.env").write_text(UP)
    (tmp_path / "src" / "deep").mkdir(parents=True)
    return tmp_path


def test_up_env_of_a_parent_folder_gives_address_and_key(project: Path) -> None:
    address = find_address(environ={}, folder=project / "src" / "deep")
    assert (address.url, address.api_key) == ("http://127.0.0.1:8123", "up=key")


def test_the_nearest_up_env_wins(project: Path) -> None:
    (project / "src" / ".taxiway").mkdir()
    (project / "src" / ".taxiway" / "up.env").write_text("TAXIWAY_URL=http://near:1\nTAXIWAY_API_KEY=near\n")
    assert find_address(environ={}, folder=project / "src" / "deep").url == "http://near:1"


def test_arguments_win_over_the_environment_which_wins_over_up_env(project: Path) -> None:
    environ = {"TAXIWAY_URL": "https://env.example", "TAXIWAY_API_KEY": "env"}
    assert find_address(environ=environ, folder=project).url == "https://env.example"
    given = find_address("https://given.example/base/", "given", environ=environ, folder=project)
    assert (given.url, given.api_key) == ("https://given.example/base", "given")


def test_the_key_of_up_env_is_never_sent_to_another_server(project: Path) -> None:
    with pytest.raises(NotConfigured, match=r"No API key for https://elsewhere\.example"):
        find_address("https://elsewhere.example", environ={}, folder=project)
    with pytest.raises(NotConfigured):
        find_address(environ={"TAXIWAY_URL": "https://elsewhere.example"}, folder=project)
    assert find_address("http://127.0.0.1:8123", environ={}, folder=project).api_key == "up=key"


def test_without_any_address_the_sentence_names_the_fix(tmp_path: Path) -> None:
    with pytest.raises(NotConfigured, match="TAXIWAY_URL"):
        find_address(environ={}, folder=tmp_path)


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://host", "http://", "http://host:port", "/v1"])
def test_an_address_that_is_none_is_refused_before_anything_is_sent(url: str, tmp_path: Path) -> None:
    with pytest.raises(NotConfigured, match="server address"):
        find_address(url, "key", environ={}, folder=tmp_path)


@pytest.mark.parametrize("key", ["ключ", "two\nlines", "   "])
def test_a_key_that_no_header_can_carry_is_refused(key: str, tmp_path: Path) -> None:
    with pytest.raises(NotConfigured, match="API key"):
        find_address("http://host", key, environ={}, folder=tmp_path)


def test_the_key_is_not_shown_where_an_address_is_printed(tmp_path: Path) -> None:
    assert "sesame" not in repr(find_address("http://host", "sesame", environ={}, folder=tmp_path))


@pytest.mark.parametrize(
    ("line", "expected"),
    [("A=1", {"A": "1"}), ("A = 'x y'", {"A": "x y"}), ("A=", {"A": ""}), ("#A=1", {}), ("A", {}), ("A='", {"A": "'"})],
)
def test_lines_of_an_env_file(line: str, expected: dict[str, str]) -> None:
    assert parse_env(line) == expected
