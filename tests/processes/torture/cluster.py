"""A cluster of real processes on loopback: each node a child of the driver, with a config file of its own.

Not `gameserver up`: it waits longer and longer before it starts again what dies often, and here a node's config may
name a proxy where another node listens. What `up` does when a node dies is tested in cluster_test.cpp."""

import ctypes
import http.client
import itertools
import os
import random
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

from proxy import Network

PATIENCE = 60  # seconds; much longer than anything takes, so that only what hangs is caught
POLL = 0.01


class Failed(Exception):
    """Something did not happen, or must not have; the text says what."""


def wait_until(what: str, is_true, patience: float = PATIENCE, check=lambda: None) -> float:
    """Asks every few milliseconds; returns how many seconds it took."""
    began = time.monotonic()
    while not is_true():
        check()
        if time.monotonic() - began > patience:
            raise Failed(f"waited {patience:.0f} s in vain until {what}")
        time.sleep(POLL)
    return time.monotonic() - began


def free_ports():
    """Outside the range that the system gives to outgoing connections: one of those could otherwise take the port of a
    node that is away for a moment."""
    for port in itertools.cycle(range(20_000 + os.getpid() % 100 * 100, 32_000)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        yield port


def die_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def slow_sync(folder: Path) -> Path:
    """What makes syncs slow is compiled where it is needed."""
    source = Path(__file__).resolve().parents[2] / "bench" / "slow_sync.c"
    library = folder / "slow_sync.so"
    subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-O2", source, "-o", library, "-ldl"], check=True)
    return library


def fetch(port: int, path: str) -> tuple:
    """Status and text; status 0 when nobody answers within a second."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    except (OSError, http.client.HTTPException):
        return 0, ""
    finally:
        connection.close()


class Node:
    def __init__(self, name: str, role: str) -> None:
        self.name, self.role = name, role
        self.ports = {}
        self.process = None
        self.log = None


class Cluster:
    """Context manager; all nodes are ready when it is entered, and killed when it is left. The processes of a paused
    node are never lost: SIGKILL ends them too."""

    def __init__(self, binary: Path, folder: Path, settings: dict, gateways: int = 2, games: int = 2, centers: int = 2,
                 generator: random.Random = None, disk_ms: int = 0) -> None:
        """With a generator there is a proxy before each node's links and each gateway's clients: see `proxies`.
        `disk_ms`: so much longer the disk takes for each sync."""
        self.binary, self.folder, self.settings = binary, folder, settings
        counts = {"gateway": gateways, "login": 1, "center": centers, "game": games, "storage": 1}
        self.nodes = {name: Node(name, role) for role, count in counts.items()
                      for name in [f"{role}-{number + 1}" for number in range(count)]}
        self.storage_environment = dict(os.environ)
        if disk_ms > 0:
            self.storage_environment.update(LD_PRELOAD=str(slow_sync(folder)), BENCH_SYNC_MICROS=str(disk_ms * 1000))
        self.network = Network() if generator else None
        self.proxies = {}  # by what they stand between: "game-1 storage-1", "clients gateway-1"
        ports = free_ports()
        for node in self.nodes.values():
            node.ports = {key: next(ports) for key in ("link", "admin", "clients", "http")}
        if self.network:
            for one, other in itertools.combinations(sorted(self.nodes), 2):
                # The node whose name comes first dials.
                self._proxy(f"{one} {other}", next(ports), self.nodes[other].ports["link"], generator)
            for node in self.of("gateway"):
                self._proxy(f"clients {node.name}", next(ports), node.ports["clients"], generator)
        for node in self.nodes.values():
            self._write_config(node)

    def _proxy(self, name: str, listen: int, target: int, generator: random.Random) -> None:
        self.proxies[name] = self.network.proxy(name, listen, target, random.Random(generator.random()))

    def _write_config(self, own: Node) -> None:
        lines = ["[server]", "development = true", 'data_directory = "data"', "[cluster]", 'name = "torture"']
        through = self.proxies.get(f"clients {own.name}")
        if through:
            lines += ["[gateway.tcp]", f'advertise = "127.0.0.1:{through.listen}"']
        for node in self.nodes.values():
            proxy = self.proxies.get(f"{own.name} {node.name}") if own.name < node.name else None
            link = proxy.listen if proxy else node.ports["link"]
            lines += ["[[node]]", f'name = "{node.name}"', f'roles = ["{node.role}"]', f'link = "127.0.0.1:{link}"',
                      f'admin = "127.0.0.1:{node.ports["admin"]}"']
            if node.role == "gateway":
                lines.append(f'clients = "127.0.0.1:{node.ports["clients"]}"')
            if node.role == "login":
                lines.append(f'http = "127.0.0.1:{node.ports["http"]}"')
        self.config(own.name).write_text("\n".join(lines) + "\n")

    def config(self, name: str) -> Path:
        return self.folder / f"{name}.toml"

    def of(self, *roles: str) -> list:
        return [node for node in self.nodes.values() if node.role in roles]

    @property
    def login(self) -> str:
        return f"http://127.0.0.1:{self.of('login')[0].ports['http']}"

    @property
    def database(self) -> Path:
        return self.folder / "data" / "game.db"

    def __enter__(self) -> "Cluster":
        try:
            for name in self.nodes:
                self.start(name)
            self.wait_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_) -> None:
        for name, node in self.nodes.items():
            if node.process:
                self.kill(name)
        if self.network:
            self.network.close()

    # --- what is done to nodes
    def start(self, name: str) -> None:
        node = self.nodes[name]
        words = [self.binary, "run", "--config", self.config(name), "--node", name]
        for key, value in self.settings.items():
            words += ["--set", f"{key}={value}"]
        with open(self.log(name), "ab") as log:
            node.process = subprocess.Popen([str(word) for word in words], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            cwd=self.folder, preexec_fn=die_with_parent,
                                            env=self.storage_environment if node.role == "storage" else None)

    def kill(self, name: str) -> None:
        node = self.nodes[name]
        node.process.send_signal(signal.SIGKILL)
        node.process.wait()
        node.process = None

    def signal(self, name: str, number: int) -> None:
        self.nodes[name].process.send_signal(number)

    # --- what is seen of them
    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def check(self) -> None:
        """Nobody ends who was not killed."""
        for name, node in self.nodes.items():
            if node.process and node.process.poll() is not None:
                tail = "\n".join(self.log(name).read_text(errors="replace").splitlines()[-20:])
                raise Failed(f"{name} ended with {node.process.returncode}:\n{tail}")

    def wait_ready(self, besides: str = "") -> None:
        for name, node in self.nodes.items():
            if name == besides:
                continue
            wait_until(f"{name} is ready", lambda: fetch(node.ports["admin"], "/readyz")[0] == 200, check=self.check)

    def metric(self, name: str, series: str) -> float:
        _, page = fetch(self.nodes[name].ports["admin"], "/metrics")
        found = re.search(rf"^{re.escape(series)} ([0-9.e+-]+)$", page, re.M)
        return float(found.group(1)) if found else 0.0

    def sum(self, role: str, series: str) -> float:
        return sum(self.metric(node.name, series) for node in self.of(role))
