#!/usr/bin/env python3
"""Checks that the pages show the code that is really there, and link to files that exist.

A block that opens with ```cpp modules/echo/echo.cpp is that file, whole; with "part" after the path it is lines that
stand together in that file, whatever their indentation. Any language name will do instead of cpp.
usage: docs.py <repository>
"""
import pathlib
import re
import sys
import textwrap

BLOCK = re.compile(r"^```\w+ (\S+/\S+?)( part)?\n(.*?)^```$", re.M | re.S)
LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")


def plain(text):
    return textwrap.dedent(text).strip("\n")


def contains(content, part):
    """Whether the lines of `part` stand together in `content`; both are compared without their common indentation."""
    lines, wanted = content.splitlines(), plain(part).splitlines()
    starts = range(len(lines) - len(wanted) + 1)
    return any(plain("\n".join(lines[at : at + len(wanted)])).splitlines() == wanted for at in starts)


def problems_of(root, page, text):
    for block in BLOCK.finditer(text):
        line = text.count("\n", 0, block.start()) + 1
        path, part, shown = block.groups()
        if not (root / path).is_file():
            yield line, f"there is no file {path}"
            continue
        content = (root / path).read_text(encoding="utf-8")
        if part and not contains(content, shown):
            yield line, f"these lines do not stand together in {path}"
        elif not part and shown != content:
            yield line, f"this is not the content of {path}"
    for link in LINK.finditer(text):
        if not (page.parent / link.group(1)).exists():
            yield text.count("\n", 0, link.start()) + 1, f"there is no file {link.group(1)} to link to"


def main():
    root = pathlib.Path(sys.argv[1])
    pages = [page for page in (root / "README.md", root / "CHANGELOG.md") if page.exists()] + sorted(root.glob("docs/*.md"))
    blocks = wrong = 0
    for page in pages:
        text = page.read_text(encoding="utf-8")
        blocks += len(BLOCK.findall(text))
        for line, problem in problems_of(root, page, text):
            wrong += 1
            print(f"{page.relative_to(root)}:{line}: {problem}")
    print(f"{len(pages)} pages, {blocks} blocks of code that is in the tree, {wrong} wrong")
    return 1 if wrong else 0


sys.exit(main())
