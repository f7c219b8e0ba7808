#!/usr/bin/env python3
"""Checks that no file names a path that exists on one developer's machine only.

usage: paths.py <repository>
"""
import os
import pathlib
import re
import sys

# The brackets keep this file from finding itself.
MACHINE_PATH = re.compile(r"(?<![\w.}])/(?:[w]ork|[h]ome|[f]arm|[r]oot|[U]sers)/\w")
SKIPPED = {".git", "build", "corpus", "data", "__pycache__", "node_modules"}


def main():
    root = pathlib.Path(sys.argv[1])
    files = wrong = 0
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in SKIPPED)
        for name in sorted(names):
            file = pathlib.Path(folder, name)
            try:
                lines = file.read_text(encoding="utf-8").splitlines()
            except (UnicodeDecodeError, OSError):
                continue
            files += 1
            for number, line in enumerate(lines, 1):
                if MACHINE_PATH.search(line):
                    wrong += 1
                    print(f"{file.relative_to(root)}:{number}: a path of one machine: {line.strip()}")
    print(f"{files} files, {wrong} machine paths")
    return 1 if wrong else 0


sys.exit(main())
