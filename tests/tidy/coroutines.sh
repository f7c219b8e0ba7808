#!/usr/bin/env bash
# Finds the forms of co_await that g++ 12 compiles wrongly (see coroutines.query), in all our sources and headers.
# usage: coroutines.sh <folder of compile_commands.json> <parallel jobs>
set -euo pipefail
cd "$(dirname "$0")/../.."
python3 tests/tidy/awaited_calls.py . # the form that no query finds
query=$(mktemp)
found=$(mktemp)
trap 'rm -f "$query" "$found"' EXIT

# Headers count too, so "in the main file" becomes "in a file of this repository".
sed "s|isExpansionInMainFile()|isExpansionInFileMatching(\"^$PWD/(src\|roles\|modules\|tests)/\")|g" \
    tests/tidy/coroutines.query >"$query"

# The files with co_await, and those that include a header with it.
folders=(src roles modules tests)
mapfile -t headers < <(grep -rl --include='*.hpp' -w co_await "${folders[@]}" | sed 's|^src/||')
pattern='\bco_await\b'
for header in "${headers[@]}"; do pattern="$pattern|include \"${header//./\\.}\""; done
mapfile -t files < <(grep -rlE --include='*.cpp' "$pattern" "${folders[@]}" | grep -v -E '^tests/(extra_module|tidy)/' | sort)
[ ${#files[@]} -gt 0 ] || { echo "no coroutines found"; exit 0; }

status=0
printf '%s\0' "${files[@]}" | xargs -0 -n 4 -P "$2" clang-query-14 -p "$1" -f "$query" >"$found" 2>&1 || status=$?
if grep -E '(note: "[A-E]_|error:)' "$found" | sort -u; then
    echo "Write one co_await per statement, with names, moves, literals or calls as arguments."
    exit 1
fi
[ $status -eq 0 ] || { tail -n 20 "$found"; exit 1; }
echo "${#files[@]} files"
