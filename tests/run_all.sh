#!/usr/bin/env bash
# Runs every test there is and closes with how many passed and failed: called by make test.
set -u
cd "$(dirname "$0")/.."

passed=0 failed=0
logs=build/tests/logs
mkdir -p "$logs"

# $1: what it is; the rest: a command that is one test by itself
one()
{
	local name=$1 log=$logs/${1//[^a-zA-Z0-9]/_}.log
	shift
	if "$@" >"$log" 2>&1; then
		echo "ok    $name"
		passed=$((passed + 1))
	else
		echo "FAIL  $name"
		tail -n 30 "$log" | sed 's/^/      /'
		failed=$((failed + 1))
	fi
}

# $1: what it is; the rest: a command that runs many tests and prints their counts as $counts understands
many()
{
	local name=$1 log=$logs/${1//[^a-zA-Z0-9]/_}.log status p f
	shift
	"$@" >"$log" 2>&1
	status=$?
	read -r p f < <(awk '
		/^[0-9]+%: Checks: / { gsub(/,/, ""); p += $3 - $5 - $7; f += $5 + $7 }
		/^# pass / { p += $3 }
		/^# (fail|cancelled) / { f += $3 }
		/^[0-9]+ passed, [0-9]+ failed/ { p += $1; f += $3 }
		END { print p + 0, f + 0 }' "$log")
	[ "$status" -ne 0 ] && [ "$f" -eq 0 ] && f=1
	[ "$p" -eq 0 ] && [ "$f" -eq 0 ] && f=1
	echo "$([ "$f" -eq 0 ] && echo 'ok   ' || echo 'FAIL ') $name: $p passed, $f failed"
	[ "$f" -gt 0 ] && grep -aE '^not ok|^    not ok|:[FE]:|ERROR: |SUMMARY: |runtime error|error:|failed' "$log" | head -n 60 | sed 's/^/      /'
	passed=$((passed + p)) failed=$((failed + f))
}

node_suite()
{
	# the provider of the interop tests wants a newer Node than Debian 12 has; npm brings it
	local node
	node=$(find "$PWD"/tests/node_modules/node-linux-*/bin -name node | head -n 1)
	(cd tests && GATEHOUSE_BIN=$1 "${node:-node}" --test --test-reporter=tap --test-concurrency=2 \
		scenario/*.test.mjs interop/*.test.mjs)
}

# the core again as on a host that forbids io_uring
without_io_uring()
{
	(cd tests && GATEHOUSE_IO_URING=false GATEHOUSE_BIN=$PWD/../build/gatehouse \
		node --test --test-reporter=tap --test-concurrency=2 \
		scenario/{streaming,bad_upstream,large_answers,http_rules,reload,crash}.test.mjs)
}

# leaks and errors found in any process of the gateway end up in files that must not exist
sanitized_suite()
{
	local reports=$PWD/build/tests/sanitizer
	rm -rf "$reports"
	mkdir -p "$reports"
	chmod 1777 "$reports"
	ASAN_OPTIONS="log_path=$reports/asan:detect_leaks=0:abort_on_error=0:exitcode=99" \
	UBSAN_OPTIONS="log_path=$reports/ubsan:print_stacktrace=1:halt_on_error=1" \
		node_suite "$PWD/build/asan/gatehouse"
	local status=$?
	if [ -n "$(ls -A "$reports")" ]; then
		echo "ERROR: sanitizer reports:"
		head -n 40 "$reports"/*
		return 1
	fi
	return $status
}

one "layers and shape" make --no-print-directory check
many "unit" make --no-print-directory unit
many "unit, sanitized" make --no-print-directory unit SANITIZE=1
many "torture" make --no-print-directory torture
many "scenario and interop" node_suite "$PWD/build/gatehouse"
many "core without io_uring" without_io_uring
many "scenario and interop, sanitized" sanitized_suite

echo
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
