#!/usr/bin/env python3
"""Checks who may include whom, and that each outside library is named in one place only.

usage: includes.py <repository>; prints file:line and what would be right, exits 1 when something is wrong.
"""
import pathlib
import re
import sys

BELOW_CLUSTER = {"base", "wire", "runtime", "transport", "http", "storage"}
MAY_SEE = {
    "base": set(),
    "wire": {"base"},
    "runtime": {"base"},
    "transport": {"base", "wire", "runtime"},
    "http": {"base", "wire", "runtime"},
    "storage": {"base", "wire", "runtime"},
    "cluster": BELOW_CLUSTER,
    "entity": BELOW_CLUSTER | {"cluster"},
    "session": BELOW_CLUSTER | {"cluster", "entity"},
    "api": BELOW_CLUSTER | {"cluster", "entity", "session"},
    "client": {"base", "wire", "runtime", "transport", "http"},
}
# start of the included name -> folders that may include it
LIBRARIES = {
    "asio": ("src/client",),
    "sqlite3.h": ("src/storage/sqlite",),
    "toml++/": ("src/app/config",),
    "microhttpd.h": ("src/http",),
    "curl/": ("src/http",),
    "spdlog/": ("src/base",),
    "prometheus/": ("src/base",),
    "sodium": ("src/base/crypto", "src/wire"),
    "openssl/": ("src/base/crypto", "src/transport/tls"),
    "lz4": ("src/wire",),
    "CLI/": ("src/app", "src/main.cpp"),
    "catch2/": ("tests",),
}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def is_test(path):
    return path.startswith("tests/") or re.search(r"_(test|fuzz|sim)\.cpp$", path) is not None


def check_library(path, included):
    for start, folders in LIBRARIES.items():
        if included.startswith(start) and not any(path == f or path.startswith(f + "/") for f in folders):
            return f"<{included}> may be included only in {', '.join(folders)}"
    return None


def check_source_folder(folder, included):
    seen = included.split("/")[0]
    if seen in ("roles", "modules"):
        if folder == "client" and included.endswith("/messages.hpp"):
            return None
        return f'src/{folder} may not include "{included}": roles and modules stand above it'
    if seen == folder or (seen not in MAY_SEE and seen != "app"):
        return None
    if seen not in MAY_SEE[folder]:
        allowed = ", ".join(sorted(MAY_SEE[folder])) or "nothing but itself"
        return f'src/{folder} may not include "{included}"; it may see {allowed}'
    return None


def check_part(root, path, bracket, included):
    """A role or module: api headers, its own folder, messages.hpp of others, the standard library."""
    own = "/".join(path.split("/")[:2])
    if bracket == "<":
        if "/" in included or "." in included:
            return f"<{included}>: roles and modules use the standard library and api/ headers only"
        return None
    if included.startswith(("api/", own + "/")) or (root / path).parent.joinpath(included).exists():
        return None
    if re.fullmatch(r"(roles|modules)/\w+/messages\.hpp", included):
        return None
    return f'{own} may not include "{included}"; it may see api/ headers, its own folder and messages.hpp of others'


def check_line(root, path, bracket, included):
    if is_test(path):
        return None
    wrong = check_library(path, included)
    if wrong:
        return wrong
    top, _, rest = path.partition("/")
    if top in ("roles", "modules"):
        return check_part(root, path, bracket, included)
    folder = rest.split("/")[0]
    if bracket == '"' and folder in MAY_SEE:
        return check_source_folder(folder, included)
    return None


def main():
    root = pathlib.Path(sys.argv[1])
    files = wrong = 0
    for top in ("src", "roles", "modules", "tests"):
        for file in sorted((root / top).rglob("*")):
            if file.suffix not in (".cpp", ".hpp", ".c", ".h"):
                continue
            files += 1
            path = file.relative_to(root).as_posix()
            for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
                found = INCLUDE.match(line)
                problem = found and check_line(root, path, found.group(1), found.group(2))
                if problem:
                    wrong += 1
                    print(f"{path}:{number}: {problem}")
    print(f"{files} files, {wrong} wrong includes")
    return 1 if wrong else 0


sys.exit(main())
