"""What every part of the bench driver needs: the cores, the failure, the compiled programs."""

import os
import subprocess
import sys
from pathlib import Path

here = Path(__file__).resolve().parent
root = here.parent.parent
cores = sorted(os.sched_getaffinity(0))
server_core = cores[0]
client_core = cores[1 % len(cores)]


class Options:
    """Set once by run.py from the command line."""

    binary: Path
    against: Path  # section cost: a built checkout of another version, or None
    set_arguments: list
    programs: Path  # the folder of the compiled raw programs
    raw_only: bool
    rounds: int
    seconds: float
    idle_players: int
    crowd_players: int
    active_players: int
    many_connections: int


options = Options()


class Failed(Exception):
    """A subject did not do its part; the text says which, why, and the end of its log."""


def say(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)


def compile_program(program: Path, command: list, sources: Path) -> None:
    newest = max(source.stat().st_mtime for source in sources.iterdir() if source.suffix in (".c", ".cpp", ".h", ".hpp"))
    if program.exists() and program.stat().st_mtime >= newest:
        return
    say(f"compiling {program.name}")
    if subprocess.run(command + ["-o", str(program)], cwd=sources).returncode != 0:
        sys.exit(f"bench: {program.name} does not compile")


def build(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    c = [os.environ.get("CC", "cc"), "-std=gnu11", "-O2", "-Wall", "-Wextra"]
    cxx = [os.environ.get("CXX", "c++"), "-std=c++20", "-O2", "-Wall", "-Wextra"]
    programs = {
        "raw_echo": c + ["raw_echo.c"],
        "raw_relay": c + ["raw_relay.c"],
        "raw_broadcast": c + ["raw_broadcast.c"],
        "raw_sqlite": c + ["raw_sqlite.c", "-lsqlite3"],
        "raw_x25519": c + ["raw_x25519.c", "-lsodium"],
        "slow_sync.so": c + ["-shared", "-fPIC", "slow_sync.c", "-ldl"],
    }
    for name, command in programs.items():
        compile_program(folder / name, command, here)
    for name, sources in {"load": here, **({"load-other": options.against / "tests/bench"} if options.against else {})}.items():
        compile_program(folder / name, cxx + sorted(source.name for source in sources.glob("*.cpp")) + ["-lsodium"], sources)
