#!/usr/bin/env bash
# The demo: an orders API in Express and Gatehouse in front of it, until Ctrl-C. Called by make run.
# PORT, API_PORT and ADMIN_PORT choose other ports.
set -u

top=$(cd "$(dirname "$0")/../.." && pwd)
gatehouse=${GATEHOUSE_BIN:-$top/build/gatehouse}
folder=${DEMO_DIR:-$top/build/demo}
port=${PORT:-8080} api_port=${API_PORT:-3000} admin_port=${ADMIN_PORT:-8081}
node=$(command -v node || command -v nodejs) || { echo "Node.js is missing: apt-get install nodejs" >&2; exit 1; }
export NODE_PATH=${NODE_PATH:-/usr/share/nodejs}
api='' gate='' status=1

stop()
{
	trap '' INT TERM HUP
	for pid in $gate $api; do kill -TERM "$pid" 2>/dev/null; done
	wait
	exit "$status"
}

# $1: port, $2: what wants it, $3: the variable that chooses another
need_port()
{
	(exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null || return 0
	echo "port $1 is taken, so $2 cannot start; choose another: $3=$(($1 + 100)) make run" >&2
	exit 1
}

# $1: process, $2: port, $3: path that answers when it is ready
wait_ready()
{
	local tries
	for ((tries = 0; tries < 200; tries++)); do
		kill -0 "$1" 2>/dev/null || return 1
		"$node" -e 'require("http").get(process.argv[1], (r) => process.exit(r.statusCode < 500 ? 0 : 1)).on("error", () => process.exit(1))' \
			"http://127.0.0.1:$2$3" && return 0
		sleep 0.05
	done
	return 1
}

try()
{
	printf '  %-92s # %s\n' "curl -i ${1:+-H \"Authorization: Bearer \$$1\" }$2" "$3"
}

tell()
{
	local at=http://127.0.0.1:$port
	local order="--json '{\"item\":\"plate\"}'"
	echo
	echo "Gatehouse is on $at, the orders API behind it on http://127.0.0.1:$api_port."
	echo "Tokens, for another terminal (the same lines are in ${folder#"$PWD"/}/tokens.sh):"
	echo
	sed 's/^/  /' "$folder/tokens.sh"
	echo
	try GOOD "$at/orders" '200: passes'
	try GOOD "$at/orders/whoami" '200: who the backend is told you are'
	try GOOD "$at/orders $order" '201: passes'
	try READER "$at/orders" '200: passes'
	try READER "$at/orders $order" '403: insufficient_scope, needs orders:write'
	try EXPIRED "$at/orders" '401: the token is expired'
	try FORGED "$at/orders" '401: unsigned, alg none'
	try ALTERED "$at/orders" '401: the signature is wrong'
	try MISDIRECTED "$at/orders" '401: the audience is not accepted'
	try '' "$at/orders" '401: no token was sent'
	echo
	echo "Metrics: http://127.0.0.1:$admin_port/metrics   Access log: ${folder#"$PWD"/}/access.log   Ctrl-C ends it all."
}

trap 'status=0; stop' INT TERM HUP
[ -x "$gatehouse" ] || { echo "$gatehouse is missing: run make first" >&2; exit 1; }
need_port "$api_port" "the orders API" API_PORT
need_port "$port" "Gatehouse" PORT
need_port "$admin_port" "Gatehouse's admin listener" ADMIN_PORT

"$node" "$top/tests/demo/setup.cjs" "$folder" "$port" "$api_port" "$admin_port" || exit 1
"$node" "$top/tests/demo/api.cjs" "$api_port" &
api=$!
wait_ready "$api" "$api_port" /healthz || { echo "the orders API did not start" >&2; stop; }
"$gatehouse" -c "$folder/gatehouse.conf" &
gate=$!
wait_ready "$gate" "$admin_port" /readyz || { echo "Gatehouse did not start" >&2; stop; }
tell
wait -n "$api" "$gate"
echo "the demo ends, since one of its two programs has ended" >&2
stop
