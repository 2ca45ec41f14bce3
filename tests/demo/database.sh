# The demo's PostgreSQL, a private one without a port: sourced by run.sh, whose $folder it lives in.
# It sets $database to its process and $socket to the folder of its socket.

programs=$(compgen -G '/usr/lib/postgresql/*/bin' | sort -V | tail -n 1)
as=()
[ "$(id -u)" -eq 0 ] && as=(setpriv --reuid=postgres --regid=postgres --init-groups)

# PostgreSQL refuses to run as root, and its own user can't reach into a folder closed to others
choose_home()
{
	home=$folder/database
	if [ "${#as[@]}" -gt 0 ] && ! "${as[@]}" test -x "$folder"; then
		home=/var/tmp/gatehouse-demo-$(echo "$folder" | cksum | cut -d ' ' -f 1)
	fi
	mkdir -p "$home" || exit 1
	if [ "${#as[@]}" -gt 0 ]; then chown postgres: "$home" || exit 1; fi
	chmod 711 "$home"
	socket=$home
	# the path of a socket has room for 107 bytes
	if [ "${#home}" -gt 80 ]; then
		socket=/tmp/gatehouse-demo-$(echo "$folder" | cksum | cut -d ' ' -f 1)
		mkdir -p "$socket" && chmod 711 "$socket" || exit 1
		[ "${#as[@]}" -eq 0 ] || chown postgres: "$socket"
	fi
}

as_postgres()
{
	(cd / && exec "${as[@]}" "$@")
}

# $1: the file with the password of its one user
make_database()
{
	local log=$folder/database.log
	[ -f "$home/data/PG_VERSION" ] && return
	rm -rf "$home/data" "$home/new"
	# in a file that the server's user can read, for as long as it takes
	as_postgres sh -c 'umask 077 && cat >"$0"' "$home/password" <"$1"
	as_postgres "$programs/initdb" -D "$home/new" -U gatehouse -A scram-sha-256 -E UTF8 --locale=C --no-sync \
		--pwfile="$home/password" >"$log" 2>&1 && rm -f "$home/password" &&
		as_postgres "$programs/postgres" --single -D "$home/new" postgres \
			<<<'CREATE DATABASE gatehouse' >>"$log" 2>&1 &&
		mv "$home/new" "$home/data" && return
	echo "the demo's database could not be made:" >&2
	tail -n 5 "$log" >&2
	exit 1
}

start_database()
{
	local tries
	[ -n "$programs" ] || { echo "PostgreSQL is missing: apt-get install postgresql" >&2; exit 1; }
	# one that a demo left behind which was killed
	as_postgres "$programs/pg_ctl" -D "$home/data" -m fast stop >/dev/null 2>&1
	# no shell in between, so that the process is the server's own
	(cd / && exec "${as[@]}" "$programs/postgres" -D "$home/data" -k "$socket" \
		-c listen_addresses= >>"$folder/database.log" 2>&1 9>&-) &
	database=$!
	for ((tries = 0; tries < 600; tries++)); do
		kill -0 "$database" 2>/dev/null || return 1
		"$programs/pg_isready" -q -h "$socket" && return 0
		sleep 0.05
	done
	return 1
}
