"""Bots as a child process, and what their ledger says while they play."""

import json
import signal
import subprocess
import time
from pathlib import Path

from cluster import Cluster, Failed, die_with_parent, wait_until


def say(text: str) -> None:
    print(text, flush=True)


def percentile(values: list, share: float) -> float:
    """0 when there are none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


class Bots:
    """Context manager. They play until stop(); what they find wrong ends the run."""

    def __init__(self, cluster: Cluster, scenario: str, count: int, rate: float, seed: int) -> None:
        self.cluster, self.count = cluster, count
        self.ledger, self.report = cluster.folder / "ledger", cluster.folder / "report.json"
        self.words = [cluster.binary, "bots", "--login", cluster.login, "--scenario", scenario, "--count", count, "--rate",
                      rate, "--seconds", 100_000, "--seed", seed, "--survive", "--ledger", self.ledger, "--json", self.report]
        self.position = 0
        self.partial = ""
        self.done_at = {}  # player -> when (milliseconds since 1970) its last change was confirmed
        self.answers = []  # (when, seconds it took, player) of each confirmed change
        self.process = None

    def __enter__(self) -> "Bots":
        with open(self.cluster.folder / "bots.log", "wb") as log:
            self.process = subprocess.Popen([str(word) for word in self.words], stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, preexec_fn=die_with_parent)
        return self

    def __exit__(self, *_) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def check(self) -> None:
        self.cluster.check()
        if self.process.poll() is not None:
            raise Failed(f"the bots ended by themselves:\n{self.said()}")

    def said(self) -> str:
        return (self.cluster.folder / "bots.log").read_text(errors="replace")[-4000:]

    def read_ledger(self) -> None:
        if not self.ledger.exists():
            return
        with open(self.ledger) as file:
            file.seek(self.position)
            text = self.partial + file.read()
            self.position = file.tell()
        *lines, self.partial = text.split("\n")
        for line in lines:
            entry = json.loads(line)
            if entry["state"] == "done":
                self.done_at[entry["player"]] = entry["at"]
                self.answers.append((entry["at"], entry["us"] / 1e6, entry["player"]))

    def wait_all_play(self, when: str) -> float:
        """Until each of them has been confirmed a change that it asked for from now on; the seconds that it took."""
        since = time.time() * 1000
        before = len(self.answers)
        fresh = set()

        def all_play() -> bool:
            nonlocal before
            self.read_ledger()
            fresh.update(player for at, took, player in self.answers[before:] if at - took * 1000 >= since)
            before = len(self.answers)
            return len(fresh) >= self.count

        try:
            return wait_until(f"all {self.count} bots play on {when}", all_play, check=self.check)
        except Failed as failed:
            raise Failed(f"{failed}; {len(fresh)} do") from None

    def longest_answers(self, begin: float, end: float) -> list:
        """For each bot the longest time (seconds) that it waited for an answer that came in this span (Unix time)."""
        longest = {}
        for at, took, player in self.answers:
            if begin * 1000 <= at <= end * 1000:
                longest[player] = max(longest.get(player, 0.0), took)
        return list(longest.values())

    def stop(self) -> dict:
        """Ends the play; their report."""
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(60)
        if not self.report.exists():
            raise Failed(f"the bots ended with {code}:\n{self.said()}")
        report = json.loads(Path(self.report).read_text())
        if report["errors"] > 0:
            say(self.said())
        elif code != 0:
            raise Failed(f"the bots ended with {code}:\n{self.said()}")
        return report
