#!/usr/bin/env python3
"""Checks that each requirement listed in docs/features.md is shown by a test or a command that exists.

A row counts when its first cell is an id such as NET-01. It must hold the tag of a test in brackets ([NET-01]), or, in
back-quotes, a `./dev` command or the path of a file. A row that says "not yet" claims nothing.
usage: features.py <repository>
"""
import pathlib
import re
import sys

ROW = re.compile(r"^\|\s*([A-Z]{2,5}-\d{2})\s*\|(.*)")
TAG = re.compile(r"\[([A-Z]{2,5}-\d{2})\]")
TEST_CASE = re.compile(r'\b(?:TEST_CASE|SCENARIO|TEST_CASE_METHOD|TEMPLATE_TEST_CASE)\s*\((.*?)\)\s*\{', re.S)


def tags_of_tests(root):
    tags = set()
    for top in ("src", "roles", "modules", "tests"):
        for file in (root / top).rglob("*_test.cpp"):
            for case in TEST_CASE.findall(file.read_text(encoding="utf-8")):
                tags.update(TAG.findall(case))
    return tags


def problems_of_row(root, identifier, text, tags):
    named = TAG.findall(text)
    problems = [f"no test has the tag [{tag}]" for tag in named if tag not in tags]
    commands = re.findall(r"`([^`]+)`", text)
    shown = bool(named)
    for command in commands:
        if command.startswith(("./dev ", ".ci/", "gameserver ")):
            shown = True
        elif re.match(r"(src|roles|modules|tests|packaging|docs|etc)/", command):
            shown = True
            if not (root / command.split()[0]).exists():
                problems.append(f"there is no file {command.split()[0]}")
    if not shown:
        problems.append(f"it names no test tag and no command; add for example [{identifier}] to a test and to this row")
    return problems


def main():
    root = pathlib.Path(sys.argv[1])
    page = root / "docs" / "features.md"
    if not page.exists():
        print("docs/features.md is missing: it lists each requirement with the test or command that shows it")
        return 1
    tags = tags_of_tests(root)
    shown = open_rows = wrong = 0
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        row = ROW.match(line)
        if not row:
            continue
        if "not yet" in row.group(2).lower():
            open_rows += 1
            continue
        problems = problems_of_row(root, row.group(1), row.group(2), tags)
        shown += not problems
        wrong += len(problems)
        for problem in problems:
            print(f"docs/features.md:{number}: {row.group(1)}: {problem}")
    if not shown and not wrong:
        print('docs/features.md has no row that starts with "| NET-01 |" or another id')
        return 1
    print(f"{shown} requirements shown, {open_rows} not yet, {wrong} wrong")
    return 1 if wrong else 0


sys.exit(main())
