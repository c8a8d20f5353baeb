# shellcheck shell=bash
# What the scripts beside it share; sourced, never run.
#
# Each script starts one database server for tests (galera: three). All its data
# is under $LECTERN_SERVERS_DIR/<name>; it listens on loopback alone, on a port
# of its own, and ends only the process it has started. Nothing is synced to disk:
# a data folder that was not closed properly is thrown away and made again.

set -euo pipefail

say() { printf '%s: %s\n' "$NAME" "$*" >&2; }

die() {
	say "$*"
	exit 1
}

# die_with_log FILE MESSAGE shows the end of a log before it gives up.
die_with_log() {
	[ ! -f "$1" ] || tail -n 25 "$1" >&2
	die "$2 (the log is $1)"
}

# folder NAME sets the folder of a server and makes it.
folder() {
	NAME=$1
	[ -n "${LECTERN_SERVERS_DIR:-}" ] || die 'LECTERN_SERVERS_DIR is not set: name a folder for the data of the test servers'
	mkdir -p "$LECTERN_SERVERS_DIR/$NAME" || die "cannot make $LECTERN_SERVERS_DIR/$NAME"
	DIR=$(cd "$LECTERN_SERVERS_DIR/$NAME" && pwd -P)
	# The path of a Unix socket has room for 107 bytes.
	[ "${#DIR}" -le 85 ] || die "the path is too long for a socket, choose a shorter LECTERN_SERVERS_DIR: $DIR"
}

# server NAME runs a script's start, stop or url as its first argument says.
server() {
	local verb=${2:-}
	case $verb in
	start | stop | url) ;;
	*)
		printf 'usage: %s start|stop|url\n' "${0##*/}" >&2
		exit 2
		;;
	esac
	folder "$1"
	DATA=$DIR/data LOG=$DIR/log PID=$DIR/pid PORT=$DIR/port CLEAN=$DIR/clean
	case $verb in
	start)
		exec 9>"$DIR/lock"
		flock 9 # two starts at once: the second finds the first one's server
		running "$PID" >/dev/null || start
		;;
	stop)
		running "$PID" >/dev/null || return 0
		stop
		touch "$CLEAN"
		return
		;;
	url) running "$PID" >/dev/null || die 'is not running: start it first' ;;
	esac
	url
}

# running PIDFILE prints the process id in the file if that process runs and is
# ours: its command line or working folder names our folder. Ids are reused.
running() {
	local pid
	[ -s "$1" ] && read -r pid <"$1" && [ -r "/proc/$pid/cmdline" ] || return 1
	{
		tr '\0' ' ' <"/proc/$pid/cmdline"
		readlink "/proc/$pid/cwd"
	} 2>/dev/null | grep -qF -- "$DIR" || return 1
	printf '%s\n' "$pid"
}

# launch COMMAND... starts the server so that it outlives this script. It returns when the command line of the new process
# can be read: until then, which takes long on a busy machine, running() would not know it.
launch() {
	local until=$((SECONDS + 30))
	setsid "$@" 9>&- </dev/null >>"$LOG" 2>&1 &
	printf '%s\n' "$!" >"$PID"
	disown
	until running "$PID" >/dev/null || ! alive || [ "$SECONDS" -ge "$until" ]; do sleep 0.02; done
}

# alive tells whether the process that launch has started is there, whatever its command line says.
alive() { kill -0 "$(<"$PID")" 2>/dev/null; }

# await SECONDS COMMAND... waits until the command succeeds, and gives up when the server ends.
await() {
	local until=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		if ! alive; then
			rm -f "$PID"
			die_with_log "$LOG" 'ended while it started'
		elif [ "$SECONDS" -ge "$until" ]; then
			end
			die_with_log "$LOG" 'did not start in time'
		fi
		sleep 0.1
	done
}

# end [SIGNAL] asks the server to end, and insists after 30 seconds.
end() {
	local pid
	if pid=$(running "$PID"); then
		kill "-${1:-TERM}" "$pid" 2>/dev/null || true
		local until=$((SECONDS + 30))
		while kill -0 "$pid" 2>/dev/null; do
			if [ "$SECONDS" -ge "$until" ]; then
				say 'did not end within 30 seconds, killing it'
				kill -KILL "$pid" 2>/dev/null || true
				break
			fi
			sleep 0.1
		done
	fi
	rm -f "$PID"
}

listening() { (exec 3<>"/dev/tcp/${HOST:-127.0.0.1}/$1") 2>/dev/null; }

# pick_port keeps a port below those of outgoing connections on which nobody
# listens. Somebody may still take it first: then the start fails and can be
# run again.
pick_port() {
	local p i
	for ((i = 0; i < 50; i++)); do
		p=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
		if ! listening "$p"; then
			printf '%s\n' "$p" >"$PORT"
			return
		fi
	done
	die 'found no free port'
}

# packages NAME... installs the Debian packages that are missing.
packages() {
	local p log=$DIR/apt.log missing=()
	for p in "$@"; do
		dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null | grep -qx installed || missing+=("$p")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	command -v apt-get >/dev/null || die "install ${missing[*]} first: there is no apt-get here to do it"
	[ "$(id -u)" = 0 ] || die "install ${missing[*]} first, or run this as root"
	say "installing ${missing[*]}"
	apt install -y --no-install-recommends "${missing[@]}" >"$log" 2>&1 && return
	# The package lists of a new machine are empty, or old.
	apt update >"$log" 2>&1 || die_with_log "$log" 'cannot fetch the package lists'
	apt install -y --no-install-recommends "${missing[@]}" >>"$log" 2>&1 || die_with_log "$log" "cannot install ${missing[*]}"
}

apt() {
	DEBIAN_FRONTEND=noninteractive UCF_FORCE_CONFFOLD=1 \
		apt-get -q -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 "$@" 9>&-
}

# mysql_like LOADER... starts mysqld or mariadbd, whose options it completes.
mysql_like() {
	# The only way to make a user without a client program.
	cat >"$DIR/init.sql" <<-'SQL'
		CREATE USER IF NOT EXISTS 'lectern'@'%' IDENTIFIED BY 'lectern';
		GRANT ALL ON *.* TO 'lectern'@'%' WITH GRANT OPTION;
		CREATE DATABASE IF NOT EXISTS lectern;
	SQL
	pick_port
	rm -f "$CLEAN"
	launch "$@" --bind-address=127.0.0.1 --port="$(<"$PORT")" --socket="$DIR/sock" --pid-file="$DIR/server.pid" \
		--skip-name-resolve --init-file="$DIR/init.sql" --max-connections=300 \
		--character-set-server=utf8mb4 --collation-server=utf8mb4_unicode_ci
	await 120 listening "$(<"$PORT")"
}

mysql_like_url() { printf 'mysql://lectern:lectern@127.0.0.1:%s/lectern\n' "$(<"$PORT")"; }
