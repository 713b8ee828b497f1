"""A real host repeats nothing that is recorded, and notices when the code no longer fits the records."""

from __future__ import annotations

from pathlib import Path

from tests.processes.host_driver import Host, Run, agents_file, wait_until
from tests.processes.host_effects import EFFECT, effects


def test_a_replay_executes_nothing_that_is_recorded_and_returns_the_same_objects(tmp_path: Path) -> None:
    source = (
        EFFECT
        + """
    import dataclasses

    @dataclasses.dataclass
    class Order:
        id: str
        lines: tuple[int, ...]

    def fetch(id: str) -> Order:
        effect(id)
        return Order(id, (1, 2))

    @agent
    def main(run: Run):
        order = run.step(fetch, "A7")
        again = run.step(fetch, id="A7")
        return [order.id, list(order.lines), type(order.lines).__name__, again == order]
    """
    )
    run = Run("main")
    with Host(agents_file(tmp_path, source)) as host:
        host.hello()
        first = host.result(run)
        assert host.next()["frame"] == "idle"
        seen = len(host.frames)
        assert host.result(run) == first == ["A7", [1, 2], "tuple", True]
        assert [frame["frame"] for frame in host.frames[seen:]] == ["finish"]
    assert effects(tmp_path) == ["A7", "A7"]
    assert {step["occurrence"] for step in run.steps.values()} == {1}, "positional and named arguments differ"


def test_another_host_reads_what_was_recorded_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "kennel.py").write_text(
        "import dataclasses\nfrom my_agents import Animal\n"
        "@dataclasses.dataclass\nclass Dog(Animal):\n    breed: str = 'pug'\n"
    )
    source = (
        EFFECT
        + """
    import dataclasses, enum

    @dataclasses.dataclass
    class Animal:
        name: str

    class Planet(enum.Enum):
        EARTH = (5.97e24, 6.37e6)

    def adopt() -> Animal:
        from kennel import Dog
        effect("adopt")
        return Dog("Rex")

    def anything():
        effect("anything")
        return {"where": Planet.EARTH, "pair": (1, 2.5)}

    @agent
    def main(run: Run) -> list[str]:
        return [repr(run.step(adopt)), repr(run.step(anything))]
    """
    )
    run = Run("main")
    with Host(agents_file(tmp_path, source)) as host:
        host.hello()
        first = host.result(run)
    with Host(agents_file(tmp_path, source)) as host:
        host.hello()
        assert host.result(run) == first
    assert first == [
        "Dog(name='Rex', breed='pug')",
        "{'where': <Planet.EARTH: (5.97e+24, 6370000.0)>, 'pair': (1, 2.5)}",
    ]
    assert effects(tmp_path) == ["adopt", "anything"]


def test_a_step_that_cannot_be_recorded_is_not_executed(tmp_path: Path) -> None:
    source = (
        EFFECT
        + """
    def charge() -> set:
        effect("charged")
        return {1}

    @agent
    def main(run: Run):
        return run.step(charge)
    """
    )
    with Host(agents_file(tmp_path, source)) as host:
        host.hello()
        end = host.carry(Run("main"))
    assert end["error"]["type"] == "UnknownType"
    assert "charge -> set cannot be recorded" in end["error"]["message"]
    assert "my_agents.py" in end["error"]["traceback"]
    assert effects(tmp_path) == []


def test_equal_calls_are_told_apart_by_their_order(tmp_path: Path) -> None:
    source = """
    counter = 0
    def tick() -> int:
        global counter
        counter += 1
        return counter

    @agent
    def main(run: Run):
        return [run.step(tick), run.step(tick), run.using(name="pinned").step(tick)]
    """
    run = Run("main")
    with Host(agents_file(tmp_path, source)) as host:
        host.hello()
        assert host.result(run) == [1, 2, 3]
        host.next()
        assert host.result(run) == [1, 2, 3]
    assert list(run.steps)[2] == "pinned##1"
    assert [key.split("#")[2] for key in run.steps] == ["1", "2", "1"]


def test_a_host_killed_in_a_step_leaves_the_recorded_ones_alone(tmp_path: Path) -> None:
    source = (
        EFFECT
        + """
    def work(n: int) -> int:
        effect(n)
        if n == 2 and not (LOG.parent / "second").exists():
            (LOG.parent / "second").touch()
            time.sleep(3600)
        return n * 10

    @agent
    def main(run: Run):
        return [run.step(work, n) for n in range(4)]
    """
    )
    agents, run = agents_file(tmp_path, source), Run("main")
    with Host(agents) as host:
        host.hello()
        host.activate(run)
        host.serve(run, until=lambda frame: frame["frame"] == "step_started" and len(run.steps) == 2)
        wait_until((tmp_path / "second").exists)
        host.kill()
    with Host(agents) as host:
        host.hello()
        assert host.result(run) == [0, 10, 20, 30]
    assert effects(tmp_path) == ["0", "1", "2", "2", "3"]


def test_a_new_step_before_recorded_ones_is_a_code_mismatch_that_no_agent_code_can_swallow(tmp_path: Path) -> None:
    old = """
    def first(): return 1
    def second(): return 2

    @agent
    def main(run: Run):
        run.step(first)
        run.step(second)
        raise SystemExit
    """
    new = """
    def first(): return 1
    def inserted(): (Path(__file__).parent / "executed").touch()

    @agent
    def main(run: Run):
        run.step(first)
        for _ in range(3):
            try:
                run.step(inserted)
            except BaseException:
                pass
        return "went on"
    """
    run = Run("main")
    with Host(agents_file(tmp_path, old)) as host:
        host.hello()
        assert host.carry(run)["error"]["type"] == "SystemExit"
    with Host(agents_file(tmp_path, new)) as host:
        host.hello()
        end = host.carry(run)
    assert end["error"]["code"] == "code_mismatch"
    assert "'inserted'" in end["error"]["message"]
    assert "'second'" in end["error"]["message"]
    assert not (tmp_path / "executed").exists()


def test_a_step_appended_after_all_recorded_ones_is_no_mismatch(tmp_path: Path) -> None:
    source = "@agent\ndef main(run: Run):\n    return [run.step(int, n) for n in range({n})]\n"
    run = Run("main")
    with Host(agents_file(tmp_path, source.format(n=2))) as host:
        host.hello()
        host.result(run)
    with Host(agents_file(tmp_path, source.format(n=3))) as host:
        host.hello()
        assert host.result(run) == [0, 1, 2]
        assert [frame["key"].split("#")[0] for frame in host.of_kind("step")] == ["int"]


def test_a_large_recorded_value_is_recalled_when_it_is_needed(tmp_path: Path) -> None:
    source = """
    def page() -> str:
        return "ü" * 40_000

    @agent
    def main(run: Run):
        return len(run.step(page))
    """
    run = Run("main")
    with Host(agents_file(tmp_path, source)) as host:
        host.hello()
        assert host.result(run) == 40_000
        host.next()
        assert host.result(run) == 40_000
    assert len(host.of_kind("recall")) == 1
    assert len(host.of_kind("step")) == 1


def test_the_idempotency_key_of_a_step_is_the_same_in_every_attempt_and_host_and_no_other_s(tmp_path: Path) -> None:
    source = """
    @step(retry=Retry(2, initial="1ms"))
    def key(n):
        info = taxiway.step_info()
        with (Path(__file__).parent / "keys").open("a") as keys:
            keys.write(f"{info.idempotency_key}\\n")
        if info.attempt == 1:
            raise ValueError
        return info.idempotency_key

    @agent
    def main(run: Run):
        return [run.step(key, 1), run.step(key, 2)]
    """
    agents = agents_file(tmp_path, source)
    with Host(agents) as host:
        host.hello()
        one, two = host.result(Run("main", run_id="a"))
    with Host(agents) as host:
        host.hello()
        assert host.result(Run("main", run_id="a")) == [one, two]
        host.next()
        other, _ = host.result(Run("main", run_id="b"))
    assert (tmp_path / "keys").read_text().split()[:4] == [one, one, two, two]
    assert len({one, two, other}) == 3
