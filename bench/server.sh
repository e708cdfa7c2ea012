#!/usr/bin/env bash
# A PostgreSQL with the drill's fast settings that archives nothing, for the cost of one commit. Run by
# phoenix-bench, as an unprivileged user, in namespaces of its own. Given: ROOT, an empty directory;
# PostgreSQL's programs are first in PATH.
set -euo pipefail

mkdir "$ROOT/socket"
initdb -D "$ROOT/data" -U postgres --auth=trust --encoding=UTF8 --locale=C --wal-segsize=1 \
    --data-checksums --no-sync >"$ROOT/server.log" 2>&1
cat >>"$ROOT/data/postgresql.conf" <<END
listen_addresses = ''
unix_socket_directories = '$ROOT/socket'
dynamic_shared_memory_type = mmap
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
exec postgres -D "$ROOT/data" >>"$ROOT/server.log" 2>&1
