#!/usr/bin/env bash
# A PostgreSQL with bulk data, backed up into one store or another and restored from it. Run by phoenix-bench,
# one step at a time, as an unprivileged user, in namespaces of its own.
#
# Given in the environment:
#   STEP        prepare, serve, stanza, backup, restore, check
#   ROOT        the same directory for every step
#   BYTES       of bulk data, for prepare
#   PGBACKREST  the program; PostgreSQL's programs are first in PATH
#   CONF        the text of pgbackrest.conf, for all steps but prepare and serve
#   OPTIONS     more options of pgBackRest, for backup and restore
#
# Prints what it is asked for: seconds, or what the check found. Any failure ends it with a status other than 0.
set -euo pipefail

data=$ROOT/data socket=$ROOT/socket conf=$ROOT/pgbackrest.conf restored=$ROOT/restored log=$ROOT/repository.log

trap 'status=$?; [ $status = 0 ] || tail -n 20 "$log" >&2' EXIT

sql() { psql -X -q -A -t -v ON_ERROR_STOP=1 -h "$1" -U postgres -d postgres -c "$2"; }

# "$OPTIONS" is several words
backrest() { "$PGBACKREST" --config="$conf" --stanza=castle ${OPTIONS-} "$@" >>"$log" 2>&1; }

timed() {
    local begin=$EPOCHREALTIME
    "$@"
    awk -v begin="$begin" -v end="$EPOCHREALTIME" 'BEGIN { print end - begin }'
}

await() {
    until [ "$(sql "$1" 'SELECT pg_is_in_recovery()' 2>/dev/null)" = f ]; do
        kill -0 "$2"
        sleep 0.02
    done
}

case $STEP in
prepare)
    mkdir "$socket" "$ROOT/work" "$ROOT"/work/{log,lock,spool}
    initdb -D "$data" -U postgres --auth=trust --encoding=UTF8 --locale=C --data-checksums --no-sync >>"$log" 2>&1
    # the drill's settings, and as much WAL as the filling takes; archived only while there is a store
    cat >>"$data/postgresql.conf" <<END
listen_addresses = ''
unix_socket_directories = '$socket'
dynamic_shared_memory_type = mmap
archive_mode = on
archive_command = 'test ! -e "$conf" || "$PGBACKREST" --config="$conf" --stanza=castle archive-push "%p"'
fsync = off
full_page_writes = off
shared_buffers = '32MB'
max_connections = 50
max_wal_senders = 0
autovacuum = off
jit = off
huge_pages = off
max_parallel_workers = 0
max_wal_size = '256MB'
min_wal_size = '128MB'
END
    postgres -D "$data" >>"$log" 2>&1 &
    await "$socket" $!
    # hexadecimal text, a kilobyte a row, of which nothing repeats: half of it compresses away
    sql "$socket" "CREATE TABLE ballast AS SELECT i AS id, (SELECT string_agg(md5((i * 32 + j)::text), '')
        FROM generate_series(1, 32) j) AS payload FROM generate_series(1, $BYTES / 1060) i"
    pg_ctl -D "$data" -m fast -w stop >>"$log" 2>&1
    ;;
serve)
    exec postgres -D "$data" >>"$log" 2>&1
    ;;
stanza)
    (umask 077; rm -f "$conf"; printf '%s\n' "$CONF" >"$conf")
    # the server of the step before may just be starting
    for ((look = 0; look < 1500; look++)); do
        sql "$socket" 'SELECT 1' >/dev/null 2>&1 && break
        sleep 0.02
    done
    backrest stanza-create
    sql "$socket" CHECKPOINT
    ;;
backup)
    timed backrest --type=full --repo=1 backup
    "$PGBACKREST" --config="$conf" --stanza=castle --log-level-console=off --repo=1 --output=json info
    ;;
restore)
    rm -rf "$restored"
    install -d -m 700 "$restored"
    timed backrest --repo=1 --pg1-path="$restored" --archive-mode=off --type=immediate \
        --target-action=promote restore
    ;;
check)
    install -d "$ROOT/again"
    postgres -D "$restored" -c unix_socket_directories="$ROOT/again" >>"$log" 2>&1 &
    server=$!
    await "$ROOT/again" $server
    for place in "$socket" "$ROOT/again"; do
        sql "$place" 'SELECT count(*), sum(hashtext(payload)::numeric) FROM ballast'
    done
    kill -INT $server
    wait $server || :
    rm -rf "$restored"
    # no store from now on
    rm "$conf"
    ;;
esac
