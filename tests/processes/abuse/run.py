#!/usr/bin/env python3
"""Does to a gateway what strangers do to it, one kind after the other, while healthy bots play there. Each time the bots'
answers are compared, second by second, with those of the pauses that the strangers make, or of just before and after; the
gateway's memory is watched, and the metric that tells an operator of it must have moved. The gateway has cores for
itself; on the last one come game and bots, then the other roles, then the strangers. Seconds in which a hypervisor
gave a core to others are left out; when too few remain all of them count, and it is done again if they were slow. Exit code
0: all of it held.

Without a name: all kinds."""

import argparse
import http.server
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from statistics import median

sys.dont_write_bytecode = True  # the source folder stays as it is
here = Path(__file__).resolve().parent
root = here.parent.parent.parent
sys.path.insert(0, str(here.parent / "torture"))
from cluster import Cluster, Failed, die_with_parent, wait_until


@dataclass
class Abuse:
    """`count` and `seconds` are the full size; `metric`, at `role`, is what an operator sees."""

    what: str
    count: int
    seconds: float
    metric: str
    role: str = "gateway"
    memory_kib: int = 16  # bound for each of `count`, above 32 MiB
    encrypted: bool = False
    pauses: bool = True  # it can be done with pauses, in which the usual is measured: the machine is the same then
    seconds_min: float = 0  # less than that shows nothing


def rejected(reason: str) -> str:
    return f'gameserver_client_rejected_total{{reason="{reason}"}}'


abuses = {
    "slowloris": Abuse("sockets on which a byte comes each second", 5000, 20, rejected("timeout"), seconds_min=3, pauses=False),
    "never_read": Abuse("clients that never read, under 20 lines a second", 1000, 30, "gameserver_client_slow_total", memory_kib=280,
                        seconds_min=4, pauses=False),
    "logins": Abuse("logins a second, ten times the usual", 200, 60, "gameserver_gateway_accepted_total", pauses=False),
    "reconnects": Abuse("clients that lose their connection and come back at once", 2000, 30, "gameserver_sessions_resumed_total", "game",
                        pauses=False),
    "flood": Abuse("clients that send one command as fast as they can", 20, 10, rejected("rate"), memory_kib=512,
                   pauses=False),  # what they have sent before is read in a pause
    "garbage": Abuse("senders of random bytes after a good hello", 50, 10, rejected("malformed")),
    "sizes": Abuse("senders of frames that say they are up to 4 GiB long", 50, 10, rejected("frame_too_long")),
    "fragments": Abuse("WebSockets whose message never ends", 50, 10, rejected("foreign_protocol")),
    "unmasked": Abuse("WebSockets that do not mask", 50, 10, rejected("foreign_protocol")),
    "headers": Abuse("WebSocket requests with headers without end", 50, 10, rejected("foreign_protocol")),
    "proofs": Abuse("thieves who resume others' sessions with wrong and used proofs", 50, 10, rejected("token")),
    "replay": Abuse("replays of a recorded session, encrypted", 50, 10, rejected("malformed"), encrypted=True),
}


def say(text: str) -> None:
    print(text, flush=True)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev abuse", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
                                     epilog="\n".join(f"{name:12}{abuse.what} ({abuse.count})" for name, abuse in abuses.items()))
    parser.add_argument("names", nargs="*", metavar="NAME", help="one of the kinds below")
    parser.add_argument("--scale", type=float, default=1, help="of how many do it (1)")
    parser.add_argument("--seconds", type=float, help="that each takes, instead of what is usual for it (10 to 60)")
    parser.add_argument("--timeouts", type=int, help="seconds that the gateway waits for hellos and slow readers (its defaults)")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="setting for every process: to see what a bound is good for")
    parser.add_argument("--bots", type=int, default=200, help="healthy ones (200)")
    parser.add_argument("--usual-seconds", type=float, default=5, help="how long the usual is measured, before and after (5)")
    parser.add_argument("--usual-once", action="store_true", help="it is measured with the first kind only, not with each")
    parser.add_argument("--times", type=float, default=2, help="the healthy bots' p99 may be so many times the usual (2)")
    parser.add_argument("--floor-ms", type=float, default=0, help="a p99 below this is always good (0)")
    parser.add_argument("--worst-floor-ms", type=float, default=100, help="the same for the worst second (100)")
    parser.add_argument("--attempts", type=int, default=5, help="at a kind, while the machine is given to others (5)")
    parser.add_argument("--only-ours", action="store_true", help="what was measured while the machine was given to others counts in no "
                        "case")
    parser.add_argument("--binary", type=Path, default=root / "build/release/gameserver", help="the gameserver (build/release/gameserver)")
    parser.add_argument("--keep", type=Path, help="a folder for logs and reports; else they are removed when all is well")
    options = parser.parse_args()
    for name in options.names:
        if name not in abuses:
            parser.error(f"there is no abuse '{name}'")
    if options.attempts < 1:
        parser.error("--attempts: 1 at least")
    options.names = options.names or list(abuses)
    options.binary = options.binary.resolve()
    return options


class Bots:
    """Healthy ones: each sends five texts a second, which must come back. A lost connection is an error."""

    def __init__(self, options, folder: Path, login: str) -> None:
        self.comes_first = options.come_first
        self.report = folder / "bots.json"
        self.report.unlink(missing_ok=True)
        self.log = folder / "bots.log"
        words = [options.binary, "bots", "--login", login, "--scenario", "echo", "--count", options.bots, "--rate", 5,
                 "--seconds", 1000, "--ramp", 1000, "--json", self.report]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([str(word) for word in words], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            preexec_fn=self._move_in)

    def _move_in(self) -> None:
        die_with_parent()
        if self.comes_first:
            come_first(0)

    def __enter__(self) -> "Bots":
        return self

    def __exit__(self, *_) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def stop(self) -> dict:
        self.process.send_signal(signal.SIGINT)
        self.process.wait(60)
        if not self.report.exists():
            raise Failed(f"the bots ended with {self.process.returncode}:\n{self.log.read_text(errors='replace')[-2000:]}")
        report = json.loads(self.report.read_text())
        if report["errors"] or report["reconnects"] or not report["requests"]:
            raise Failed(f"healthy bots: {report['errors']} errors, {report['reconnects']} reconnects, {report['requests']} "
                         f"requests: {report['first_errors']}")
        return report


class Stolen(threading.Thread):
    """Watches how long cores were given to others by a hypervisor."""

    allowed = 0.01  # of a second

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.tick, self.stopped = os.sysconf("SC_CLK_TCK"), threading.Event()
        self.samples = [(time.time(), self.ticks())]

    def ticks(self) -> int:
        lines = Path("/proc/stat").read_text().splitlines()
        return sum(int(line.split()[8]) for line in lines if re.match(r"cpu\d", line) and int(line.split()[0][3:]) in cores)

    def run(self) -> None:
        while not self.stopped.wait(0.05):
            self.samples.append((time.time(), self.ticks()))

    def __enter__(self) -> "Stolen":
        self.start()
        return self

    def __exit__(self, *_) -> None:
        self.stopped.set()
        self.join()

    def seconds(self, began: float, ended: float) -> float:
        """A sample more at both ends."""
        first = max((sample for sample in self.samples if sample[0] <= began), default=self.samples[0])
        last = min((sample for sample in self.samples if sample[0] >= ended), default=self.samples[-1])
        return (last[1] - first[1]) / self.tick


@dataclass
class Seconds:
    """The p99 of the healthy bots in each second of a while, in ms; without an answer it is endless. `ours`: of those in
    which the cores were ours."""

    p99: list
    ours: list
    enough = 4

    def is_good(self) -> bool:
        return len(self.ours) >= min(self.enough, len(self.p99))


class Whiles:
    """When something was so: (began, ended) in seconds since 1970."""

    def __init__(self) -> None:
        self.times = []

    def during(self, action):
        began = time.time()
        result = action()
        time.sleep(max(0.0, began + 1.5 - time.time()))  # so that most of some second lies in it
        self.times.append((began, time.time()))
        return result

    def seconds(self, report: dict, stolen: Stolen, margin: float) -> Seconds:
        """Those seconds of the bots that lie in it, but for so much of one at its ends."""
        found = Seconds([], [])
        for second in report["each_second"]:
            end = second["end_unix_ms"] / 1000
            if not any(began - margin < end - 1 and end < ended + margin for began, ended in self.times):
                continue
            found.p99.append(second["p99_us"] / 1000 if second["answered"] else float("inf"))
            if stolen.seconds(end - 1, end) <= stolen.allowed:
                found.ours.append(found.p99[-1])
        if not found.p99:
            raise Failed("the bots have not played long enough")
        return found


PERIOD = 3  # seconds of work, and seconds of a pause


def play(options, cluster: Cluster, abuser: "Abuser", seconds: float) -> tuple:
    """The abuser works while healthy bots play beside its own players: what they have seen meanwhile, and what it says.
    Sets the cluster's usual, which they see in its pauses, or before and after it, unless that is known."""

    def wait_for(count: int) -> None:
        wait_until(f"{count} play", lambda: cluster.metric("gateway-1", "gameserver_gateway_players") == count, check=cluster.check)

    def rest() -> None:
        time.sleep(1)  # what came before is over
        if cluster.usual is None and not pauses:
            usual.during(lambda: time.sleep(options.usual_seconds))

    usual, worked = Whiles(), Whiles()
    pauses = abuser.abuse.pauses and cluster.usual is None
    wait_for(abuser.playing)
    with Bots(options, cluster.folder, cluster.login) as bots, Stolen() as stolen:
        wait_for(abuser.playing + options.bots)
        rest()
        abuser.begin()
        if pauses:
            for _ in range(round(seconds / PERIOD / 2)):
                worked.during(lambda: time.sleep(PERIOD))
                abuser.signal(signal.SIGSTOP)
                usual.during(lambda: time.sleep(PERIOD))
                abuser.signal(signal.SIGCONT)
            said = abuser.end()
        else:
            said = worked.during(abuser.end)
            worked.times = said.pop("whiles", worked.times)
        rest()
        report = bots.stop()
    if cluster.usual is None:
        cluster.usual = usual.seconds(report, stolen, 0)
    return worked.seconds(report, stolen, 0.5), said


class Memory(threading.Thread):
    """Watches how much a process has at the most, in KiB."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid, self.stopped = pid, threading.Event()
        self.before = self.most = self.resident()

    def resident(self) -> int:
        return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{self.pid}/status").read_text()).group(1))

    def run(self) -> None:
        while not self.stopped.wait(0.05):
            self.most = max(self.most, self.resident())

    def grown(self) -> int:
        self.stopped.set()
        self.join()
        return max(self.most, self.resident()) - self.before


class Wiretap:
    """Keeps what the first client says that connects; the login in front of it names its address as the gateway's."""

    def __init__(self, cluster: Cluster) -> None:
        self.bytes, self.gateway = bytearray(), cluster.of("gateway")[0].ports["clients"]
        self.listener = socket.create_server(("127.0.0.1", 0))
        port = self.listener.getsockname()[1]
        tap, login = self, cluster.login

        class Login(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                asked = urllib.request.Request(login + self.path, body, {"Content-Type": "application/json"})
                with urllib.request.urlopen(asked, timeout=10) as answer:
                    text = answer.read().decode().replace(f'"127.0.0.1:{tap.gateway}"', f'"127.0.0.1:{port}"').encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_) -> None:
                pass

        self.http = http.server.HTTPServer(("127.0.0.1", 0), Login)
        self.login = f"http://127.0.0.1:{self.http.server_port}"
        for work in (self.http.serve_forever, self.relay):
            threading.Thread(target=work, daemon=True).start()

    def relay(self) -> None:
        client, _ = self.listener.accept()
        server = socket.create_connection(("127.0.0.1", self.gateway))

        def back() -> None:
            while data := server.recv(65536):
                client.sendall(data)
            client.close()

        answers = threading.Thread(target=back, daemon=True)
        answers.start()
        try:
            while data := client.recv(65536):
                self.bytes += data
                server.sendall(data)
            server.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the server has hung up first
        answers.join()
        server.close()

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()
        self.listener.close()


def record(options, cluster: Cluster) -> Path:
    """What one honest client says in a session of two seconds."""
    tap = Wiretap(cluster)
    try:
        words = [options.binary, "bots", "--login", tap.login, "--scenario", "echo", "--count", 1, "--rate", 20, "--seconds", 2]
        done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=60)
    finally:
        tap.close()
    if done.returncode != 0 or not tap.bytes:
        raise Failed(f"there is no recording: {done.stdout}{done.stderr}")
    file = cluster.folder / "recording"
    file.write_bytes(tap.bytes)
    return file


cores = os.sched_getaffinity(0)
others_core = {max(cores)} if len(cores) > 1 else cores
servers_cores = cores - others_core or cores


def come_first(process: int) -> None:
    """Its loop, which is its first thread, is served before all that is not of this kind; its other threads are not."""
    os.sched_setscheduler(process, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(10))


def may_come_first() -> bool:
    child = os.fork()
    if child == 0:
        try:
            come_first(0)
            os._exit(0)
        except OSError:
            os._exit(1)
    return os.waitpid(child, 0)[1] == 0


def take_hosts(options, cluster: Cluster) -> None:
    """In production each role has hosts of its own, and so have players and strangers. Here the gateway, on which the
    strangers are, has a core, and all others one, where the game and the healthy bots come first, as if no stranger's
    machine were theirs; what else the system does comes after them. Without the right to say so the game is on the gateway's
    core, and waits while the gateway has anything to do."""
    for role in ("gateway",) if options.come_first else ("gateway", "game"):
        for node in cluster.of(role):
            for task in os.listdir(f"/proc/{node.process.pid}/task"):  # those of a node that is ready stay
                os.sched_setaffinity(int(task), servers_cores)
    if options.come_first:
        for node in cluster.of("gateway") + cluster.of("game"):
            come_first(node.process.pid)


class Abuser:
    """The process that does it. Of the core that it shares it takes what the healthy bots leave."""

    def __init__(self, options, cluster: Cluster, name: str, count: int, seconds: float) -> None:
        words = [sys.executable, here / "abusers.py", name, "--gateway", cluster.of("gateway")[0].ports["clients"], "--login",
                 cluster.of("login")[0].ports["http"], "--count", count, "--seconds", seconds]
        if abuses[name].encrypted:
            words += ["--recording", record(options, cluster)]
        if name == "never_read" and options.seconds:
            words += ["--line-bytes", 8000]
        self.cluster, self.name, self.abuse, self.seconds = cluster, name, abuses[name], seconds
        self.log = cluster.folder / "abuser.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([str(word) for word in words], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                            stderr=log, text=True, preexec_fn=self._move_away)

    def __enter__(self) -> "Abuser":
        ready = self.process.stdout.readline().split()
        if not ready:
            raise Failed(f"{self.name} cannot begin: {self.log.read_text(errors='replace')[-2000:]}")
        self.playing = int(ready[1])
        return self

    def __exit__(self, *_) -> None:
        self.process.kill()
        self.process.wait()

    def _move_away(self) -> None:
        die_with_parent()
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))

    def begin(self) -> None:
        self.metric_before = self.cluster.sum(self.abuse.role, self.abuse.metric)
        self.memory = Memory(self.cluster.nodes["gateway-1"].process.pid)
        self.memory.start()
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def end(self) -> dict:
        """Waits for it."""
        try:
            output, _ = self.process.communicate(timeout=self.seconds + 60)
        except subprocess.TimeoutExpired as expired:
            raise Failed(f"{self.name} does not end") from expired
        if self.process.returncode != 0:
            raise Failed(f"{self.name} failed: {self.log.read_text(errors='replace')[-2000:]}")
        return json.loads(output)


def do_abuse(options, cluster: Cluster, name: str) -> None:
    for left in reversed(range(options.attempts)):
        try:
            abuse_once(options, cluster, name)
            return
        except NotOurs as not_ours:
            if left == 0:
                raise
            if cluster.usual and not cluster.usual.is_good():
                cluster.usual = None
            say(f"  again, since the machine was given to others: {not_ours}")


class NotOurs(Failed):
    """What a machine that others had too says."""


def abuse_once(options, cluster: Cluster, name: str) -> None:
    abuse = abuses[name]
    count = max(1, round(abuse.count * options.scale))
    seconds = max(options.seconds or abuse.seconds, abuse.seconds_min)
    if not options.usual_once:
        cluster.usual = None
    if abuse.pauses and cluster.usual is None:
        seconds = 2 * PERIOD * max(1, round(seconds / PERIOD))
    say(f"{name}: {count} {abuse.what}, {seconds:g} s")
    with Abuser(options, cluster, name, count, seconds) as abuser:
        under_abuse, said = play(options, cluster, abuser, seconds)
    cluster.check()
    grown = abuser.memory.grown()
    moved = cluster.sum(abuse.role, abuse.metric) - abuser.metric_before
    usual = cluster.usual
    bound_kib = 32 * 1024 + count * abuse.memory_kib
    is_good = under_abuse.is_good() and usual.is_good()
    under, normal = (under_abuse.ours, usual.ours) if is_good else (under_abuse.p99, usual.p99)
    p99, usual_p99 = median(under), median(normal)
    say(f"  healthy p99 {p99:.2f} ms, usual {usual_p99:.2f} ms ({p99 / usual_p99:.1f} times); in the worst second "
        f"{max(under):.1f} and {max(normal):.1f}; 0 errors")
    say(f"  of {len(under_abuse.p99)} and {len(usual.p99)} seconds others had the machine in "
        f"{len(under_abuse.p99) - len(under_abuse.ours)} and {len(usual.p99) - len(usual.ours)}: "
        + (f"left out, with them {median(under_abuse.p99):.2f} and {median(usual.p99):.2f} ms" if is_good else
           "too many to leave them out"))
    say(f"  gateway memory grew by {grown / 1024:.1f} MiB, at most {bound_kib / 1024:.0f} allowed")
    say(f"  {abuse.metric} +{moved:.0f}; the abusers: {json.dumps(said)}")
    wrong, slow = [], []
    if p99 > max(options.floor_ms, options.times * usual_p99):
        slow.append(f"healthy bots' p99 is {p99:.2f} ms, the usual one {usual_p99:.2f} ms")
    if max(under) > max(options.floor_ms, options.worst_floor_ms, options.times * max(normal)):
        slow.append(f"healthy bots' p99 was {max(under):.1f} ms in the worst second, usually {max(normal):.1f} ms")
    if grown > bound_kib:
        wrong.append(f"the gateway's memory grew by {grown} KiB")
    if moved <= 0:
        wrong.append(f"{abuse.metric} has not moved")
    if not said["tries"]:
        wrong.append("the abusers did nothing")
    if said.get("let_in"):
        wrong.append("somebody was let in who must not be")
    if name == "logins" and said.get("entered", 0) < 0.9 * count * said["took_s"]:
        wrong.append(f"{said.get('entered', 0)} players have entered in {said['took_s']} s")
    if options.only_ours and not is_good:
        slow.append("too few seconds are left")
    if wrong or (slow and is_good):
        raise Failed("; ".join(wrong + slow))
    if slow:
        raise NotOurs("; ".join(slow))


def settings(options, encrypted: bool) -> dict:
    chosen = {"module.chat.text_bytes_max": 8192, "module.chat.lines_per_second": 100, "module.chat.lines_kept": 0}
    if options.timeouts:
        chosen.update({f"gateway.{key}_timeout_seconds": options.timeouts for key in ("hello", "frame", "slow")})
    if encrypted:
        chosen["gateway.tcp.security"] = "noise"
    chosen.update(setting.split("=", 1) for setting in options.set)
    return chosen


def main() -> int:
    options = parse()
    os.sched_setaffinity(0, others_core)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the processes are killed on the way out
    place = (options.keep or Path(tempfile.mkdtemp(prefix="gameserver-abuse-"))).resolve()
    options.come_first = len(cores) > 1 and may_come_first()
    say("gateway, game and healthy bots come before all others" if options.come_first else
        "gateway, game, bots and strangers share cores as equals, and wait for each other: there are too few cores, or no right "
        "to real-time priorities (root, or CAP_SYS_NICE)")
    wrong = []
    for encrypted in (False, True):
        names = [name for name in options.names if abuses[name].encrypted == encrypted]
        if not names:
            continue
        folder = place / ("encrypted" if encrypted else "plain")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        with Cluster(options.binary, folder, settings(options, encrypted), gateways=1, games=1, centers=1) as cluster:
            cluster.usual = None
            take_hosts(options, cluster)
            for name in names:
                try:
                    do_abuse(options, cluster, name)
                except Failed as failed:
                    wrong.append(name)
                    say(f"  FAILED: {failed}\n  logs and reports: {folder}")
    if not options.keep and not wrong:
        shutil.rmtree(place)
    say("all held" if not wrong else f"FAILED: {', '.join(wrong)}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
