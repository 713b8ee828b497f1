"""The image and the composition name only commands, options, files and variables that exist."""

from __future__ import annotations

import importlib.util
import re
import shlex
from pathlib import Path
from typing import Any

import alembic.config
import click
import flower.command  # noqa: F401 - defines Flower's options
import pytest
import tornado.options
import yaml
from celery.bin.celery import celery as celery_command
from uvicorn.main import main as uvicorn_command

from api.keys import __main__
from models.runtime.host_user import accounts_named
from models.runtime.settings import Settings
from ops import health
from ops.stack import commands

ROOT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"] == "taxiway"}
DOCKERFILE = (ROOT / "ops" / "Dockerfile").read_text()
INSTRUCTIONS = [
    line.split(maxsplit=1)
    for line in re.sub(r"\s*\\\n\s*", " ", re.sub(r"(?m)^#.*\n", "", DOCKERFILE)).splitlines()
    if line.strip()
]
SETTINGS = {f"TAXIWAY_{name.upper()}" for name in Settings.model_fields}
RUNNERS = {
    *("TAXIWAY_PORT", "TAXIWAY_WORKERS", "TAXIWAY_SLOTS", "TAXIWAY_SCHEDULERS", "TAXIWAY_URL", "TAXIWAY_API_KEY"),
    *("TAXIWAY_PIDS_", "TAXIWAY_PIDS_API", "TAXIWAY_PIDS_SCHEDULER", "TAXIWAY_PIDS_WORKER"),
    *("TAXIWAY_POSTGRES_BIN", "TAXIWAY_VALKEY_BIN", "TAXIWAY_BROWSER_BIN"),
}
"""Variables of the process runner and the client, which no server process reads."""


def dockerfile_command() -> list[str]:
    (text,) = (rest for instruction, rest in INSTRUCTIONS if instruction == "CMD")
    command: list[str] = yaml.safe_load(text)
    return command


def health_check(service: dict[str, Any]) -> list[str]:
    kind, *command = service["healthcheck"]["test"]
    assert kind == "CMD"
    return list(command)


OUR_COMMANDS: dict[str, list[str]] = {
    "Dockerfile": dockerfile_command(),
    **{name: service["command"] for name, service in OURS.items()},
    **{f"health of {name}": health_check(service) for name, service in OURS.items() if name != "migrate"},
    "make up: migrate": commands.migrate(),
    "make up: key": commands.create_key("first"),
    "make up: api": commands.api(8000),
    "make up: scheduler": commands.scheduler(),
    "make up: worker": commands.worker("default", 1, 4),
    "make up: flower": commands.flower(),
    **{
        f"comment {number}": shlex.split(found)
        for number, found in enumerate(re.findall(r"run --rm migrate (python .*)", (ROOT / "compose.yaml").read_text()))
    },
}


def check_command(words: list[str]) -> None:
    """Fail if a program, a module, an option or a file of a command does not exist."""
    program, *arguments = words
    if Path(program).name.startswith("python"):
        switch, program, *arguments = arguments
        if switch == "-c":
            compile(program, "command", "exec")
            return
        assert switch == "-m"
    checks = {
        "uvicorn": check_uvicorn,
        "celery": check_celery,
        "alembic": check_alembic,
        "ops.health": check_health,
        "api.keys": lambda given: __main__._parser().parse_args(given),
    }
    checks.get(program, lambda _: check_module(program))(arguments)


def check_module(name: str) -> None:
    spec = importlib.util.find_spec(name)
    assert spec is not None, f"there is no module {name}"
    if spec.submodule_search_locations:
        assert importlib.util.find_spec(f"{name}.__main__"), f"package {name} cannot be run"


def check_options(command: click.Command, arguments: list[str]) -> list[str]:
    """Parse without running anything; return the remaining arguments."""
    context = click.Context(command, info_name=command.name, allow_interspersed_args=False)
    _, rest, _ = command.make_parser(context).parse_args(args=list(arguments))
    return list(rest)


def check_uvicorn(arguments: list[str]) -> None:
    target, *options = arguments
    check_options(uvicorn_command, options)
    module, _, variable = target.partition(":")
    spec = importlib.util.find_spec(module)
    assert spec, f"there is no module {module}"
    assert spec.origin
    assert re.search(rf"(?m)^{variable}\b.*=", Path(spec.origin).read_text()), f"{module} has no {variable}"


def check_celery(arguments: list[str]) -> None:
    name, *rest = check_options(celery_command, arguments)
    application = arguments[arguments.index("-A") + 1]
    assert importlib.util.find_spec(application), f"there is no package {application}"
    if name == "flower":
        check_flower(rest)
    else:
        assert check_options(celery_command.commands[name], rest) == []


def check_flower(options: list[str]) -> None:
    for option in options:
        name, _, value = option.removeprefix("--").partition("=")
        assert name.replace("-", "_") in known_to_flower(), f"Flower has no option {name}"
        if name == "conf":
            assert (ROOT / value).is_file(), f"{value} does not exist"


def known_to_flower() -> set[str]:
    return {name.replace("-", "_") for name in tornado.options.options}


def check_alembic(arguments: list[str]) -> None:
    alembic.config.CommandLine().parser.parse_args(arguments)
    assert (ROOT / "models" / "migrations" / "env.py").is_file()


def check_health(arguments: list[str]) -> None:
    (kind,) = arguments
    assert kind == "api" or kind in health.SESSIONS


@pytest.mark.parametrize("words", OUR_COMMANDS.values(), ids=OUR_COMMANDS)
def test_every_command_can_be_run(words: list[str]) -> None:
    check_command(words)


@pytest.mark.parametrize(
    "words",
    [
        ["python", "-m", "schedular"],
        ["python", "-m", "models"],
        ["uvicorn", "api.app:application"],
        ["uvicorn", "api.app:app", "--hots", "0.0.0.0"],
        ["celery", "-A", "executer", "worker"],
        ["celery", "-A", "executor", "worker", "--without-mingel"],
        ["celery", "-A", "executor", "wroker"],
        ["celery", "-A", "executor", "flower", "--conf=flowerconfig.py"],
        ["alembic", "upgrad", "head"],
        ["python", "-m", "ops.health", "workers"],
        ["python", "-m", "api.keys", "create", "--tennant", "default"],
    ],
)
def test_a_command_with_a_typo_would_be_noticed(words: list[str]) -> None:
    with pytest.raises((AssertionError, KeyError, click.ClickException, SystemExit)):
        check_command(words)


def variables_of(service: dict[str, Any]) -> set[str]:
    return set(service.get("environment", {}))


@pytest.mark.parametrize("name", OURS)
def test_every_variable_of_a_service_is_one_that_its_process_reads(name: str) -> None:
    flowers = {f"FLOWER_{option.upper()}" for option in known_to_flower()} if name == "flower" else set()
    assert variables_of(OURS[name]) <= SETTINGS | flowers


def test_every_variable_that_a_deployment_file_mentions_exists() -> None:
    files = [ROOT / "compose.yaml", ROOT / "ops" / "Dockerfile", ROOT / "Makefile", *(ROOT / "ops").rglob("*.py")]
    for file in files:
        mentioned = set(re.findall(r"TAXIWAY_[A-Z_]+", file.read_text()))
        assert mentioned <= SETTINGS | RUNNERS, file


def test_the_image_sets_only_variables_that_exist_with_values_that_are_right() -> None:
    (text,) = (rest for instruction, rest in INSTRUCTIONS if instruction == "ENV")
    values = dict(pair.split("=", 1) for pair in shlex.split(text))
    ours = {name: value for name, value in values.items() if name.startswith("TAXIWAY_")}
    assert ours.keys() <= SETTINGS
    Settings(**{name.removeprefix("TAXIWAY_").lower(): value for name, value in ours.items()})


def test_secrets_come_from_outside_and_are_asked_for_when_missing() -> None:
    text = (ROOT / "compose.yaml").read_text()
    for name in ("POSTGRES_PASSWORD", "VALKEY_PASSWORD", "TAXIWAY_SECRET_KEY", "FLOWER_BASIC_AUTH"):
        used = re.findall(rf"\${{{name}(.*?)}}", text)
        assert used, name
        assert all(rest.startswith(":?") for rest in used), name


def test_a_service_starts_only_after_what_it_needs_has_proved_itself() -> None:
    for name, service in OURS.items():
        for needed, how in service["depends_on"].items():
            match how["condition"]:
                case "service_healthy":
                    assert "healthcheck" in SERVICES[needed], f"{name} waits for the health of {needed}"
                case "service_completed_successfully":
                    assert needed == "migrate"
                case other:
                    pytest.fail(f"{name} waits for {needed} only to be {other}")


def test_everything_that_stays_up_has_a_health_check() -> None:
    assert {name for name, service in SERVICES.items() if "healthcheck" not in service} == {"migrate"}


def test_workers_can_be_scaled() -> None:
    worker = SERVICES["worker"]
    assert not worker.keys() & {"container_name", "ports", "hostname"}
    assert "%h" in worker["command"][worker["command"].index("-n") + 1], "two workers need two node names"


def test_nothing_is_published_beyond_this_machine() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_the_image_runs_as_an_ordinary_user() -> None:
    users = [rest for instruction, rest in INSTRUCTIONS if instruction == "USER"]
    assert users == ["taxiway"]
    assert "--uid 10001" in DOCKERFILE


def test_workers_have_an_account_for_every_host_and_only_the_rights_that_this_takes() -> None:
    worker = SERVICES["worker"]
    (_, default) = worker["environment"]["TAXIWAY_HOST_USER"].strip("${}").split(":-")
    slots = int(worker["command"][worker["command"].index("-c") + 1])
    accounts = accounts_named(default)
    assert len(accounts) >= 2 * (slots + 1 + Settings(secret_key="k" * 16).idle_hosts), (
        "also for the one that comes after it"
    )
    assert not {10001, 0} & set(accounts), "an account of hosts is none of ours"
    assert (worker["user"], worker["cap_drop"]) == ("root", ["ALL"])
    assert set(worker["cap_add"]) == {"SETUID", "SETGID", "KILL", "CHOWN", "DAC_OVERRIDE", "FOWNER"}
    assert "cap_add" not in {key for name, service in OURS.items() if name != "worker" for key in service}
    said = (ROOT / "docs" / "operations.md").read_text()
    assert all(f"`{capability}`" in said for capability in worker["cap_add"])


def test_the_image_copies_only_what_exists_and_is_not_ignored() -> None:
    allowed = {line[1:].strip("/") for line in (ROOT / ".dockerignore").read_text().splitlines() if line[0] == "!"}
    copies = [shlex.split(rest) for instruction, rest in INSTRUCTIONS if instruction == "COPY"]
    sources = {source.strip("/") for words in copies if "--from=build" not in words for source in words[:-1]}
    assert {"api", "executor", "models", "ops", "scheduler", "sdk"} <= sources
    for source in sources:
        assert (ROOT / source).exists(), source
        assert source in allowed, f".dockerignore hides {source}"


def test_every_image_of_others_is_named_by_tag_and_digest() -> None:
    bases = [rest.split()[0] for instruction, rest in INSTRUCTIONS if instruction == "FROM"]
    images = [*bases, *(service["image"] for name, service in SERVICES.items() if name not in OURS)]
    assert len(images) == 4
    assert not [image for image in images if not re.fullmatch(r"[a-z/]+:[0-9a-z.-]+@sha256:[0-9a-f]{64}", image)]
    assert len(set(bases)) == 1, "both stages run one Python"
