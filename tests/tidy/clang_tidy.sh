#!/usr/bin/env bash
# Runs the narrow set of .clang-tidy over all sources but the tests.
# usage: clang_tidy.sh <folder of compile_commands.json> <parallel jobs>
set -euo pipefail
cd "$(dirname "$0")/../.."
mapfile -t files < <(find src roles modules -name '*.cpp' ! -name '*_test.cpp' ! -name '*_fuzz.cpp' ! -name asio_impl.cpp | sort)
[ ${#files[@]} -gt 0 ] || { echo "no source files found" >&2; exit 1; }
printf '%s\0' "${files[@]}" | xargs -0 -n 4 -P "$2" clang-tidy-14 --quiet -p "$1" 2>&1 |
    { grep -v -E '^[0-9]+ warnings? (and [0-9]+ errors? )?generated|^Suppressed|^Use -header-filter' || true; }
echo "${#files[@]} files"
