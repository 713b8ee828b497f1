"""Keys are made, listed and revoked, by command and by call; a secret is seen once."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import uuid
from collections.abc import Sequence

import httpx

from tests.system.api_server import ROOT, ApiServer


def command(api: ApiServer, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "api.keys", *arguments],
        check=False, cwd=ROOT, env=api.environment, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def test_the_command_prints_the_key_alone_and_keeps_only_its_hash(api: ApiServer) -> None:
    ended = command(
        api, "create", "--tenant", "t1", "--name", "ci", "--scopes", "enqueue, read", "--role", "ops", "--role", "qa"
    )
    assert ended.returncode == 0, ended.stderr
    secret = ended.stdout.splitlines()[-1]
    assert re.fullmatch(r"tw_[A-Za-z0-9_-]{43}", secret)
    assert secret not in ended.stderr
    with api.connect() as connection:
        row = connection.execute("SELECT * FROM api_key WHERE tenant = 't1'").fetchone()
    assert row is not None
    assert (row["hash"], row["scopes"], row["roles"]) == (
        hashlib.sha256(secret.encode()).hexdigest(), ["enqueue", "read"], ["ops", "qa"],
    )  # fmt: skip
    with api.client(secret) as client:
        assert client.get("/v1/runs").status_code == 200
    with api.client(None) as client:
        assert client.get("/v1/runs", headers={"authorization": f"Bearer {secret}"}).status_code == 200
    listed = command(api, "list", "--tenant", "t1")
    assert "t1  ci  enqueue,read  ops,qa  valid" in listed.stdout
    assert secret not in listed.stdout
    assert command(api, "revoke", str(row["id"])).returncode == 0
    assert command(api, "revoke", str(row["id"])).returncode == 1
    assert "revoked" in command(api, "list").stdout


def test_the_command_refuses_what_is_no_key() -> None:
    bad: Sequence[Sequence[str]] = (["--tenant", "a b"], ["--tenant", ""], ["--tenant", "t", "--scopes", "reed"])
    for arguments in bad:
        ended = subprocess.run(
            [sys.executable, "-m", "api.keys", "create", "--name", "n", *arguments],
            check=False, cwd=ROOT, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert (ended.returncode, ended.stdout) == (2, "")
        assert len(ended.stderr.splitlines()) == 1


def test_an_admin_makes_and_revokes_keys_of_the_own_tenant(
    api: ApiServer, acme: httpx.Client, other: httpx.Client
) -> None:
    made = acme.post("/v1/keys", json={"name": "backend", "scopes": ["read"], "roles": ["finance"]})
    assert made.status_code == 201
    key = made.json()
    assert (key["tenant"], key["scopes"], key["roles"]) == ("acme", ["read"], ["finance"])
    with api.client(key["key"]) as client:
        assert client.get("/v1/runs").status_code == 200
        assert client.post("/v1/keys", json={"name": "x", "scopes": ["admin"]}).status_code == 403
        assert other.delete(f"/v1/keys/{key['id']}").status_code == 404
        assert acme.delete(f"/v1/keys/{key['id']}").status_code == 204
        assert client.get("/v1/runs").status_code == 401
    assert acme.delete(f"/v1/keys/{key['id']}").status_code == 404
    listed = acme.get("/v1/keys")
    assert key["key"] not in listed.text
    assert next(item for item in listed.json()["keys"] if item["id"] == key["id"])["revokedAt"] is not None
    assert key["id"] not in other.get("/v1/keys").text


def test_a_bad_key_request_makes_no_key(acme: httpx.Client) -> None:
    before = acme.get("/v1/keys").json()
    for body, status in (
        ({"name": "x", "scopes": ["root"]}, 400), ({"name": "x", "scopes": []}, 400), ({"scopes": ["read"]}, 400),
        ({"name": "x", "scopes": ["read"], "tenant": "other"}, 422), ({"name": "\0", "scopes": ["read"]}, 400),
    ):  # fmt: skip
        assert acme.post("/v1/keys", json=body).status_code == status
    assert acme.delete("/v1/keys/nonsense").status_code == 404
    assert acme.delete(f"/v1/keys/{uuid.uuid4()}").status_code == 404
    assert acme.get("/v1/keys").json() == before
