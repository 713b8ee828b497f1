"""Commands about authorizations: `providers` lists OAuth providers; `put` and `delete` change them, `revoke` ends grants."""

import os
from typing import Annotated, Literal

import typer

from taxiway.cli import inputs, options
from taxiway.cli.fleet import show_rows
from taxiway.cli.group import group
from taxiway.cli.output import Output
from taxiway.client import Client
from taxiway.client.options import KEEP

_COLUMNS = ("name", "clientId", "clientAuth", "authorizeUrl", "scopes")
app = group("providers", _COLUMNS, Client.providers, "List and change OAuth providers and their grants.")

_GRANTS = ("id", "provider", "subject", "scopes", "refreshable", "expiresAt", "revokedAt")
VARIABLE = "TAXIWAY_CLIENT_SECRET"
Name = Annotated[str, typer.Argument(metavar="NAME", help="The provider's name, as agents use it.")]


@app.command()
def put(
    name: Name,
    *,
    authorize_url: Annotated[str, typer.Option("--authorize-url", help="Where people authorize.")],
    token_url: Annotated[str, typer.Option("--token-url", help="Where codes are exchanged for tokens.")],
    client_id: Annotated[str, typer.Option("--client-id", help="The client id of this installation at the provider.")],
    client_secret: Annotated[
        str | None,
        typer.Option(
            "--client-secret", help=f"Default: {VARIABLE}; without either it stays as it is.", show_default=False
        ),
    ] = None,
    client_auth: Annotated[
        Literal["basic", "post"], typer.Option("--client-auth", help="How the secret is sent.")
    ] = "basic",
    revocation_url: Annotated[str | None, typer.Option("--revocation-url", show_default=False)] = None,
    scope: Annotated[list[str] | None, typer.Option("--scope", help="Always requested; may be repeated.")] = None,
    parameter: Annotated[
        list[str] | None, typer.Option("--parameter", metavar="KEY=VALUE", help="Added to the address.")
    ] = None,
    issuer: Annotated[
        str | None,
        typer.Option("--issuer", help="The issuer that its answers must name (RFC 9207).", show_default=False),
    ] = None,
    callback: Annotated[
        Literal["own", "shared"] | None,
        typer.Option("--callback", help="Its own callback address, or the shared one. Default: stays as it is."),
    ] = None,
    url: options.Url = None,
    api_key: options.ApiKey = None,
    as_json: options.AsJson = False,
) -> None:
    """Create or replace a provider; its client secret is never shown again."""
    secret = client_secret or os.environ.get(VARIABLE) or KEEP
    with options.connect(url, api_key) as client:
        made = client.put_provider(
            name,
            authorize_url=authorize_url,
            token_url=token_url,
            client_id=client_id,
            client_secret=secret,
            client_auth=client_auth,
            revocation_url=revocation_url,
            scopes=scope or (),
            parameters=inputs.read_metadata(parameter or ()),
            issuer=issuer,
            callback=callback,
        )
    there = made.get("callbackUrl") or f"{client.address.url}/v1/auth/callback"
    Output(as_json).say(made, f"Provider {name} is stored. Register the callback address {there} there.")


@app.command()
def delete(
    name: Name, *, url: options.Url = None, api_key: options.ApiKey = None, as_json: options.AsJson = False
) -> None:
    """Delete a provider."""
    with options.connect(url, api_key) as client:
        client.delete_provider(name)
    Output(as_json).say({"name": name, "deleted": True}, f"Provider {name} is deleted.")


@app.command()
def grants(
    *,
    provider: Annotated[str | None, typer.Option("--provider", show_default=False)] = None,
    subject: Annotated[
        str | None, typer.Option("--subject", help="The user who authorized.", show_default=False)
    ] = None,
    limit: options.Limit = 50,
    url: options.Url = None,
    api_key: options.ApiKey = None,
    as_json: options.AsJson = False,
) -> None:
    """List grants, newest first."""
    with options.connect(url, api_key) as client:
        found = list(client.grants(provider=provider, subject=subject, limit=limit))
    show_rows(Output(as_json), "grants", found, _GRANTS)


@app.command()
def revoke(
    grant: Annotated[str, typer.Argument(metavar="GRANT", help="The grant's id; `grants` lists them.")],
    *,
    url: options.Url = None,
    api_key: options.ApiKey = None,
    as_json: options.AsJson = False,
) -> None:
    """Revoke a grant, here and at its provider."""
    with options.connect(url, api_key) as client:
        client.revoke_grant(grant)
    Output(as_json).say({"id": grant, "revoked": True}, f"Grant {grant} is revoked.")
