from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from exporter.config.settings import BearerAuth, Secret
from exporter.errors import CredentialsError
from exporter.signin.bearer import BearerSigner
from exporter.signin.scheme import SignInStatus


def header(signer: BearerSigner) -> str:
    return asyncio.run(signer.headers("GET", "https://api.x.com/2/users/me"))["Authorization"]


def on_file(file: Path) -> BearerSigner:
    return BearerSigner("brand", BearerAuth(None, file))


def test_an_inline_token_is_sent_as_it_is() -> None:
    signer = BearerSigner("brand", BearerAuth(Secret("inline"), None))
    assert header(signer) == "Bearer inline"
    assert not asyncio.run(signer.rejected())
    assert signer.status() == SignInStatus("brand")
    asyncio.run(signer.aclose(30.0))


def test_a_token_in_a_file_is_stripped(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("\n  from-file \r\n")
    assert header(on_file(tmp_path / "token")) == "Bearer from-file"


def test_a_file_that_stays_keeps_its_token(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("same")
    signer = on_file(tmp_path / "token")
    assert [header(signer), header(signer)] == ["Bearer same"] * 2


def test_a_file_that_changes_is_read_again(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("first")
    signer = on_file(tmp_path / "token")
    assert header(signer) == "Bearer first"
    (tmp_path / "token").write_text("other")
    assert header(signer) == "Bearer other"


def test_a_file_replaced_with_equal_size_and_time_is_read_again(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("first")
    signer = on_file(tmp_path / "token")
    assert header(signer) == "Bearer first"
    found = (tmp_path / "token").stat()
    (tmp_path / "new").write_text("other")
    os.utime(tmp_path / "new", ns=(found.st_atime_ns, found.st_mtime_ns))
    (tmp_path / "new").replace(tmp_path / "token")
    assert header(signer) == "Bearer other"


def test_a_swapped_link_of_a_mounted_secret_is_followed(tmp_path: Path) -> None:
    for name in ("v1", "v2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "token").write_text(name)
    (tmp_path / "..data").symlink_to("v1")
    (tmp_path / "token").symlink_to("..data/token")
    signer = on_file(tmp_path / "token")
    assert header(signer) == "Bearer v1"
    (tmp_path / "..new").symlink_to("v2")
    (tmp_path / "..new").replace(tmp_path / "..data")
    assert header(signer) == "Bearer v2"


def test_after_a_401_another_try_makes_sense_only_with_another_token(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("first")
    signer = on_file(tmp_path / "token")
    header(signer)
    assert not asyncio.run(signer.rejected())
    (tmp_path / "token").write_text("other")
    assert asyncio.run(signer.rejected())
    assert (tmp_path / "token").read_text() == "other"


BAD = {
    "empty": b"",
    "blank": b" \n",
    "two words": b"one two",
    "not ASCII": "tökén".encode(),
    "binary": bytes(range(256)),
    "huge": b"a" * 100_000,
}


@pytest.mark.parametrize("content", BAD.values(), ids=BAD.keys())
def test_a_file_without_a_token_is_an_error_that_names_it(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "token").write_bytes(content)
    signer = on_file(tmp_path / "token")
    with pytest.raises(CredentialsError, match="token: holds no bearer token"):
        header(signer)
    (tmp_path / "token").write_text("good")
    assert header(signer) == "Bearer good"
    assert signer.status().sentence is None


def test_a_missing_file_is_an_error_until_it_is_there(tmp_path: Path) -> None:
    signer = on_file(tmp_path / "token")
    with pytest.raises(CredentialsError, match="cannot be read: No such file"):
        header(signer)
    assert not asyncio.run(signer.rejected())
    sentence = asyncio.run(signer.look()).sentence
    assert sentence is not None
    assert "No such file" in sentence
    (tmp_path / "token").write_text("good")
    assert header(signer) == "Bearer good"


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "token")
    with pytest.raises(CredentialsError, match="holds no bearer token"):
        header(on_file(tmp_path / "token"))


def test_an_inline_token_that_no_header_can_carry_is_an_error_without_it() -> None:
    signer = BearerSigner("brand", BearerAuth(Secret("plan\nted"), None))
    with pytest.raises(CredentialsError, match=r"auth\.bearer_token") as caught:
        header(signer)
    assert "plan" not in str(caught.value)
