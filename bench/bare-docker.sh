#!/bin/sh
# A drill in containers as a person types it, with bare `docker` commands: what `phoenix drill --environment
# containers` is measured against. Run by phoenix-bench with sh; nothing is kept.
#
# Given in the environment:
#   NAME LABEL                 how everything in the engine is called and marked; nothing of this name is there
#   STORE_IMAGE VICTIM_IMAGE   the drill's
#   FILES                      a directory that phoenix-bench fills before the clock starts (bare_docker.rs): the
#                              store's certificates and keys, and what is run inside the victim, with its settings
#
# Prints "<seconds since 1970> <step>" at the end of each step, and "segment <name>" for the last one
# archived. Any failure ends it with a status other than 0.
set -eu

net=$NAME-net store=$NAME-store log=$FILES/bare.log
victim=

# Whatever bears the label: also what a command that was cut off made.
clear_away() {
    docker ps --all --quiet --filter "label=$LABEL" | xargs -r docker rm --force --volumes
    docker volume ls --quiet --filter "label=$LABEL" | xargs -r docker volume rm
    docker network ls --quiet --filter "label=$LABEL" | xargs -r docker network rm
}

trap 'status=$?
      [ $status = 0 ] || { tail -n 20 "$log" >&2; clear_away >>"$log" 2>&1; }' EXIT
trap 'exit 143' TERM INT HUP

step() { date "+%s.%N $1"; }

# A script inside the victim, as a user: one `docker exec`, whatever the script waits for.
inside() { docker exec --interactive --user "$1" "$victim" sh -s <"$FILES/$2"; }

backrest() {
    docker exec --user postgres "$victim" \
        pgbackrest --config=/phoenix/conf/pgbackrest.conf --stanza=castle "$@" >>"$log" 2>&1
}

volume() { echo "type=volume,source=$NAME-$1,destination=$2,volume-label=$LABEL"; }

# The container is there before PostgreSQL is, and dies with it.
raise() {
    victim=$NAME-victim-$1
    docker run --detach --name "$victim" --label "$LABEL" --network "$net" --user postgres \
        --mount "$(volume "data-$1" /phoenix/data)" --mount "$(volume "repository-$1" /phoenix/repository)" \
        --publish 127.0.0.1::5432 --entrypoint sh "$VICTIM_IMAGE" \
        -c 'mkfifo /tmp/.phoenix && read -r line </tmp/.phoenix && eval "$line"; exit $?' >>"$log"
    inside 0 furnish.sh >>"$log" 2>&1
}

ask_store() { curl --silent --fail --config "$FILES/curl.conf" --request PUT "$@" >>"$log" 2>&1; }

step begin
docker network create --label "$LABEL" "$net" >>"$log"
step network
docker run --detach --name "$store" --label "$LABEL" --network "$net" \
    --mount "$(volume store /data)" --volume "$FILES/certs:/certs:ro" --env-file "$FILES/store.env" \
    --publish 127.0.0.1::9000 "$STORE_IMAGE" server /data --certs-dir /certs --address :9000 >>"$log"
address=$(docker port "$store" 9000/tcp)
bucket=https://localhost:${address##*:}/phoenix
until ask_store "$bucket"; do sleep 0.02; done
ask_store --config "$FILES/versioning.conf" "$bucket?versioning="
step store
raise 1
step container
inside postgres initdb.sh >>"$log" 2>&1
step initdb
inside postgres start.sh >>"$log" 2>&1
step start
backrest stanza-create
step stanza
inside postgres before.sh >>"$log" 2>&1
step rows
backrest --type=full --repo=1 backup
step backup
inside postgres after.sh >>"$log" 2>&1
step rows
last=$(inside postgres archive.sh)
step archive
docker kill --signal KILL "$victim" >>"$log"
docker rm --volumes "$victim" >>"$log"
docker volume rm "$NAME-data-1" "$NAME-repository-1" >>"$log"
step wipe
raise 2
step container
backrest --repo=1 --type=default restore
step restore
inside postgres start.sh >>"$log" 2>&1
step recovery
found=$(inside postgres count.sh)
step query
docker rm --force --volumes "$victim" "$store" >>"$log"
docker volume rm "$NAME-data-2" "$NAME-repository-2" "$NAME-store" >>"$log"
docker network rm "$net" >>"$log"
if [ "$found" != "$ROWS" ]; then
    echo "$found rows came back of $ROWS" >&2
    exit 1
fi
echo "segment $last"
