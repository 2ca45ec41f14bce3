#!/usr/bin/env bash
# Runs the tests of one name, unit test or story, against what is built: called by make test T=name.
set -eu
cd "$(dirname "$0")/.."
name=$1 found=0
if [ -e "tests/unit/${name}_test.c" ]; then
	found=1
	make --no-print-directory unit "T=$name"
fi
for story in tests/{scenario,interop}/"$name".test.mjs; do
	[ -e "$story" ] || continue
	found=1
	make --no-print-directory modules
	node=$(find "$PWD"/tests/node_modules/node-linux-*/bin -name node | head -n 1)
	GATEHOUSE_BIN=${GATEHOUSE_BIN:-$PWD/build/gatehouse} "${node:-node}" --test "$story"
done
[ "$found" = 1 ] || { echo "there is no test of the name $name" >&2; exit 1; }
