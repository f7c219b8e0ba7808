#!/usr/bin/env python3
"""Plays bots on a cluster of real processes and does to it what it must survive; at the end everything is killed and the
database is compared with what the bots were told. Exit code 0: all of it held.

Without a number of anything: all of them, short."""

import argparse
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

sys.dont_write_bytecode = True  # the source folder stays as it is
from cluster import Failed
from players import say
from sections import sections

root = Path(__file__).resolve().parent.parent.parent.parent
short = {"kills": 14, "pauses": 3, "failovers": 1, "faults": 12, "drains": 4}


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev torture", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, section in sections.items():
        parser.add_argument(f"--{name}", type=int, metavar="N", help=section.__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of all that is drawn (1)")
    parser.add_argument("--bots", type=int, default=40, help="that trade (40)")
    parser.add_argument("--rate", type=float, default=10, help="changes a second of each (10)")
    parser.add_argument("--failover-bots", type=int, default=500, help="that send each other messages (500)")
    parser.add_argument("--disk-ms", type=int, default=20, help="how much longer each sync of the disk takes under kills (20)")
    parser.add_argument("--binary", type=Path, default=root / "build/release/gameserver", help="the gameserver (build/release/gameserver)")
    parser.add_argument("--keep", type=Path, help="a folder for databases, ledgers and logs; else they are removed when all is well")
    options = parser.parse_args()
    options.binary = options.binary.resolve()
    options.wanted = {name: getattr(options, name) for name in sections if getattr(options, name)} or short
    return options


def main() -> int:
    options = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the processes are killed on the way out
    place = (options.keep or Path(tempfile.mkdtemp(prefix="gameserver-torture-"))).resolve()
    wrong = []
    for name, count in options.wanted.items():
        say(f"{name}: {sections[name].__doc__} ({count}, seed {options.seed})")
        folder = place / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        began = time.monotonic()
        try:
            sections[name](options, count, folder)
            say(f"  held, in {time.monotonic() - began:.0f} s")
        except Failed as failed:
            wrong.append(name)
            say(f"  FAILED: {failed}\n  databases, ledgers and logs: {folder}")
    if not options.keep and not wrong:
        shutil.rmtree(place)
    say("all held" if not wrong else f"FAILED: {', '.join(wrong)}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
