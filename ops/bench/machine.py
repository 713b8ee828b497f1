"""Description of the machine and the servers, as far as figures depend on them: no names, paths or addresses."""

from __future__ import annotations

import os
import platform
import statistics
import tempfile
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import psycopg
import redis

from ops.bench.figures import rounded
from ops.bench.servers import BenchServers
from ops.bench.systems.environment import version as dbos_version

PAGE = 8192
WRITES = 200


@dataclass(frozen=True)
class Machine:
    """The description in the document."""

    date: str
    processor: str
    cores: int
    memory_gib: int
    system: str
    load_before: float
    """Average number of running processes in the minute before the measurement."""
    write_ms: float
    """Median time of a durable write of 8 KiB to the disk of the database."""
    python: str
    postgres: str
    valkey: str
    celery: str
    dbos: str


def describe(servers: BenchServers, load_before: float) -> Machine:
    """Read the description from the machine and the running servers."""
    with psycopg.connect(servers.postgres.url()) as connection:
        postgres = connection.info.server_version
    with redis.Redis.from_url(servers.valkey.url(), decode_responses=True) as connection_to_valkey:
        server = connection_to_valkey.info("server")
    return Machine(
        date=time.strftime("%Y-%m-%d", time.gmtime()),
        processor=_processor(),
        cores=os.cpu_count() or 0,
        memory_gib=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        system=f"{platform.system()} {platform.machine()}",
        load_before=round(load_before, 2),
        write_ms=rounded(write_to_disk(servers.base)),
        python=platform.python_version(),
        postgres=f"{postgres // 10000}.{postgres % 10000}",
        valkey=str(server.get("valkey_version") or server["redis_version"]),
        celery=version("celery"),
        dbos=dbos_version(),
    )


def write_to_disk(folder: Path) -> float:
    """Return the median milliseconds of one synced page write to the disk of `folder`."""
    times = []
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        for _ in range(WRITES):
            began = time.perf_counter()
            file.write(b"x" * PAGE)
            os.fdatasync(file.fileno())
            times.append(1000 * (time.perf_counter() - began))
    return statistics.median(times)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
