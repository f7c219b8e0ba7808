#!/usr/bin/env bash
# Builds the server with a module from outside the repository, checks that it is listed, and runs its own simulation.
# usage: run.sh <build folder> <cmake options...>
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
source_folder=$(cd "$here/../.." && pwd)
# Beside the calling build instead of inside it: ccache knows files by their path relative to the build folder, so that
# only at the same depth everything but the module comes out of the cache.
build=$(dirname "$1")-$(basename "$1")
shift

outside=$(mktemp -d)
trap 'rm -rf "$outside"' EXIT
cp -r "$here/hello_outside" "$outside/"

cmake -S "$source_folder" -B "$build" "$@" -DBUILD_TESTING=ON -DGAMESERVER_EXTRA_MODULES="$outside/hello_outside"
cmake --build "$build" --target gameserver hello_outside_sim
listed=$("$build/gameserver" --list)
printf '%s\n' "$listed"
grep -q hello_outside <<<"$listed" || { echo "gameserver --list does not name the module hello_outside" >&2; exit 1; }
"$build/hello_outside_sim" --seeds 20
