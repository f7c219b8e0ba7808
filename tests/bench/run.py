#!/usr/bin/env python3
"""Runs the benchmarks of `./dev bench` and prints ratios to raw programs measured in the same rounds.

Server processes are pinned to one core and the load generator to another. The figure of a request is replies per
second of server CPU time over all the server's processes; absolute figures swing from run to run and mean little.
"""

import argparse
import itertools
import os
import resource
import signal
import sys
from pathlib import Path

sys.dont_write_bytecode = True  # the source folder stays as it is
from core import Failed, build, client_core, options, root, say, server_core
from results import Results
from sections import not_by_default, sections


def parse() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
                                     epilog="\n".join(f"{name:12}{section.__doc__.splitlines()[0]}" for name, section in sections.items()))
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"{', '.join(sections)} (all but {', '.join(not_by_default)})")
    parser.add_argument("--binary", type=Path, default=root / "build/release/gameserver", help="the gameserver (build/release/gameserver)")
    parser.add_argument("--against", type=Path, metavar="CHECKOUT", help="section cost: a checkout of another version, built (release)")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="setting for every gameserver")
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds (5)")
    parser.add_argument("--seconds", type=float, default=1.0, help="measured seconds of each run (1)")
    parser.add_argument("--idle-players", type=int, default=18000, help="players of the section idle (18000)")
    parser.add_argument("--crowd-players", type=int, default=50000, help="players of the section crowd, over three gateways (50000)")
    parser.add_argument("--active-players", type=int, default=5000, help="of those, who ask once a second (5000)")
    parser.add_argument("--many-connections", type=int, default=12000, help="connections of the widest request run (12000)")
    parser.add_argument("--build-dir", type=Path, default=root / "build", help="where bench/ and bench.json are written (build)")
    parser.add_argument("--raw-only", action="store_true", help="only the raw baselines")
    parser.add_argument("--check", action="store_true", help="exit 1 when a figure that must hold does not")
    parser.parse_args(namespace=options)
    for name in options.sections:
        if name not in sections:
            parser.error(f"unknown section '{name}'; there are: {', '.join(sections)}")
    if options.rounds < 1:
        parser.error("--rounds: at least 1")
    if "cost" in options.sections and not (options.against and (options.against / "build/release/gameserver").exists()):
        parser.error("cost: --against names a checkout of the other version in which `cmake --build --preset release` was done")
    options.binary = options.binary.resolve()
    options.against = options.against and options.against.resolve()
    options.build_dir = options.build_dir.resolve()
    options.set_arguments = list(itertools.chain.from_iterable(("--set", value) for value in options.set))
    options.programs = options.build_dir / "bench"


def main() -> int:
    parse()
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the servers are stopped on the way out
    if server_core == client_core:
        say("only one core: server and client share it, the figures are rough")
    build(options.programs)
    os.sched_setaffinity(0, {client_core})
    results = Results(options.rounds)
    for name in options.sections or [name for name in sections if name not in not_by_default]:
        try:
            sections[name](results, options.build_dir / "bench" / name)
        except Failed as error:
            results.fail(error)
    results.print()
    file = options.build_dir / "bench.json"
    results.write(file)
    print(f"\nall figures: {file}")
    missed = results.missed()
    if missed:
        print(f"below what must hold: {'; '.join(missed)}")
    return 1 if results.failures or (missed and options.check) else 0


if __name__ == "__main__":
    sys.exit(main())
