#!/usr/bin/env bash
# The demo: an orders API in Express, Gatehouse in front of it, and a PostgreSQL for its token service,
# until Ctrl-C. Called by make run.
# PORT, API_PORT and ADMIN_PORT choose other ports.
set -u

top=$(cd "$(dirname "$0")/../.." && pwd)
gatehouse=${GATEHOUSE_BIN:-$top/build/gatehouse}
folder=$(realpath -m "${DEMO_DIR:-$top/build/demo}")
port=${PORT:-8080} api_port=${API_PORT:-3000} admin_port=${ADMIN_PORT:-8081}
node=$(command -v node || command -v nodejs) || { echo "Node.js is missing: apt-get install nodejs" >&2; exit 1; }
export NODE_PATH=${NODE_PATH:-/usr/share/nodejs}
api='' gate='' database='' status=1
. "$top/tests/demo/database.sh"

stop()
{
	trap '' INT TERM HUP
	for pid in $gate $api; do kill -TERM "$pid" 2>/dev/null; done
	[ -z "$gate" ] || wait "$gate" 2>/dev/null
	[ -z "$database" ] || kill -INT "$database" 2>/dev/null
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

# The tour's client, made once. Its secret is shown once too, and kept where only its owner can read it.
make_client()
{
	local file=$folder/client.json verb=()
	local may=(--grants "client_credentials token-exchange" --exchange-from "demo/* self/demo")
	if "$gatehouse" -c "$conf" client show demo >/dev/null 2>&1; then
		"$gatehouse" -c "$conf" client change demo "${may[@]}" >/dev/null || return 1
		[ -s "$file" ] && return
		verb=(rotate demo)
	else
		"$gatehouse" -c "$conf" consumer show demo >/dev/null 2>&1 ||
			"$gatehouse" -c "$conf" consumer add demo >/dev/null || return 1
		verb=(add --consumer demo --id demo --scopes "orders:read orders:write" "${may[@]}")
	fi
	(umask 077 && "$gatehouse" -c "$conf" client "${verb[@]}" --json >"$file.new") &&
		mv "$file.new" "$file"
}

line()
{
	printf '  %-110s # %s\n' "$1" "$2"
}

# $1: name of the token's variable, or nothing; $2: the rest; $3: what comes of it
try()
{
	line "curl -i ${1:+-H \"Authorization: Bearer \$$1\" }$2" "$3"
}

# $1: form; $2: endpoint; $3: what comes of it
ask()
{
	line "curl -i -u \"\$CLIENT\" -d $1 $at/oauth2/$2" "$3"
}

tell()
{
	local at=http://127.0.0.1:$port
	local order="--json '{\"item\":\"plate\"}'"
	echo
	echo "Gatehouse is on $at, the orders API behind it on http://127.0.0.1:$api_port."
	echo "A tour, for another terminal (\$CLIENT and the bad tokens come from the file of the first line):"
	echo
	line ". ${folder#"$PWD"/}/tokens.sh" "the client's id and secret, and some tokens"
	ask grant_type=client_credentials token '200: a token; PostgreSQL has its row already'
	ask grant_type=client_credentials token '200: the same token, and expires_in counts down'
	line 'TOKEN=$(token)' 'the same again, kept in the shell'
	try TOKEN "$at/orders" '200: passes'
	try TOKEN "$at/orders/whoami" '200: who the backend is told you are'
	try TOKEN "$at/orders $order" '201: passes'
	line 'READER=$(token -d scope=orders:read)' 'a token that may do less'
	try READER "$at/orders $order" '403: insufficient_scope, needs orders:write'
	line 'ALICES=$(exchange $ALICE)' "the token of a user of another issuer, exchanged for one of ours"
	try ALICES "$at/orders/whoami" '200: the backend is told who the user is, and the client'
	line 'LESS=$(exchange $TOKEN -d scope=orders:read)' "a token of the client's own, exchanged for one that may do less"
	try LESS "$at/orders" '200: passes'
	ask 'token=$TOKEN' introspect '200: active, and what the token says'
	ask 'token=$TOKEN' revoke '200: from now on nobody accepts it'
	try TOKEN "$at/orders" '401: the token is revoked'
	try LESS "$at/orders" '401: the token is revoked, as is what it came of'
	ask 'token=$TOKEN' introspect '200: not active'
	try EXPIRED "$at/orders" '401: the token is expired'
	try FORGED "$at/orders" '401: unsigned, alg none'
	try ALTERED "$at/orders" '401: the signature is wrong'
	try MISDIRECTED "$at/orders" '401: the audience is not accepted'
	try '' "$at/orders" '401: no token was sent'
	echo
	echo "What the token service knows: build/gatehouse -c ${conf#"$PWD"/} client list | token list | keys list"
	echo "Metrics: http://127.0.0.1:$admin_port/metrics   Access log: ${folder#"$PWD"/}/access.log   Ctrl-C ends it all."
}

trap 'status=0; stop' INT TERM HUP
[ -x "$gatehouse" ] || { echo "$gatehouse is missing: run make first" >&2; exit 1; }
need_port "$api_port" "the orders API" API_PORT
need_port "$port" "Gatehouse" PORT
need_port "$admin_port" "Gatehouse's admin listener" ADMIN_PORT

mkdir -p "$folder" || exit 1
exec 9>"$folder/lock"
flock -n 9 || { echo "another demo runs in $folder; choose another folder: DEMO_DIR=/tmp/demo make run" >&2; exit 1; }
conf=$folder/gatehouse.conf
choose_home
"$node" "$top/tests/demo/setup.cjs" conf "$folder" "$port" "$api_port" "$admin_port" "$socket" || exit 1
make_database "$folder/database.password"
start_database || { echo "the database did not start: see $folder/database.log" >&2; stop; }
"$gatehouse" -c "$conf" migrate >/dev/null || stop
make_client || { echo "the demo's client could not be made" >&2; stop; }
"$node" "$top/tests/demo/setup.cjs" tokens "$folder" "$port" || stop
"$node" "$top/tests/demo/api.cjs" "$api_port" 9>&- &
api=$!
wait_ready "$api" "$api_port" /healthz || { echo "the orders API did not start" >&2; stop; }
"$gatehouse" -c "$conf" 9>&- &
gate=$!
wait_ready "$gate" "$admin_port" /readyz && wait_ready "$gate" "$port" /oauth2/jwks ||
	{ echo "Gatehouse did not start" >&2; stop; }
tell
wait -n "$api" "$gate" "$database"
echo "the demo ends, since one of its three programs has ended" >&2
stop
