"""Runs the load generator, counts system calls, reads memory."""

import itertools
import json
import os
import select
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Callable

from core import Failed, options
from subjects import Running, tails


def load_command(running: Running, arguments: list, gateway: str = "") -> list:
    """`gateway`: which one is connected to, when the subject has several."""
    load = running.load_by_gateway[gateway] if gateway else running.load
    return [str(part) for part in [options.programs / running.generator, *load, "--pids", running.pids(), *arguments]]


def start_load(running: Running, arguments: list, gateway: str = "") -> subprocess.Popen:
    """Starts a load generator that waits (--hold, --idle); gives it back when it has said READY."""
    load = subprocess.Popen(load_command(running, arguments, gateway), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)
    if load.stdout.readline() != "READY\n":
        error = load.communicate()[1]
        raise Failed(f"{running.name}: {error.strip()}\n{tails(running)}")
    return load


def finish_load(running: Running, load: subprocess.Popen) -> str:
    output, error = load.communicate("go\n", timeout=120)
    if load.returncode != 0:
        raise Failed(f"{running.name}: {error.strip()}\n{tails(running)}")
    return output


def run_load(running: Running, arguments: list) -> dict:
    done = subprocess.run(load_command(running, arguments), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=180)
    running.require_alive()
    if done.returncode != 0:
        raise Failed(f"{running.name}: {done.stderr.strip()}\n{tails(running)}")
    result = json.loads(done.stdout)
    if not result.get("replies", result.get("deliveries")) or not result["server_cpu_seconds"]:
        raise Failed(f"{running.name}: nothing was answered in the measured time: {done.stdout.strip()}\n{tails(running)}")
    return result


def per_core_second(result: dict) -> float:
    return result.get("replies", result.get("deliveries")) / result["server_cpu_seconds"]


def perf_counts_calls() -> bool:
    probe = subprocess.run(["perf", "stat", "-x,", "-e", "raw_syscalls:sys_enter", "true"], capture_output=True, text=True) \
        if shutil.which("perf") else None
    return probe is not None and probe.returncode == 0 and probe.stderr.split(",")[0].strip().isdigit()


def line_within(descriptor: int, what: str, seconds: float = 20) -> str:
    if not select.select([descriptor], [], [], seconds)[0]:
        raise Failed(f"system calls: {what} did not answer in {seconds:.0f} s")
    return os.read(descriptor, 4096).decode(errors="replace")


def count_with_perf(pids: str, work: Callable[[], None]) -> int:
    """Counts while work() runs and disturbs little: nothing is stopped."""
    control_read, control_write = os.pipe()
    answer_read, answer_write = os.pipe()
    perf = subprocess.Popen(
        ["perf", "stat", "-x,", "-e", "raw_syscalls:sys_enter", "-p", pids, "--delay=-1",
         f"--control=fd:{control_read},{answer_write}"],
        pass_fds=(control_read, answer_write), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        os.write(control_write, b"enable\n")
        line_within(answer_read, "perf")
        work()
        os.write(control_write, b"disable\n")
        line_within(answer_read, "perf")
    finally:
        perf.send_signal(signal.SIGINT)
        report = perf.communicate(timeout=20)[1]
        for descriptor in (control_read, control_write, answer_read, answer_write):
            os.close(descriptor)
    counts = [line.split(",")[0] for line in report.splitlines() if "sys_enter" in line]
    if not counts or not counts[0].isdigit():
        raise Failed(f"system calls: perf gave no count: {report.strip()}")
    return int(counts[0])


def count_with_strace(pids: str, work: Callable[[], None]) -> int:
    """Counts while work() runs; each call is slowed down, so turns grow and the count is a little lower than in life."""
    each = pids.split(",")
    strace = subprocess.Popen(["strace", "-f", "-c", "-U", "calls", *itertools.chain.from_iterable(("-p", pid) for pid in each)],
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        said = ""
        while said.count(" attached") < len(each):
            more = line_within(strace.stderr.fileno(), "strace")
            if not more:
                raise Failed(f"system calls: strace cannot attach: {said.strip()}")
            said += more
        work()
    finally:
        strace.send_signal(signal.SIGINT)
        report = strace.communicate(timeout=20)[1].decode(errors="replace")
    totals = [line.split()[0] for line in report.splitlines() if line.endswith(" total")]
    if not totals:
        raise Failed(f"system calls: strace gave no table: {report.strip()}")
    return int(totals[0])


def calls_per_reply(running: Running, arguments: list) -> float:
    """Counts from a still server to a still server, so that calls and replies belong together exactly."""
    load = start_load(running, [*arguments, "--hold"])
    result = {}
    count = count_with_perf if perf_counts_calls() else count_with_strace
    try:
        calls = count(running.pids(), lambda: result.update(json.loads(finish_load(running, load))))
    finally:
        load.kill()
    return calls / result["replies"]


def resident_kib(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Rss:"):
            return int(line.split()[1])
    raise Failed(f"no Rss line for process {pid}")


def cpu_seconds(pid: int) -> float:
    """Of all its threads so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def steady_kib(running: Running) -> dict:
    """Resident memory by process when it has stopped changing (5 seconds at most)."""
    measured = {}
    for _ in range(10):
        time.sleep(0.5)
        before, measured = measured, {label: resident_kib(process.pid) for label, process in running.processes.items()}
        if before and all(abs(measured[label] - before[label]) <= 64 for label in measured):
            break
    return measured


def sync_micros(folder: Path) -> float:
    """What a sync of one page costs on the disk below the folder."""
    file = os.open(folder / "sync-probe", os.O_CREAT | os.O_RDWR)
    try:
        started = time.monotonic()
        for _ in range(50):
            os.pwrite(file, b"x" * 4096, 0)
            os.fdatasync(file)
        return (time.monotonic() - started) / 50 * 1e6
    finally:
        os.close(file)
