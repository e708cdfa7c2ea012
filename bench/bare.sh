#!/usr/bin/env bash
# The Phoenix Protocol as a person types it, without a harness: what `phoenix drill --rows 1 --writers 1`
# is measured against. Run by phoenix-bench, as an unprivileged user, in namespaces of its own.
#
# Given in the environment:
#   PACE        fast (the drill's settings) or default (PostgreSQL's and pgBackRest's own)
#   ROOT        an empty directory
#   PGBACKREST  the program; PostgreSQL's programs are first in PATH
#   STORE_PORT STORE_BUCKET STORE_REGION STORE_CA STORE_PATH STORE_KEY STORE_SECRET
#
# Prints "<seconds since 1970> <step>" at the end of each step, and "segment <name>" for the last one
# archived. Any failure ends it with a status other than 0.
set -euo pipefail

victim=$ROOT/victim data=$ROOT/victim/data conf=$ROOT/victim/pgbackrest.conf log=$ROOT/bare.log
server=

trap 'status=$?; [ -z "$server" ] || kill -KILL $server 2>/dev/null || :
      [ $status = 0 ] || tail -n 20 "$log" >&2' EXIT

step() { echo "$EPOCHREALTIME $1"; }

sql() { psql -X -q -A -t -v ON_ERROR_STOP=1 -h "$victim/socket" -U postgres -d postgres "$@"; }

backrest() { "$PGBACKREST" --config="$conf" --stanza=castle "$@" >>"$log" 2>&1; }

furnish() {
    mkdir -p "$victim" "$victim"/{socket,work/log,work/lock,work/spool}
    install -d -m 700 "$data"
    (
        umask 077
        cat >"$conf" <<END
[global]
repo1-type=s3
repo1-path=$STORE_PATH
repo1-s3-bucket=$STORE_BUCKET
repo1-s3-endpoint=localhost
repo1-s3-region=$STORE_REGION
repo1-s3-key=$STORE_KEY
repo1-s3-key-secret=$STORE_SECRET
repo1-s3-uri-style=path
repo1-storage-port=$STORE_PORT
repo1-storage-ca-file=$STORE_CA
repo1-retention-full=8
log-level-console=info
log-level-file=off
log-path=$victim/work/log
lock-path=$victim/work/lock
spool-path=$victim/work/spool
END
        if [ "$PACE" = fast ]; then
            printf '%s\n' repo1-bundle=y compress-type=zst start-fast=y io-timeout=5 job-retry=1 >>"$conf"
        fi
        printf '%s\n' '' '[castle]' "pg1-path=$data" "pg1-socket-path=$victim/socket" pg1-user=postgres >>"$conf"
    )
}

create() {
    local options=(-D "$data" -U postgres --auth=trust --encoding=UTF8 --locale=C)
    if [ "$PACE" = fast ]; then
        options+=(--wal-segsize=1 --data-checksums --no-sync)
    fi
    initdb "${options[@]}" >>"$log" 2>&1
    # shared memory in files: POSIX shared memory would outlive a SIGKILL
    cat >>"$data/postgresql.conf" <<END
listen_addresses = ''
unix_socket_directories = '$victim/socket'
dynamic_shared_memory_type = mmap
archive_mode = on
archive_command = '"$PGBACKREST" --config="$conf" --stanza=castle archive-push "%p"'
END
    if [ "$PACE" = fast ]; then
        cat >>"$data/postgresql.conf" <<END
fsync = off
full_page_writes = off
shared_buffers = '32MB'
max_connections = 50
max_wal_senders = 0
autovacuum = off
jit = off
huge_pages = off
max_parallel_workers = 0
END
    fi
}

start() {
    postgres -D "$data" >>"$log" 2>&1 &
    server=$!
    until [ "$(sql -c 'SELECT pg_is_in_recovery()' 2>/dev/null)" = f ]; do
        kill -0 $server
        sleep 0.01
    done
}

burn() {
    # the postmaster first: it would restart what dies before it
    kill -KILL $server $(cat /proc/$server/task/$server/children)
    wait $server 2>/dev/null || :
    server=
    rm -rf "$victim"
    [ ! -e "$victim" ]
}

# A row of the workload, three segments, and the row that a person wants to see again.
rows() {
    sql >>"$log" <<END
INSERT INTO memories (content, row_id, run_id) VALUES ('row 1 before $1', gen_random_uuid(), 'bare');
SELECT pg_current_xact_id(); SELECT pg_switch_wal();
SELECT pg_current_xact_id(); SELECT pg_switch_wal();
SELECT pg_current_xact_id(); SELECT pg_switch_wal();
INSERT INTO memories (content, row_id, run_id) VALUES ('$1', gen_random_uuid(), 'bare');
END
}

step begin
furnish
create
step initdb
start
step start
backrest stanza-create
step stanza
sql -c "CREATE TABLE memories (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    content text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    row_id uuid NOT NULL UNIQUE,
    run_id text NOT NULL)"
rows DATO_A_NEL_BACKUP_S3
step rows
backrest --type=full --repo=1 backup
step backup
rows DATO_B_VOLATILE_MA_IMMORTALE_WAL
step rows
last=$(sql -c 'SELECT pg_walfile_name(pg_switch_wal())')
until [ "$(sql -c "SELECT last_archived_wal >= '$last' FROM pg_stat_archiver")" = t ]; do
    sleep 0.01
done
step archive
burn
step wipe
furnish
backrest --repo=1 --type=default restore
step restore
start
step recovery
found=$(sql -c "SELECT content FROM memories WHERE content LIKE 'DATO%' ORDER BY id")
step query
if [ "$found" != $'DATO_A_NEL_BACKUP_S3\nDATO_B_VOLATILE_MA_IMMORTALE_WAL' ]; then
    echo "a row is missing; there are: $found" >&2
    exit 1
fi
echo "segment $last"
burn
