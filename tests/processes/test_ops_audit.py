"""The audit of pinned versions distinguishes no findings, findings, and no answer, with the real pip-audit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ops.audit import NONE, NOT_ASKED, SOME
from ops.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
FLAW = {
    "id": "GHSA-0000-1111-2222",
    "summary": "Oh.",
    "aliases": [],
    "affected": [{
        "package": {"name": "beta", "ecosystem": "PyPI"},
        "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2.1"}]}],
        "versions": ["2.0"],
    }],
}  # fmt: skip


class Service(ThreadingHTTPServer):
    """A service that answers as OSV does; its knowledge and its health can be set."""

    known: dict[str, dict[str, object]]
    fails_for: str

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1/query"


class _Answers(BaseHTTPRequestHandler):
    server: Service

    def do_POST(self) -> None:
        name = json.loads(self.rfile.read(int(self.headers["content-length"])))["package"]["name"]
        flaw = self.server.known.get(name)
        body = json.dumps({"vulns": [flaw]} if flaw else {}).encode()
        self.send_response(500 if name == self.server.fails_for else 200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def service() -> Iterator[Service]:
    server = Service(("127.0.0.1", 0), _Answers)
    server.known, server.fails_for = {}, ""
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def audit(folder: Path, *options: str, **env: str) -> tuple[int, str, str]:
    pins = folder / "constraints.txt"
    pins.write_text("# Pinned.\nalpha==1.0\nbeta==2.0\n")
    command = [
        sys.executable,
        "-m",
        "ops.audit",
        "--constraints",
        str(pins),
        "--cache",
        str(folder / "cache"),
        *options,
    ]
    quiet = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    done = subprocess.run(command, cwd=ROOT, env=quiet | env, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr


def test_no_known_vulnerability_is_said_with_how_many_versions_were_asked_about(
    service: Service, tmp_path: Path
) -> None:
    assert audit(tmp_path, "--service", service.address) == (NONE, "audit: none known in 2 versions\n", "")


def test_each_known_vulnerability_is_a_line_and_the_exit_code_tells(service: Service, tmp_path: Path) -> None:
    service.known = {"beta": FLAW}
    code, out, errors = audit(tmp_path, "--service", service.address)
    assert (code, out) == (SOME, "beta 2.0: GHSA-0000-1111-2222 (fixed in 2.1)\n")
    assert errors == "audit: 1 known in 2 versions\n"


def test_a_service_that_fails_for_one_version_was_not_asked(service: Service, tmp_path: Path) -> None:
    service.fails_for = "beta"
    code, out, errors = audit(tmp_path, "--service", service.address)
    assert (code, out) == (NOT_ASKED, "")
    assert errors.startswith(f"audit: NOT DONE, {service.address} could not be asked")


def test_behind_a_dead_proxy_it_says_that_it_could_not(tmp_path: Path) -> None:
    dead = f"http://127.0.0.1:{free_port()}"
    code, out, errors = audit(tmp_path, https_proxy=dead, HTTPS_PROXY=dead)
    assert (code, out) == (NOT_ASKED, "")
    assert errors.startswith("audit: NOT DONE, https://api.osv.dev/v1/query could not be asked: ")
    assert errors.count("\n") == 1, "a sentence, no traceback"
