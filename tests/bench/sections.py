"""The sections of the benchmark: what is run in which rounds, and the rows that come of it."""

import itertools
import json
import os
import subprocess
import time
from pathlib import Path
from typing import Callable

from core import Failed, client_core, options, say, server_core
from measure import (calls_per_reply, cpu_seconds, finish_load, per_core_second, run_load, start_load, steady_kib,
                     sync_micros)
from results import Results, Row
from subjects import (Running, Subject, one_encrypted, one_process, raw_broadcast, raw_echo, raw_relay, three_gateways,
                      token_file, two_encrypted, two_processes, with_tokens)


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
    """Requests and replies, plain and encrypted, beside a raw echo and a raw relay; round trips; system calls."""
    section = "requests"
    many = options.many_connections
    shapes = {"64 x 1": (64, 1, 4), "64 x 16": (64, 16, 4), "1 x 1": (1, 1, 1), f"{many} x 1": (many, 1, 1)}
    only_one_process = {f"{many} x 1"}

    subjects = [raw_echo, raw_relay, *gameservers(one_process, one_encrypted, two_processes, two_encrypted)]
    with Started(results, subjects, place) as started:
        for number in range(options.rounds):
            for shape, (connections, outstanding, slices) in shapes.items():
                say(f"requests: round {number + 1} of {options.rounds}, {shape}")
                for name in slices * list(started.running):
                    if shape in only_one_process and name not in (raw_echo.name, one_process.name):
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


called = ("raw echo", "raw relay", "one process", "two processes")
call_shapes = {"64 x 1": (64, 1), "64 x 16": (64, 16)}


def count_calls(results: Results, section: str, started: Started) -> None:
    for shape, (connections, outstanding) in call_shapes.items():
        say(f"{section}: system calls, {shape}")
        for name in [name for name in called if name in started.running]:

            def count(running: Running) -> None:
                arguments = ["--connections", connections, "--outstanding", outstanding, "--seconds", options.seconds,
                             *with_tokens(running, connections)]
                results.keep(section, running.name, f"calls {shape}", calls_per_reply(running, arguments))

            started.measure(name, count)


def call_rows(results: Results, section: str) -> None:
    for subject in called:
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
    limits = {"64 x 1": 0.70, "64 x 16": 0.25}
    for subject, base in (("one encrypted", "raw echo"), ("two encrypted", "raw relay")):
        for shape, goal in limits.items():
            results.add(speed, Row(f"{subject} / {base}, {shape}",
                                   results.ratios(section, subject, base, shape, per_core_second), None, goal))
    results.add(speed, Row(f"one process / raw echo, {many}",
                           results.ratios(section, "one process", "raw echo", many, per_core_second), 0.65, 0.85))

    trips = "requests: round trip at one connection, p50"
    results.add(trips, Row("raw echo, microseconds", [one["rtt_p50_us"] for one in results.kept(section, "raw echo", "1 x 1")]))
    for subject, must, goal in (("raw relay", None, None), ("one process", None, None), ("two processes", 2.5, 1.7),
                                ("two encrypted", None, None)):
        values = results.ratios(section, subject, "raw echo", "1 x 1", lambda one: one["rtt_p50_us"])
        results.add(trips, Row(f"{subject} / raw echo", values, must, goal, smaller_is_better=True))

    call_rows(results, section)


def sends_per_core_second(result: dict) -> float:
    """Of raw_broadcast: its own account, which holds the loop of send() and nothing else."""
    before, after = result["report_before"], result["report_after"]
    return (after["rounds"] - before["rounds"]) * after["receivers"] / (after["cpu_seconds"] - before["cpu_seconds"])


def broadcast(results: Results, place: Path) -> None:
    """A line to 1,000 and 10,000 receivers, plain and encrypted, beside a loop of send()."""
    section = "broadcast"
    raw_shapes = {"1000 x 1": (1000, 1), "10000 x 1": (10000, 1)}
    shapes = {"1000 x 1": (1000, 1, 5), "1000 x 8": (1000, 8, 1), "10000 x 1": (10000, 1, 1)}
    subjects = gameservers(one_process, two_processes, two_encrypted)
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
            if subject is two_encrypted:
                must, goal = None, None  # each receiver's bytes are its own
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


heartbeat_seconds = 15  # the gateway's default
active_seconds = 10


def memory(results: Results, section: str, running: Running, players: int, arguments: list) -> subprocess.Popen:
    """Keeps what each player costs; gives back the load generator, which holds them."""
    finish_load(running, start_load(running, ["--idle", *with_tokens(running, 1)]))  # what is made once is made now
    tokens = with_tokens(running, players)
    before = steady_kib(running)
    load = start_load(running, [*arguments, "--connections", players, *tokens])
    try:
        after = steady_kib(running)
        running.require_alive()
        if load.poll() is not None:
            raise Failed(f"{running.name}: the players were gone before the end: {load.stderr.read().strip()}")
    except BaseException:
        load.kill()
        raise
    for label in after:
        results.keep(section, running.name, label, (after[label] - before[label]) / players)
    results.keep(section, running.name, "all", sum(after[label] - before[label] for label in after) / players)
    return load


def idle_cpu(running: Running, gateways: list) -> float:
    """Percent of a core that the gateways take while everybody is silent and each is asked once."""
    time.sleep(heartbeat_seconds)  # since the last of them was heard
    before = [cpu_seconds(running.processes[label].pid) for label in gateways]
    time.sleep(heartbeat_seconds)
    after = [cpu_seconds(running.processes[label].pid) for label in gateways]
    return 100 * (sum(after) - sum(before)) / heartbeat_seconds


def idle_memory(results: Results, place: Path) -> None:
    players = options.idle_players
    with Started(results, gameservers(one_process, two_processes), place) as started:
        for name in list(started.running):
            say(f"idle: {players} players, {name}")

            def once(running: Running) -> None:
                load = memory(results, "idle", running, players, ["--idle"])
                load.kill()
                load.wait()

            started.measure(name, once)
    memory_rows(results, players)


def memory_rows(results: Results, players: int) -> None:
    title = f"idle: resident KiB for each of {players} players"
    results.add(title, Row("all roles in one process", results.kept("idle", one_process.name, "gameserver"), 8, 3, True))
    results.add(title, Row("gateway of two processes", results.kept("idle", two_processes.name, "gateway"), 4, 1.5, True))
    results.add(title, Row("backend of two processes", results.kept("idle", two_processes.name, "backend")))


def idle(results: Results, place: Path) -> None:
    """Memory of the silent, CPU of their heartbeats, and the answers to those who are not silent."""
    idle_memory(results, place)
    players, active = options.idle_players, min(options.active_players, options.idle_players)
    paced = ["--hold", "--warm-up", 0, "--active", active, "--rate", 1, "--seconds", active_seconds]
    for subject in [raw_echo, *gameservers(two_processes, two_encrypted)]:
        with Started(results, [subject], place) as started:
            say(f"idle: {players} players, {active} of them active, {subject.name}")

            def once(running: Running) -> None:
                if subject is two_encrypted:
                    load = memory(results, "idle", running, players, paced)
                else:
                    load = start_load(running, [*paced, "--connections", players, *with_tokens(running, players)])
                try:
                    if subject is not raw_echo:
                        results.keep("idle", running.name, "cpu", idle_cpu(running, ["gateway"]))
                    results.keep("idle", running.name, "active", json.loads(finish_load(running, load)))
                finally:
                    load.kill()
                    load.wait()

            started.measure(subject.name, once)
    title = f"idle: resident KiB for each of {players} players"
    results.add(title, Row("gateway of two, encrypted", results.kept("idle", two_encrypted.name, "gateway")))
    for subject in (two_processes, two_encrypted):
        results.add(f"idle: {players} silent players, percent of a core",
                    Row(f"gateway of {subject.name}", results.kept("idle", subject.name, "cpu"), smaller_is_better=True))
    title = f"idle: {players} players, {active} ask once a second"
    for quantile in ("p50", "p99"):
        for subject in (raw_echo, two_processes, two_encrypted):
            trips = [one[f"rtt_{quantile}_us"] for one in results.kept("idle", subject.name, "active")]
            results.add(title, Row(f"{subject.name}, {quantile}, microseconds", trips))
            if subject is not raw_echo:
                results.add(title, Row(f"{subject.name} / raw echo, {quantile}",
                                       results.ratios("idle", subject.name, raw_echo.name, "active",
                                                      lambda one: one[f"rtt_{quantile}_us"]), smaller_is_better=True))


def crowd(results: Results, place: Path) -> None:
    """More players than one process may have files: three gateways, each with a load generator of its own."""
    players, active = options.crowd_players, min(options.active_players, options.crowd_players)
    with Started(results, gameservers(three_gateways), place) as started:

        def once(running: Running) -> None:
            gateways = list(running.load_by_gateway)
            say(f"crowd: {players} players log in")
            with_tokens(running, players)
            before = steady_kib(running)
            loads = []
            began = time.monotonic()
            try:
                for number, gateway in enumerate(gateways):
                    tokens = running.tokens[number * players // len(gateways):(number + 1) * players // len(gateways)]
                    arguments = ["--hold", "--warm-up", 0, "--active", max(1, active // len(gateways)), "--rate", 1,
                                 "--seconds", active_seconds, "--connections", len(tokens),
                                 "--tokens", token_file(running, f"tokens-{gateway}", tokens)]
                    loads.append(start_load(running, arguments, gateway))
                say(f"crowd: {players} players entered in {time.monotonic() - began:.1f} s")
                after = steady_kib(running)
                running.require_alive()
                grown = {label: after[label] - before[label] for label in after}
                results.keep("crowd", running.name, "gateways", sum(grown[label] for label in gateways) / players)
                results.keep("crowd", running.name, "all", sum(grown.values()) / players)
                results.keep("crowd", running.name, "cpu", idle_cpu(running, gateways))
                for load in loads:
                    load.stdin.write("go\n")
                    load.stdin.flush()
                reports = [json.loads(finish_load(running, load)) for load in loads]
                results.keep("crowd", running.name, "active", {
                    quantile: max(report[quantile] for report in reports) for quantile in ("rtt_p50_us", "rtt_p99_us")})
            finally:
                for load in loads:
                    load.kill()
                    load.wait()

        started.measure(three_gateways.name, once)
    name = three_gateways.name
    title = f"crowd: {players} players at three gateways"
    results.add(title, Row("gateways, KiB for each", results.kept("crowd", name, "gateways"), 4, 1.5, True))
    results.add(title, Row("all processes, KiB for each", results.kept("crowd", name, "all"), 8, 3, True))
    results.add(title, Row("gateways, all silent, % of a core", results.kept("crowd", name, "cpu"), smaller_is_better=True))
    for quantile in ("p50", "p99"):
        trips = [one[f"rtt_{quantile}_us"] for one in results.kept("crowd", name, "active")]
        results.add(title, Row(f"{active} active, {quantile}, worst, us", trips, smaller_is_better=True))


def x25519_per_core_second() -> float:
    os.sched_setaffinity(0, {server_core})
    try:
        done = subprocess.run([options.programs / "raw_x25519", str(options.seconds)], capture_output=True, text=True, timeout=120)
    finally:
        os.sched_setaffinity(0, {client_core})
    if done.returncode != 0:
        raise Failed(f"raw_x25519: {done.stderr.strip()}")
    report = json.loads(done.stdout)
    return report["handshakes"] / report["cpu_seconds"]


def handshakes(results: Results, place: Path) -> None:
    """Who connects, says hello, enters and is gone again: what that costs the gateway, without and with encryption.

    The session of a player who comes again is still there, so the game has little to do."""
    section, at_once = "handshakes", 64
    with Started(results, [raw_echo, *gameservers(two_processes, two_encrypted)], place) as started:
        for number in range(options.rounds):
            say(f"handshakes: round {number + 1} of {options.rounds}")
            results.keep(section, "raw X25519", "logins", {"replies": x25519_per_core_second(), "server_cpu_seconds": 1.0})
            for name in 4 * list(started.running):

                def once(running: Running) -> None:
                    counted = running.processes.get("gateway") or running.processes["server"]
                    arguments = ["--logins", "--connections", at_once, "--seconds", options.seconds / 4,
                                 "--pids", counted.pid, *with_tokens(running, at_once)]
                    results.keep(section, running.name, "logins", run_load(running, arguments))

                started.measure(name, once)
    title = "handshakes: logins per second of the gateway's CPU time"

    def absolute(name: str, subject: str) -> None:
        results.add(title, Row(name, [per_core_second(one) for one in results.kept(section, subject, "logins")]))

    def ratio(subject: str, base: str) -> None:
        results.add(title, Row(f"{subject} / {base}", results.ratios(section, subject, base, "logins", per_core_second)))

    absolute("raw echo, connect and 64 bytes", raw_echo.name)
    absolute("raw X25519, the gateway's part", "raw X25519")
    absolute("two processes", two_processes.name)
    absolute("two encrypted", two_encrypted.name)
    ratio(two_processes.name, raw_echo.name)
    ratio(two_encrypted.name, two_processes.name)
    ratio(two_encrypted.name, "raw X25519")


def start(results: Results, place: Path) -> None:
    """From the start of the processes to the first player in the game."""
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
    idle_memory(results, place)


sections = {"requests": requests, "broadcast": broadcast, "handshakes": handshakes, "storage": storage, "idle": idle,
            "start": start, "crowd": crowd, "limits": limits, "cost": cost}
# crowd takes minutes, limits repeats what of the others is a test, cost needs --against.
not_by_default = ("crowd", "limits", "cost")
