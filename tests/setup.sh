#!/usr/bin/env bash
# Installs what is missing from Debian's packages: tests/setup.sh build|run|test|bench
# As another user than root it only says what is missing.
set -u

missing=()

# $1: package; the rest: a test that succeeds when nothing needs installing
need()
{
	local package=$1
	shift
	"$@" >/dev/null 2>&1 || missing+=("$package")
}

have_llhttp()
{
	pkg-config --exists 'libllhttp >= 9.2' || [ -f /usr/share/llhttp/llhttp.c ]
}

# Debian keeps the server's programs out of the path
have_postgres()
{
	compgen -G '/usr/lib/postgresql/*/bin/initdb'
}

# the package that brings llhttp: a library where Debian has it, else the sources of node-llhttp
llhttp_package()
{
	if apt-cache show libllhttp-dev 2>/dev/null | grep -q '^Version: \(9\|[1-9][0-9]\)'; then
		echo libllhttp-dev
	else
		echo node-llhttp
	fi
}

need_build()
{
	need gcc command -v cc
	need make command -v make
	need libc6-dev test -f /usr/include/stdlib.h
	need pkg-config command -v pkg-config
	need libssl-dev pkg-config --exists openssl
	need libjansson-dev pkg-config --exists jansson
	need libconfuse-dev pkg-config --exists libconfuse
	need libpq-dev pkg-config --exists libpq
	have_llhttp || missing+=(llhttp)
}

need_run()
{
	need_build
	need nodejs command -v node
	need node-express test -d /usr/share/nodejs/express
	need postgresql have_postgres
}

need_test()
{
	need_run
	need check pkg-config --exists check
	need npm command -v npm
	need curl command -v curl
	need procps command -v ps
	need util-linux command -v prlimit
	need gawk command -v gawk
}

need_bench()
{
	need_build
	need nodejs command -v node
	need npm command -v npm
	need nginx-light test -x /usr/sbin/nginx
	need wrk command -v wrk
	need haproxy command -v haproxy
	need apache2-bin test -x /usr/sbin/apache2
	need libapache2-mod-oauth2 test -f /usr/lib/apache2/modules/mod_oauth2.so
	need node-express test -d /usr/share/nodejs/express
	need openssl command -v openssl
	need postgresql have_postgres
}

# a web server that is installed to be measured must not open port 80 of this machine by itself, nor
# a database start that nobody asked for
keep_services_stopped()
{
	local policy=/usr/sbin/policy-rc.d
	[ -e "$policy" ] && return
	printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy"
	trap 'rm -f /usr/sbin/policy-rc.d' EXIT
}

# the demo, the tests and the benchmarks make clusters of their own: Debian need not make one too
without_cluster()
{
	local conf=/etc/postgresql-common/createcluster.conf
	apt-get install -y -qq --no-install-recommends postgresql-common >"$log" 2>&1 || return
	sed -i 's/^#\?create_main_cluster *=.*/create_main_cluster = false/' "$conf"
}

case ${1:-} in
build | run | test | bench) "need_$1" ;;
*) echo "usage: tests/setup.sh build|run|test|bench" >&2; exit 2 ;;
esac
[ ${#missing[@]} -eq 0 ] && exit 0

if [ "$(id -u)" -ne 0 ]; then
	echo "Missing packages: ${missing[*]/#llhttp/node-llhttp (or libllhttp-dev)}. As root: apt-get install ${missing[*]/#llhttp/node-llhttp}" >&2
	exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq || echo "the package lists could not be brought up to date; trying with what is there" >&2
missing=("${missing[@]/#llhttp/$(llhttp_package)}")
echo "Installing ${missing[*]}"
log=$(mktemp)
[ "$1" = build ] || keep_services_stopped
[[ " ${missing[*]} " == *" postgresql "* ]] && without_cluster
if ! apt-get install -y -qq --no-install-recommends "${missing[@]}" >"$log" 2>&1; then
	tail -n 20 "$log" >&2
	rm -f "$log"
	echo "these packages could not be installed: ${missing[*]}" >&2
	exit 1
fi
rm -f "$log"
# nor at the next start of the machine
if [[ " ${missing[*]} " == *" haproxy "* ]] && command -v systemctl >/dev/null; then
	systemctl --quiet disable --now haproxy 2>/dev/null || true
fi
