#!/usr/bin/env python3
"""Finds co_await with a call through a pointer to a member, which g++ 12 compiles wrongly (see docs/decisions.md).

usage: awaited_calls.py <repository>; prints file:line and what to write instead, exits 1 when there is one.
"""
import pathlib
import re
import sys

# Comments and literals say nothing; what is left keeps its lines.
ASIDE = re.compile(r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])\'', re.S)
AWAITED = re.compile(r"\bco_await\b[^;{}]*?(?:->\*|[\w)\]]\s*\.\*)")


def without_asides(text):
    return ASIDE.sub(lambda found: "\n" * found.group().count("\n") or " ", text)


def main():
    root = pathlib.Path(sys.argv[1])
    files = wrong = 0
    for top in ("src", "roles", "modules", "tests"):
        for file in sorted((root / top).rglob("*.[ch]pp")):
            text = without_asides(file.read_text(encoding="utf-8"))
            files += 1
            for found in AWAITED.finditer(text):
                wrong += 1
                line = text.count("\n", 0, found.start()) + 1
                print(f"{file.relative_to(root)}:{line}: co_await of a call through a pointer to a member; put a plain function around the call")
    print(f"{files} files, {wrong} wrong")
    return 1 if wrong else 0


sys.exit(main())
