"""The command `python -m api.keys`: create, list and revoke API keys."""

import argparse
import sys
from collections.abc import Sequence
from uuid import UUID

import psycopg
from sqlalchemy import exc

from api.keys import store
from models.errors import SettingsError
from models.runs.public_event import timestamp

USUAL_SCOPES = ("enqueue", "read")


def _print_error(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m api.keys", description="Create, list and revoke API keys.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    create = commands.add_parser("create", help="create a key; its secret is the last line of stdout")
    create.add_argument("--tenant", required=True, help="the tenant whose runs the key sees")
    create.add_argument("--name", required=True, help="a name by which people recognize the key")
    create.add_argument(
        "--scopes",
        help=f"some of {','.join(store.SCOPES)} (default: enqueue,read; all of them while no valid key exists)",
    )
    create.add_argument(
        "--role", action="append", default=[], metavar="ROLE", help="a role of the key's holder; repeatable"
    )
    create.set_defaults(run=_create)
    listing = commands.add_parser("list", help="list keys, without their secrets")
    listing.add_argument("--tenant", help="list only the keys of this tenant")
    listing.set_defaults(run=_list)
    revoke = commands.add_parser("revoke", help="revoke a key for good")
    revoke.add_argument("id", type=UUID, help="the key's id, as `list` shows it")
    revoke.set_defaults(run=_revoke)
    return parser


def _create(args: argparse.Namespace) -> int:
    store.check(args.tenant, args.name, USUAL_SCOPES, args.role)
    scopes = (
        _default_scopes()
        if args.scopes is None
        else [scope.strip() for scope in args.scopes.split(",") if scope.strip()]
    )
    made = store.create(args.tenant, args.name, scopes, args.role)
    _print_error(f"Key {made.id} of tenant {args.tenant} with {', '.join(scopes)}. It is shown only once:")
    sys.stdout.write(f"{made.secret}\n")
    return 0


def _default_scopes() -> Sequence[str]:
    """Return the scopes of a key created without `--scopes`: all of them while no valid key exists, so for the first key."""
    return USUAL_SCOPES if store.is_any_valid() else store.SCOPES


def _list(args: argparse.Namespace) -> int:
    for key in store.list_keys(args.tenant):
        state = f"revoked {timestamp(key.revoked_at)}" if key.revoked_at else "valid"
        sys.stdout.write(
            f"{key.id}  {key.tenant}  {key.name}  {','.join(key.scopes)}  {','.join(key.roles) or '-'}  {state}\n"
        )
    return 0


def _revoke(args: argparse.Namespace) -> int:
    if not store.revoke(args.id):
        _print_error(f"There is no valid key {args.id}.")
        return 1
    _print_error(f"Key {args.id} is revoked. Processes that used it a moment ago refuse it within five seconds.")
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. Return 0 for done, 1 for failed, 2 for wrong arguments or settings."""
    args = _parser().parse_args(arguments)
    try:
        return int(args.run(args))
    except SettingsError as error:
        _print_error(str(error))
        return 2
    except ValueError as error:
        _print_error(str(error))
        return 2
    except exc.ProgrammingError:
        _print_error("The database has no tables yet: run `alembic upgrade head` first.")
        return 1
    except (exc.OperationalError, exc.InterfaceError, psycopg.OperationalError):
        _print_error("PostgreSQL cannot be reached: check TAXIWAY_DATABASE_URL.")
        return 1


if __name__ == "__main__":
    sys.exit(main())
