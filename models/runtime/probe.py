"""Answers `/health`, `/ready` and `/metrics` for a process that serves no HTTP otherwise, from a thread of its own."""

import json
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from models.errors import SettingsError
from models.runtime.facts import fact
from models.runtime.settings import Settings

Look = Callable[[], Mapping[str, Any]]
OK: Final = 200
UNAVAILABLE: Final = 503


class Probe:
    """`alive` and `ready` say what they found; the probe answers 200 when it holds no `False`, else 503.

    `/metrics` is what Prometheus' client knows of any process: its memory, its time, its files.
    """

    def __init__(self, settings: Settings, alive: Look, ready: Look) -> None:
        self._settings = settings
        self._looks = {"/health": alive, "/ready": ready}
        self._server: ThreadingHTTPServer | None = None

    def start(self) -> None:
        """Listen, when a port is set; raises SettingsError when it cannot be had."""
        host, port = self._settings.ops_host, self._settings.ops_port
        if port is None:
            return
        try:
            self._server = ThreadingHTTPServer((host, port), _handler(self._looks))
        except OSError as error:
            raise SettingsError(f"TAXIWAY_OPS_PORT={port} cannot be used on {host}: {error.strerror}.") from error
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, name="probe", daemon=True).start()
        fact("probe.listens", host=host, port=self._server.server_port)

    def stop(self) -> None:
        """Listen no longer."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()


def _handler(looks: Mapping[str, Look]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """Answers GET with what the look says, or with metrics."""

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            look = looks.get(path)
            if path == "/metrics":
                self._send(OK, CONTENT_TYPE_PLAIN_0_0_4, generate_latest())
                return
            if look is None:
                self._answer(404, {"status": "not found"})
                return
            found = dict(look())
            good = False not in found.values()
            self._answer(OK if good else UNAVAILABLE, {"status": "ok" if good else "unavailable", **found})

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the name that http.server gives it
            """Write no log line: probes come every few seconds."""

        def _answer(self, status: int, body: Mapping[str, Any]) -> None:
            self._send(status, "application/json", json.dumps(body).encode())

        def _send(self, status: int, kind: str, data: bytes) -> None:
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    return Handler
