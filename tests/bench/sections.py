"""The sections of the benchmark: what is run in which rounds, and the rows that come of it."""

import itertools
import json
import os
import subprocess
import time
from pathlib import Path
from typing import Callable

from core import Failed, client_core, options, say, server_core
from measure import calls_per_reply, finish_load, per_core_second, run_load, start_load, steady_kib, sync_micros
from results import Results, Row
from subjects import (Running, Subject, one_process, raw_broadcast, raw_echo, raw_relay, two_processes, with_tokens)


class Started:
    """Starts the subjects of a section, keeps those that run, stops all at the end."""

    def __init__(self, results: Results, subjects: list, place: Path, **arguments):
        self.results = results
        self.subjects = subjects
        self.place = place
        self.arguments = arguments
        self.running = {}

    def __enter__(self):
        for subject in self.subjects:
            try:
                extra = self.arguments if subject in (one_process, two_processes) else {}
                self.running[subject.name] = subject.run(self.place, **extra)
            except Failed as error:
                self.results.fail(error)
        return self

    def __exit__(self, *_):
        for running in self.running.values():
            running.stop()

    def measure(self, name: str, work: Callable[[Running], None]) -> None:
        """Does the work with a subject; one that fails is stopped and left out from here on."""
        running = self.running.get(name)
        if running is None:
            return
        try:
            work(running)
        except (Failed, subprocess.TimeoutExpired) as error:
            self.results.fail(error)
            self.running.pop(name).stop()


def gameservers(*subjects: Subject) -> list:
    return [] if options.raw_only else list(subjects)


# The speed of a shared machine changes within a second by more than the margins below: what is judged closely is
# measured in slices of a round, the subjects in turn, and each slice is compared with the baseline's slice beside it.


def requests(results: Results, place: Path) -> None:
    section = "requests"
    many = options.many_connections
    shapes = {"64 x 1": (64, 1, 4), "64 x 16": (64, 16, 4), "1 x 1": (1, 1, 1), f"{many} x 1": (many, 1, 1)}
    only_one_process = {f"{many} x 1"}

    with Started(results, [raw_echo, raw_relay, *gameservers(one_process, two_processes)], place) as started:
        for number in range(options.rounds):
            for shape, (connections, outstanding, slices) in shapes.items():
                say(f"requests: round {number + 1} of {options.rounds}, {shape}")
                for name in slices * list(started.running):
                    if shape in only_one_process and name in (raw_relay.name, two_processes.name):
                        continue

                    def once(running: Running) -> None:
                        arguments = ["--connections", connections, "--outstanding", outstanding,
                                     "--seconds", options.seconds / slices, *with_tokens(running, connections)]
                        results.keep(section, running.name, shape, run_load(running, arguments))

                    started.measure(name, once)
        count_calls(results, section, started)
    request_rows(results, section, f"{many} x 1")


def cost(results: Results, place: Path) -> None:
    """This version beside another one, slice by slice: what the changes between the two cost a request."""
    section = "cost"
    shapes = {"64 x 1": (64, 1), "64 x 16": (64, 16)}
    slices = 4
    pairs = [(subject, subject.of_other_version()) for subject in (one_process, two_processes)]
    with Started(results, list(itertools.chain(*pairs)), place) as started:
        for number in range(options.rounds):
            for shape, (connections, outstanding) in shapes.items():
                say(f"cost: round {number + 1} of {options.rounds}, {shape}")
                for name in slices * list(started.running):

                    def once(running: Running) -> None:
                        arguments = ["--connections", connections, "--outstanding", outstanding,
                                     "--seconds", options.seconds / slices, *with_tokens(running, connections)]
                        results.keep(section, running.name, shape, run_load(running, arguments))

                    started.measure(name, once)
    for subject, other in pairs:
        for shape in shapes:
            results.add("cost: replies per second of server CPU time",
                        Row(f"{subject.name} / {other.name}, {shape}",
                            results.ratios(section, subject.name, other.name, shape, per_core_second), 0.85, 1.0))


call_shapes = {"64 x 1": (64, 1), "64 x 16": (64, 16)}


def count_calls(results: Results, section: str, started: Started) -> None:
    for shape, (connections, outstanding) in call_shapes.items():
        say(f"{section}: system calls, {shape}")
        for name in list(started.running):

            def count(running: Running) -> None:
                arguments = ["--connections", connections, "--outstanding", outstanding, "--seconds", options.seconds,
                             *with_tokens(running, connections)]
                results.keep(section, running.name, f"calls {shape}", calls_per_reply(running, arguments))

            started.measure(name, count)


def call_rows(results: Results, section: str) -> None:
    for subject in ("raw echo", "raw relay", "one process", "two processes"):
        for shape, must, goal in (("64 x 1", 4.0, 3.0), ("64 x 16", 0.5, 0.25)):
            judged = subject == "two processes"
            results.add(f"{section}: system calls per reply", Row(
                f"{subject}, {shape}", results.kept(section, subject, f"calls {shape}"),
                must if judged else None, goal if judged else None, smaller_is_better=True))


def request_rows(results: Results, section: str, many: str) -> None:
    speed = "requests: replies per second of server CPU time"
    for shape in ("64 x 1", "64 x 16"):
        results.add(speed, Row(f"raw echo, {shape}, absolute", [per_core_second(one) for one in results.kept(section, "raw echo", shape)]))
    for shape in ("64 x 1", "64 x 16"):
        results.add(speed, Row(f"raw relay / raw echo, {shape}", results.ratios(section, "raw relay", "raw echo", shape, per_core_second)))
    limits = {"64 x 1": (0.75, 0.90), "64 x 16": (0.35, 0.60)}
    for subject, base in (("one process", "raw echo"), ("two processes", "raw relay")):
        for shape, (must, goal) in limits.items():
            results.add(speed, Row(f"{subject} / {base}, {shape}",
                                   results.ratios(section, subject, base, shape, per_core_second), must, goal))
    results.add(speed, Row(f"one process / raw echo, {many}",
                           results.ratios(section, "one process", "raw echo", many, per_core_second), 0.65, 0.85))

    trips = "requests: round trip at one connection, p50"
    results.add(trips, Row("raw echo, microseconds", [one["rtt_p50_us"] for one in results.kept(section, "raw echo", "1 x 1")]))
    for subject, must, goal in (("raw relay", None, None), ("one process", None, None), ("two processes", 2.5, 1.7)):
        values = results.ratios(section, subject, "raw echo", "1 x 1", lambda one: one["rtt_p50_us"])
        results.add(trips, Row(f"{subject} / raw echo", values, must, goal, smaller_is_better=True))

    call_rows(results, section)


def sends_per_core_second(result: dict) -> float:
    """Of raw_broadcast: its own account, which holds the loop of send() and nothing else."""
    before, after = result["report_before"], result["report_after"]
    return (after["rounds"] - before["rounds"]) * after["receivers"] / (after["cpu_seconds"] - before["cpu_seconds"])


def broadcast(results: Results, place: Path) -> None:
    section = "broadcast"
    raw_shapes = {"1000 x 1": (1000, 1), "10000 x 1": (10000, 1)}
    shapes = {"1000 x 1": (1000, 1, 5), "1000 x 8": (1000, 8, 1), "10000 x 1": (10000, 1, 1)}
    subjects = gameservers(one_process, two_processes)
    with Started(results, [raw_broadcast, *subjects], place) as started:
        for number in range(options.rounds):
            for shape, (receivers, outstanding, slices) in shapes.items():
                say(f"broadcast: round {number + 1} of {options.rounds}, {shape}")
                for name in slices * list(started.running):
                    if name == raw_broadcast.name and shape not in raw_shapes:
                        continue

                    def once(running: Running) -> None:
                        arguments = ["--broadcast", "--connections", receivers, "--outstanding", outstanding,
                                     "--seconds", options.seconds / slices, *with_tokens(running, receivers + 1)]
                        results.keep(section, running.name, shape, run_load(running, arguments))

                    started.measure(name, once)

    def figure(result: dict) -> float:
        return sends_per_core_second(result) if "report_after" in result else per_core_second(result)

    title = "broadcast: deliveries per second of server CPU time"
    for shape in raw_shapes:
        results.add(title, Row(f"raw send(), {shape.split()[0]} receivers, absolute",
                               [figure(one) for one in results.kept(section, raw_broadcast.name, shape)]))
    limits = {"1000 x 1": (0.8, 0.95), "1000 x 8": (3.0, 5.0), "10000 x 1": (None, None)}
    for subject in subjects:
        for shape, (must, goal) in limits.items():
            base_shape = f"{shape.split()[0]} x 1"
            results.add(title, Row(f"{subject.name} / raw send(), {shape}",
                                   results.ratios(section, subject.name, raw_broadcast.name, shape, figure, base_shape), must, goal))


def raw_rows_per_second(place: Path, rows: int, environment: dict) -> float:
    for leftover in place.glob("raw.db*"):
        leftover.unlink()
    os.sched_setaffinity(0, {server_core})
    try:
        done = subprocess.run([options.programs / "raw_sqlite", place / "raw.db", str(rows), str(options.seconds)],
                              capture_output=True, text=True, timeout=120, env={**os.environ, **environment})
    finally:
        os.sched_setaffinity(0, {client_core})
    if done.returncode != 0:
        raise Failed(f"raw_sqlite: {done.stderr.strip()}")
    return json.loads(done.stdout)["rows_per_second"]


def storage(results: Results, place: Path) -> None:
    """Twice when the disk's sync is fast: as it is, and with a sync of 4 ms, where grouping decides.

    Each player waits for its answer, so of as many players as a commit has rows one half prepares while the other half is
    committed; twice as many fill whole commits, as the raw program's are."""
    place.mkdir(parents=True, exist_ok=True)
    micros = sync_micros(place)
    say(f"storage: a sync takes {micros:.0f} microseconds here")
    as_is = f"sync {micros:.0f} us"
    slow = {"LD_PRELOAD": str(options.programs / "slow_sync.so"), "BENCH_SYNC_MICROS": "4000"}
    kinds = {as_is: {}} if micros > 1000 else {"sync 4 ms": slow, as_is: {}}
    judged = next(iter(kinds))
    for kind, environment in kinds.items():
        with Started(results, gameservers(one_process), place, environment=environment) as started:
            for number in range(options.rounds):
                say(f"storage: round {number + 1} of {options.rounds}, {kind}")
                for rows in (64, 256):
                    results.keep("storage", "raw SQLite", f"{kind} {rows}", raw_rows_per_second(place, rows, environment))
                    for players in (rows, 2 * rows):

                        def once(running: Running) -> None:
                            arguments = ["--request", "save", "--connections", players, "--seconds", options.seconds, *with_tokens(running, players)]
                            result = run_load(running, arguments)
                            results.keep("storage", running.name, f"{kind} {rows} {players}", result["replies"] / result["seconds"])

                        started.measure(one_process.name, once)
        title = f"storage: durable 512-byte commits per second, {kind}"
        for rows in (64, 256):
            results.add(title, Row(f"raw SQLite FULL, {rows} rows a commit", results.kept("storage", "raw SQLite", f"{kind} {rows}")))
        for rows in (64, 256):
            for players in (rows, 2 * rows):
                is_judged = kind == judged and (players, rows) in ((64, 64), (512, 256))
                results.add(title, Row(f"{players} players / raw at {rows} rows",
                                       results.ratios("storage", one_process.name, "raw SQLite", f"{kind} {rows} {players}", lambda one: one, f"{kind} {rows}"),
                                       0.5 if is_judged else None, 0.8 if is_judged else None))


def idle(results: Results, place: Path) -> None:
    players = options.idle_players
    with Started(results, gameservers(one_process, two_processes), place) as started:
        for name in list(started.running):
            say(f"idle: {players} players, {name}")

            def once(running: Running) -> None:
                finish_load(running, start_load(running, ["--idle", *with_tokens(running, 1)]))  # what is made once is made now
                before = steady_kib(running)
                load = start_load(running, ["--idle", "--connections", players, *with_tokens(running, players)])
                try:
                    after = steady_kib(running)
                    running.require_alive()
                    if load.poll() is not None:
                        raise Failed(f"{running.name}: the players were gone before the end: {load.stderr.read().strip()}")
                finally:
                    load.kill()
                    load.wait()
                for label in after:
                    results.keep("idle", running.name, label, (after[label] - before[label]) / players)

            started.measure(name, once)
    title = f"idle: resident KiB for each of {players} players"
    results.add(title, Row("all roles in one process", results.kept("idle", one_process.name, "gameserver"), 8, 3, True))
    results.add(title, Row("gateway of two processes", results.kept("idle", two_processes.name, "gateway"), 4, 1.5, True))
    results.add(title, Row("backend of two processes", results.kept("idle", two_processes.name, "backend")))


def start(results: Results, place: Path) -> None:
    if options.raw_only:
        return
    for number in range(options.rounds):
        say(f"start: round {number + 1} of {options.rounds}")
        for subject in (one_process, two_processes):
            with Started(results, [subject], place) as started:

                def once(running: Running) -> None:
                    load = start_load(running, ["--idle", *with_tokens(running, 1)])  # READY: the gateway took the login
                    results.keep("start", running.name, "milliseconds", (time.monotonic() - running.began) * 1000)
                    finish_load(running, load)

                started.measure(subject.name, once)
    title = "start: milliseconds to the first accepted login"
    results.add(title, Row("one process", results.kept("start", one_process.name, "milliseconds"), 1000, 100, True))
    results.add(title, Row("two processes", results.kept("start", two_processes.name, "milliseconds"), None, None, True))


def limits(results: Results, place: Path) -> None:
    """What repeats on any machine, and so is a test: system calls for a reply, memory for a player."""
    with Started(results, gameservers(two_processes), place) as started:
        count_calls(results, "limits", started)
    call_rows(results, "limits")
    idle(results, place)


sections = {"requests": requests, "broadcast": broadcast, "storage": storage, "idle": idle, "start": start, "limits": limits,
            "cost": cost}
