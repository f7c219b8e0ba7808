#!/usr/bin/env python3
"""Compares the ledgers of bots of scenario `trade` with the database: what was confirmed is there, nothing is there that
was not asked for, each piece of gold is where the changes that are there have put it, and no more of it exists.

It reads the files with Python's own SQLite and JSON and shares no code with the server, so that a mistake there cannot
hide itself here.
usage: audit.py [--first-gold N] DATABASE LEDGER...     exit code 0 when all of it holds"""

import argparse
import json
import sqlite3
import sys
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Change:
    player: int
    kind: str  # give or payment
    to: int
    gold: int
    states: list = field(default_factory=list)


@dataclass
class Audit:
    problems: list = field(default_factory=list)
    players: int = 0
    asked: int = 0
    confirmed: int = 0
    unknown: int = 0  # nobody was told how they ended
    unknown_done: int = 0
    gold: int = 0

    def wrong(self, text: str) -> None:
        self.problems.append(text)

    def __str__(self) -> str:
        lines = [f"{self.players} players, {self.asked} changes asked for, {self.confirmed} confirmed, {self.unknown} "
                 f"not known to the bots ({self.unknown_done} of them done), {self.gold} gold: {len(self.problems)} wrong"]
        lines += [f"  {problem}" for problem in self.problems[:20]]
        if len(self.problems) > 20:
            lines.append(f"  ... and {len(self.problems) - 20} more")
        return "\n".join(lines)


def read_ledger(file: Path) -> dict:
    changes = {}
    for line in file.read_text().splitlines():
        entry = json.loads(line)
        if entry["state"] == "asked":
            changes[entry["change"]] = Change(int(entry["player"]), entry["kind"], int(entry.get("to", 0)), entry["gold"])
        else:
            changes[entry["change"]].states.append(entry["state"])
    return changes


def audit(database: Path, ledgers: list, first_gold: int = 100) -> Audit:
    result = Audit()
    changes = {}
    for file in ledgers:
        for name, change in read_ledger(file).items():
            if name in changes:
                result.wrong(f"{name} is in two ledgers")
            changes[name] = change
    connection = sqlite3.connect(database)
    check = connection.execute("PRAGMA integrity_check").fetchone()[0]
    if check != "ok":
        result.wrong(f"the database is damaged: {check}")
    purses = {player: json.loads(data) for player, data in connection.execute(
        "SELECT id, data FROM component WHERE kind = 'player' AND name = 'purse'")}
    stored = {(space, key): json.loads(data)["player"] for space, key, data in connection.execute(
        "SELECT space, key, data FROM record WHERE space IN ('deal', 'payment') AND data IS NOT NULL")}
    connection.close()

    spaces = {"give": "deal", "payment": "payment"}
    due = {player: first_gold for player in purses}
    for name, change in changes.items():
        done = stored.pop((spaces[change.kind], name), None)
        confirmed, refused = "done" in change.states, "refused" in change.states
        result.asked += 1
        result.confirmed += confirmed
        if not confirmed and not refused:
            result.unknown += 1
            result.unknown_done += done is not None
        if confirmed and done is None:
            result.wrong(f"{change.kind} {name} of player {change.player} was confirmed and is lost")
        if refused and done is not None:
            result.wrong(f"{change.kind} {name} of player {change.player} was refused and is done")
        if done is None:
            continue
        if done != change.player:
            result.wrong(f"{change.kind} {name} of player {change.player} is that of player {done}")
        # Who has no purse is found below: what went to it is missing in the total.
        if change.kind == "payment":
            due[change.player] = due.get(change.player, first_gold) + change.gold
        else:
            due[change.player] = due.get(change.player, first_gold) - change.gold
            due[change.to] = due.get(change.to, first_gold) + change.gold
    for space, name in stored:
        result.wrong(f"{space} {name} is done, and nobody asked for it")
    for player, gold in sorted(due.items()):
        if player not in purses:
            result.wrong(f"player {player} has no purse; {gold} gold are due")
        elif purses[player]["gold"] != gold:
            result.wrong(f"player {player} has {purses[player]['gold']} gold; {gold} are due")
    result.players = len(purses)
    result.gold = sum(purse["gold"] for purse in purses.values())
    payments = sum(change.gold for change in changes.values() if change.kind == "payment" and "done" in change.states)
    unsure = sum(change.gold for change in changes.values() if change.kind == "payment" and "done" not in change.states)
    least = first_gold * len(purses) + payments
    if not least <= result.gold <= least + unsure:
        result.wrong(f"there are {result.gold} gold; first gifts and payments make {least} to {least + unsure}")
    return result


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--first-gold", type=int, default=100, help="module.trade.first_gold of the server (100)")
    parser.add_argument("database", type=Path)
    parser.add_argument("ledger", type=Path, nargs="+")
    options = parser.parse_args()
    result = audit(options.database, options.ledger, options.first_gold)
    print(result)
    return 1 if result.problems else 0


if __name__ == "__main__":
    sys.exit(main())
