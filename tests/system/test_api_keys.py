"""Keys are created, listed and revoked, by command and by call; a secret is shown once."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import httpx

from tests.system.api_server import ROOT, ApiServer
from tests.system.fake_worker import INPUT


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


SCOPES = ("enqueue", "read", "decide", "operate", "admin")


def test_a_key_gives_only_what_it_has(api: ApiServer) -> None:
    with api.client(api.key("giving", ("admin", "read", "decide"))) as admin:
        for scopes, surplus in ((["operate"], "operate"), (["read", "operate", "enqueue"], "operate, enqueue")):
            refused = admin.post("/v1/keys", json={"name": "more", "scopes": scopes})
            assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
            assert refused.json()["detail"] == (
                f"A key can only give scopes that it has: this one may give read, decide, admin, not {surplus}."
            )
        assert [key["name"] for key in admin.get("/v1/keys").json()["keys"]] == ["test"]
        given = admin.post("/v1/keys", json={"name": "same", "scopes": ["admin", "read", "decide"], "roles": ["any"]})
        assert given.status_code == 201
        assert admin.get("/v1/queues").status_code == 200
        assert admin.put("/v1/queues/default", json={"limit": 1}).json()["code"] == "forbidden"


def test_no_scope_is_given_that_the_key_lacks_and_each_that_it_has(api: ApiServer) -> None:
    for scope in SCOPES:
        has = tuple({"admin", scope})
        with api.client(api.key("each", has)) as admin:
            for wanted in SCOPES:
                answer = admin.post("/v1/keys", json={"name": "one", "scopes": [wanted]})
                assert answer.status_code == (201 if wanted in has else 403), (has, wanted)


def test_a_key_over_the_installation_is_given_and_revoked_by_one_alone(api: ApiServer) -> None:
    with api.client(api.key("owned", SCOPES)) as owner, api.client(api.key("owned", ("admin", "read"))) as admin:
        made = owner.post("/v1/keys", json={"name": "ops", "scopes": ["operate", "read"]})
        assert made.status_code == 201
        refused = admin.delete(f"/v1/keys/{made.json()['id']}")
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
        assert "Only a key with operate, or the shell, revokes it." in refused.json()["detail"]
        with api.client(api.key("stranger", SCOPES)) as stranger:
            assert stranger.delete(f"/v1/keys/{made.json()['id']}").status_code == 404
        with api.client(made.json()["key"]) as ops:
            assert ops.get("/v1/providers").status_code == 200
        assert owner.delete(f"/v1/keys/{made.json()['id']}").status_code == 204


def test_a_key_that_was_revoked_elsewhere_leaves_no_other_behind(api: ApiServer) -> None:
    """This process trusts it for some more seconds."""
    first, second = (api.key("leaving", SCOPES, name=name) for name in ("leaving", "staying"))
    with api.client(first) as leaving, api.client(second) as staying:
        ids = {key["name"]: key["id"] for key in leaving.get("/v1/keys").json()["keys"]}
        mine, other = ids["leaving"], ids["staying"]
        assert staying.get("/v1/keys").status_code == 200
        with api.connect() as connection:
            connection.execute("UPDATE api_key SET revoked_at = now() WHERE id = %s", [mine])
        made = leaving.post("/v1/keys", json={"name": "behind", "scopes": ["admin"]})
        assert (made.status_code, made.json()["code"]) == (401, "unauthenticated")
        assert leaving.get("/v1/keys").status_code == 401, "known to be revoked by now"
        assert {key["name"]: key["id"] for key in staying.get("/v1/keys").json()["keys"]} == ids
        with api.connect() as connection:
            connection.execute("UPDATE api_key SET scopes = '{read}' WHERE id = %s", [other])
        assert staying.post("/v1/keys", json={"name": "behind", "scopes": ["read"]}).status_code == 403
        assert staying.delete(f"/v1/keys/{other}").status_code == 403


def test_keys_that_revoke_each_other_end_with_one_of_them(api: ApiServer) -> None:
    first, second = (api.key("rivals", SCOPES, name=name) for name in ("one", "two"))
    with api.client(first) as one, api.client(second) as two:
        ids = {key["name"]: key["id"] for key in one.get("/v1/keys").json()["keys"]}
        with ThreadPoolExecutor(2) as pool:
            ends = list(
                pool.map(
                    lambda at: at[0].delete(f"/v1/keys/{at[1]}").status_code, [(one, ids["two"]), (two, ids["one"])]
                )
            )
        assert sorted(ends) == [204, 401]


def test_the_admin_of_a_tenant_changes_its_schedules(api: ApiServer, acme: httpx.Client) -> None:
    body = {"cron": "0 3 * * *", "timezone": "UTC", "run": {"agent": "refund", "input": INPUT}}
    for scope in ("admin", "operate"):
        with api.client(api.key("acme", (scope, "read"))) as client:
            assert client.put(f"/v1/schedules/by-{scope}", json=body).status_code == 200
            assert client.delete(f"/v1/schedules/by-{scope}").status_code == 204
    with api.client(api.key("acme", ("enqueue", "read", "decide"))) as client:
        refused = client.put("/v1/schedules/no", json=body)
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
        assert "the scope admin or operate" in refused.json()["detail"]


def test_the_first_key_of_an_installation_may_do_everything(api: ApiServer) -> None:
    with api.connect() as connection:
        valid = connection.execute(
            "UPDATE api_key SET revoked_at = now() WHERE revoked_at IS NULL RETURNING id"
        ).fetchall()
        for name, scopes in (("first", list(SCOPES)), ("second", ["enqueue", "read"])):
            assert command(api, "create", "--tenant", "t2", "--name", name).returncode == 0
            row = connection.execute("SELECT scopes FROM api_key WHERE tenant = 't2' AND name = %s", [name]).fetchone()
            assert row == {"scopes": scopes}
        ids = [row["id"] for row in valid]
        connection.execute("UPDATE api_key SET revoked_at = NULL WHERE id = ANY(%s)", [ids])  # for the other tests
