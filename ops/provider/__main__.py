"""`python -m ops.provider`: starts the loopback provider and prints how to configure it in Taxiway."""

import argparse
import os
import socket
from collections.abc import Sequence

import uvicorn

from ops.provider.app import Desk
from ops.provider.server import CLIENT_ID, CLIENT_SECRET

NAME = "loopback"


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m ops.provider", description="An OAuth 2 provider on loopback.")
    parser.add_argument("--port", type=int, default=8765, help="0 chooses a free one (default: 8765)")
    given = parser.parse_args(arguments)
    os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "true"  # loopback needs no TLS
    door = socket.create_server(("127.0.0.1", given.port))
    url = f"http://127.0.0.1:{door.getsockname()[1]}"
    print(f"The loopback provider is at {url}. Configure it with:", flush=True)
    print(
        f"  taxiway providers put {NAME} --authorize-url {url}/authorize --token-url {url}/token --revocation-url"
        f" {url}/revoke --client-id {CLIENT_ID} --client-secret {CLIENT_SECRET}",
        flush=True,
    )
    server = uvicorn.Server(uvicorn.Config(Desk().app(), log_level="warning", access_log=False))
    server.run([door])


if __name__ == "__main__":
    main()
