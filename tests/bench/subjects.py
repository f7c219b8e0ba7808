"""The servers under test: how each is started, reached and stopped."""

import http.client
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Callable, Optional

from core import Failed, client_core, options, say, server_core


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def tail(log: Path, lines: int = 20) -> str:
    text = log.read_text(errors="replace").splitlines() if log.exists() else []
    return "\n".join(f"    {line}" for line in text[-lines:]) or "    (its log is empty)"


@dataclass
class Running:
    """The started processes of one subject and how the load generator reaches them."""

    name: str
    folder: Path
    processes: dict = field(default_factory=dict)  # label -> Popen
    load: list = field(default_factory=list)  # the load generator's arguments for it
    load_by_gateway: dict = field(default_factory=dict)  # label -> the same, where there are several gateways
    generator: str = "load"  # the program that speaks its protocol
    login_port: Optional[int] = None  # gameserver: where tokens are to be had
    tokens: list = field(default_factory=list)
    began: float = 0.0  # when its first process was started

    def log(self, label: str) -> Path:
        return self.folder / f"{label}.log"

    def spawn(self, label: str, command: list, environment: Optional[dict] = None) -> None:
        os.sched_setaffinity(0, {server_core})  # inherited by the child from its first instruction
        self.began = self.began or time.monotonic()
        try:
            with open(self.log(label), "wb") as log:
                self.processes[label] = subprocess.Popen(
                    [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                    env={**os.environ, **(environment or {})}, start_new_session=True)
        except OSError as error:
            raise Failed(f"{self.name}: {label} cannot be started: {error}") from None
        finally:
            os.sched_setaffinity(0, {client_core})

    def wait_for_port(self, label: str, port: int, seconds: float = 20) -> None:
        deadline = time.monotonic() + seconds
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            self.require_alive()
            if time.monotonic() > deadline:
                raise Failed(f"{self.name}: {label} does not listen on port {port} after {seconds:.0f} s\n{tail(self.log(label))}")
            time.sleep(0.001)

    def require_alive(self) -> None:
        for label, process in self.processes.items():
            if process.poll() is not None:
                raise Failed(f"{self.name}: {label} ended with status {process.returncode}\n{tail(self.log(label))}")

    def pids(self) -> str:
        return ",".join(str(process.pid) for process in self.processes.values())

    def stop(self) -> None:
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                say(f"{self.name}: process {process.pid} ignores SIGTERM, killed")
                process.kill()
                process.wait()


@dataclass(frozen=True)
class Subject:
    name: str
    start: Callable[[Path], Running]

    def of_other_version(self) -> "Subject":
        """Of the checkout of --against, with the load generator that speaks its protocol."""

        def start(folder: Path, **arguments) -> Running:
            own, options.binary = options.binary, options.against / "build/release/gameserver"
            try:
                running = self.start(folder, **arguments)
            finally:
                options.binary = own
            running.name, running.generator = f"{self.name} of the other", "load-other"
            return running

        return Subject(f"{self.name} of the other", start)

    def run(self, place: Path, **arguments) -> Running:
        folder = place / self.name.replace(" ", "-")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return self.start(folder, **arguments)


def start_or_stop(running: Running, steps: Callable[[], None]) -> Running:
    """Runs the steps of a start; what a failed start left running is stopped."""
    try:
        steps()
    except BaseException:
        running.stop()
        raise
    return running


def start_raw_echo(folder: Path) -> Running:
    running = Running("raw echo", folder)

    def steps() -> None:
        port = free_port()
        running.spawn("server", [options.programs / "raw_echo", port])
        running.wait_for_port("server", port)
        running.load = ["--mode", "raw", "--port", port]

    return start_or_stop(running, steps)


def start_raw_relay(folder: Path) -> Running:
    running = Running("raw relay", folder)

    def steps() -> None:
        port, backend_port = free_port(), free_port()
        running.spawn("backend", [options.programs / "raw_relay", "backend", backend_port])
        running.wait_for_port("backend", backend_port)
        running.spawn("gateway", [options.programs / "raw_relay", "gateway", port, backend_port])
        running.wait_for_port("gateway", port)
        running.load = ["--mode", "framed", "--port", port]

    return start_or_stop(running, steps)


def start_raw_broadcast(folder: Path) -> Running:
    running = Running("raw broadcast", folder)

    def steps() -> None:
        port, control_port = free_port(), free_port()
        running.spawn("server", [options.programs / "raw_broadcast", port, control_port, 64])
        # Only the control port is tried: a connection to the other would be a receiver.
        running.wait_for_port("server", control_port)
        running.load = ["--mode", "raw", "--port", port, "--sender-port", control_port]

    return start_or_stop(running, steps)


def tails(running: Running) -> str:
    return "\n".join(f"  {label}:\n{tail(running.log(label))}" for label in running.processes)


def settings(overrides: dict) -> list:
    return list(itertools.chain.from_iterable(("--set", f"{key}={value}") for key, value in overrides.items()))


# What a load from one address needs: no rate limits, many who log in at once, mottos of the size that is saved.
bench_settings = {
    "gateway.messages_per_second_max": 0,
    "gateway.bytes_per_second_max": 0,
    "gateway.connections_max": 200_000,
    "game.players_max": 200_000,
    "module.chat.lines_per_second": 100_000,
    "module.chat.lines_kept": 0,
    "module.profile.motto_bytes_max": 600,
    "runtime.loops": 1,
    "admin.address": "",
    "log.level": "warn",
}


encrypted_settings = {"gateway.tcp.security": "noise"}


def start_gameserver_one(folder: Path, environment: Optional[dict] = None, name: str = "one process",
                         encrypted: bool = False) -> Running:
    """All roles in one process."""
    running = Running(name, folder)

    def steps() -> None:
        port, login_port = free_port(), free_port()
        running.spawn("gameserver", [
            options.binary, "run", "--roles=all", "--dev", "--data-dir", folder / "data",
            *settings({**bench_settings, **(encrypted_settings if encrypted else {}), "gateway.tcp.address": f"127.0.0.1:{port}",
                       "login.http.address": f"127.0.0.1:{login_port}"}),
            *options.set_arguments,
        ], environment)
        running.wait_for_port("gameserver", port)
        running.wait_for_port("gameserver", login_port)
        running.load = ["--mode", "gs", "--port", port, *(["--secure"] if encrypted else [])]
        running.login_port = login_port

    return start_or_stop(running, steps)


def start_gameserver_two(folder: Path, environment: Optional[dict] = None, name: str = "two processes",
                         encrypted: bool = False, gateways: int = 1) -> Running:
    """The gateways in a process each, the other roles in one more."""
    running = Running(name, folder)
    names = ["gateway"] if gateways == 1 else [f"gateway-{number + 1}" for number in range(gateways)]

    def steps() -> None:
        ports, login_port = {name: free_port() for name in names}, free_port()
        file = folder / "cluster.toml"
        file.write_text(f"""
[server]
development = true
data_directory = "{folder}/data"

[[node]]
name = "backend"
roles = ["login", "center", "game", "storage"]
link = "127.0.0.1:{free_port()}"
http = "127.0.0.1:{login_port}"
""" + "".join(f"""
[[node]]
name = "{name}"
roles = ["gateway"]
link = "127.0.0.1:{free_port()}"
clients = "127.0.0.1:{port}"
""" for name, port in ports.items()))
        for node in ("backend", *names):
            running.spawn(node, [options.binary, "run", "--config", file, "--node", node, *settings(bench_settings),
                                 *(settings(encrypted_settings) if encrypted else []), *options.set_arguments], environment)
        running.wait_for_port("backend", login_port)
        for node, port in ports.items():
            running.wait_for_port(node, port)
            running.load_by_gateway[node] = ["--mode", "gs", "--port", port, *(["--secure"] if encrypted else [])]
        running.load = running.load_by_gateway[names[0]]
        running.login_port = login_port

    return start_or_stop(running, steps)


def guest_token(connection: http.client.HTTPConnection) -> str:
    """One guest account: the request and the field of the reply are the login role's."""
    deadline = time.monotonic() + 10
    while True:
        connection.request("POST", "/v1/guest", body="{}", headers={"Content-Type": "application/json"})
        reply = connection.getresponse()
        body = reply.read()
        if reply.status == 200:
            return json.loads(body)["token"]
        if reply.status != 503 or time.monotonic() > deadline:  # 503: no gateway is ready yet
            raise Failed(f"login answered {reply.status}: {body[:200]!r}")
        time.sleep(0.01)


def guest_tokens(port: int, count: int) -> list:
    """Over one kept connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        return [guest_token(connection) for _ in range(count)]
    finally:
        connection.close()


def with_tokens(running: Running, count: int) -> list:
    """Load arguments that give each connection a logged-in player of its own; none for a raw server."""
    if running.login_port is None:
        return []
    missing = count - len(running.tokens)
    at_once = min(32, missing)
    if missing > 0:
        shares = [missing // at_once + (1 if index < missing % at_once else 0) for index in range(at_once)]
        try:
            with ThreadPoolExecutor(at_once) as pool:
                for tokens in pool.map(guest_tokens, [running.login_port] * at_once, shares):
                    running.tokens += tokens
        except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
            raise Failed(f"{running.name}: no login token: {error!r}\n{tails(running)}") from None
    return ["--tokens", token_file(running, "tokens", running.tokens)]


def token_file(running: Running, name: str, tokens: list) -> Path:
    file = running.folder / name
    file.write_text("".join(f"{token}\n" for token in tokens))
    return file


raw_echo = Subject("raw echo", start_raw_echo)
raw_relay = Subject("raw relay", start_raw_relay)
raw_broadcast = Subject("raw broadcast", start_raw_broadcast)
one_process = Subject("one process", start_gameserver_one)
two_processes = Subject("two processes", start_gameserver_two)
one_encrypted = Subject("one encrypted", partial(start_gameserver_one, name="one encrypted", encrypted=True))
two_encrypted = Subject("two encrypted", partial(start_gameserver_two, name="two encrypted", encrypted=True))
three_gateways = Subject("three gateways", partial(start_gameserver_two, name="three gateways", gateways=3))
