"""`evalharness open`: the address of a page, and serving it to nobody but its user."""

from __future__ import annotations

import http.client
import threading
from pathlib import Path

import pytest

from evalharness.api import serving
from tests.cli.runner import run

SECRET_LENGTH = 32


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("in.jsonl").write_text(
        '{"id": "a", "messages": [{"role": "user", "content": "?"}, {"role": "assistant", "content": "!"}]}\n'
    )
    assert run("score", "in.jsonl", "-o", "run", "-q").code == 0
    return tmp_path / "run"


def test_the_address_of_a_page_is_printed(folder: Path):
    ran = run("open", "run", "--no-browser")
    assert (ran.code, ran.out.strip()) == (0, (folder / "report.html").resolve().as_uri())


@pytest.mark.parametrize(
    ("arguments", "message"), [(["nowhere"], "no run folder"), (["run", "--page", "diff"], "report")]
)
def test_a_page_that_is_not_there_is_said(folder: Path, arguments: list[str], message: str):
    ran = run("open", *arguments, "--no-browser")
    assert ran.code == 2
    assert message in ran.err


def test_only_the_secret_address_of_this_host_is_answered(folder: Path, monkeypatch: pytest.MonkeyPatch):
    made: list[serving.ThreadingHTTPServer] = []

    class Kept(serving.ThreadingHTTPServer):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments)  # type: ignore[arg-type]
            made.append(self)

    monkeypatch.setattr(serving, "ThreadingHTTPServer", Kept)
    told: list[str] = []
    ready = threading.Event()
    thread = threading.Thread(
        target=serving.serve_page,
        args=(folder / "report.html", lambda address: (told.append(address), ready.set())),
    )
    thread.start()
    try:
        assert ready.wait(20)
        _, _, host, token, name = told[0].split("/")
        assert host.startswith("127.0.0.1:") and len(token) >= SECRET_LENGTH

        def ask(path: str, **headers: str) -> tuple[int, bytes]:
            connection = http.client.HTTPConnection(host)
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            body = answer.read()
            connection.close()
            return answer.status, body

        assert ask(f"/{token}/{name}") == (200, (folder / "report.html").read_bytes())
        for path in ("/", f"/{name}", f"/{token}/", f"/{token}/scores.jsonl", f"/{token}/../run.sqlite"):
            assert ask(path)[0] == 404
        assert ask(f"/{token}/{name}", Host="evil.example")[0] == 404
    finally:
        made[0].shutdown()
        thread.join()
