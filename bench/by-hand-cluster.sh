#!/bin/sh
# A disaster on Kubernetes as a person drills it, with kind, kubectl and a shell, one step after the other: what
# `phoenix drill --environment cluster` is measured against. Run by phoenix-bench with sh; nothing is kept.
#
# Given in the environment:
#   NAME LABEL                      how everything in the engine is called and marked; nothing of this name is there
#   NODE_IMAGE STORE_IMAGE IMAGES   the drill's; IMAGES are the four that the nodes need
#   BUCKET ROWS                     the store's bucket, and how many rows are written on either side of the backup
#   OPERATOR                        the operator's namespace and its Deployment
#   NAMESPACE CLUSTER APPLICATION   of the PostgresCluster
#   FILES                           a directory that phoenix-bench fills before (by_hand_cluster.rs): the store's
#                                   certificates and keys, and manifests, the PostgresCluster's being the drill's
#
# Prints "<seconds since 1970> <step>" at the end of each step from the order to destroy on. Any failure ends
# it with a status other than 0; so does anything but the two rows in the end.
set -eu

net=$NAME-net store=$NAME-store log=$FILES/by-hand.log
export KUBECONFIG="$FILES/kubeconfig" KUBECACHEDIR="$FILES/cache" KIND_EXPERIMENTAL_DOCKER_NETWORK="$net"
# kind that is cut off leaves the images that it was loading
export TMPDIR="$FILES"
pgo=postgres-operator.crunchydata.com

nodes() { docker ps --all --quiet --filter "label=io.x-k8s.kind.cluster=$NAME"; }

# Asks once a second until a command succeeds, and not for ever.
until_it() {
    for _ in $(seq 300); do
        if "$@"; then return; fi
        sleep 1
    done
    return 1
}

# The engine lists a node that it is still making, and says that it removed it: it is there afterwards.
no_node_is_left() {
    nodes | xargs -r docker rm --force --volumes
    [ -z "$(nodes)" ]
}

clear_away() {
    until_it no_node_is_left
    docker ps --all --quiet --filter "label=$LABEL" | xargs -r docker rm --force --volumes
    docker volume ls --quiet --filter "label=$LABEL" | xargs -r docker volume rm
    docker network ls --quiet --filter "label=$LABEL" | xargs -r docker network rm
}

# What a person would look at.
how_it_is() {
    tail -n 20 "$log"
    echo "with ${life-nothing}"
    kubectl --namespace "$NAMESPACE" --request-timeout=20s get pods,jobs,events --output wide || true
    kubectl --namespace "$NAMESPACE" --request-timeout=20s logs --tail 20 \
        --selector "$pgo/pgbackrest-restore" || true
}

at_end() {
    status=$?
    trap '' TERM INT HUP
    if [ "$status" != 0 ]; then
        [ "$status" = 143 ] || how_it_is >&2
        # what kind asked for when it was cut off may be on its way
        sleep 2
    fi
    clear_away >>"$log" 2>&1
}
trap at_end EXIT
trap 'exit 143' TERM INT HUP

# Nothing is timed before the fire.
step() { :; }

await() { kubectl --namespace "$NAMESPACE" wait --timeout=600s "$@" >>"$log"; }

primary() {
    kubectl --namespace "$NAMESPACE" get pod --selector "$pgo/role=master" --output name
}

# SQL from the input, as whoever may use a shell in the database's container.
administer() {
    kubectl --namespace "$NAMESPACE" exec --stdin --container database "$(primary)" -- \
        psql -X -q -A -t -v ON_ERROR_STOP=1
}

# SQL from the input, as the application: with its new password, through pgBouncer, over TLS that is verified.
ask() {
    uri=$(kubectl --namespace "$NAMESPACE" get secret "$CLUSTER-pguser-$APPLICATION" \
        --output 'go-template={{index .data "pgbouncer-uri" | base64decode}}')
    kubectl --namespace "$NAMESPACE" exec --stdin --container database "$(primary)" -- \
        psql -X -q -A -t -v ON_ERROR_STOP=1 "$uri?sslmode=verify-full&sslrootcert=/pgconf/tls/ca.crt"
}

ask_store() { curl --silent --fail --config "$FILES/curl.conf" --request PUT "$@" >>"$log" 2>&1; }

# The store, outside the cluster.
open_store() {
    docker network create --label "$LABEL" "$net" >>"$log"
    docker run --detach --name "$store" --label "$LABEL" --network "$net" \
        --mount "type=volume,source=$store,destination=/data,volume-label=$LABEL" \
        --volume "$FILES/certs:/certs:ro" --env-file "$FILES/store.env" \
        --publish 127.0.0.1::9000 "$STORE_IMAGE" server /data --certs-dir /certs --address :9000 >>"$log"
    address=$(docker port "$store" 9000/tcp)
    url=https://localhost:${address##*:}/$BUCKET
    until_it ask_store "$url"
    ask_store --config "$FILES/versioning.conf" "$url?versioning="
}

# The castle out of nothing, with this PostgresCluster, until the pooler may be asked.
raise() {
    life=$1
    kind create cluster --name "$NAME" --image "$NODE_IMAGE" --wait 300s --config - >>"$log" 2>&1 <<END
kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
nodes: [{role: control-plane}, {role: worker}, {role: worker}]
END
    kubectl wait --for=condition=Ready node --all --timeout=300s >>"$log"
    step platform
    for image in $IMAGES; do
        kind load docker-image "$image" --name "$NAME" >>"$log" 2>&1
    done
    step images
    kubectl apply --server-side --filename "$FILES/operator.yaml" >>"$log"
    kubectl --namespace "${OPERATOR% *}" rollout status "deployment/${OPERATOR#* }" --timeout=300s >>"$log"
    step operator
    kubectl apply --server-side --filename "$FILES/secrets.json" >>"$log"
    step secrets
    kubectl apply --server-side --filename "$FILES/$1" >>"$log"
    await --for=jsonpath='{.status.usersRevision}' "postgrescluster/$CLUSTER"
    await --for=jsonpath='{.status.proxy.pgBouncer.postgresRevision}' "postgrescluster/$CLUSTER"
    for role in master pgbouncer; do
        await --for=condition=Ready pod --selector "$pgo/role=$role"
    done
    step restore
}

# As many rows as a drill writes on either side of its backup, each in a transaction of its own, the WAL
# switched three times on the way; then the row that a person wants to see again.
rows() {
    for part in 1 2 3 4; do
        ask <<END
SELECT format('INSERT INTO memories (content) VALUES (''row %s of part $part'')', n)
  FROM generate_series(1, $ROWS / 4) n \gexec
END
        [ $part = 4 ] || echo 'SELECT pg_switch_wal()' | administer >>"$log"
    done
    echo "INSERT INTO memories (content) VALUES ('$1')" | ask
}

back_up() {
    kubectl --namespace "$NAMESPACE" annotate postgrescluster "$CLUSTER" "$pgo/pgbackrest-backup=by-hand" >>"$log"
    await --for=jsonpath='{.status.pgbackrest.manualBackup.succeeded}'=1 "postgrescluster/$CLUSTER"
}

archived() {
    [ "$(echo "SELECT last_archived_wal >= '$last' FROM pg_stat_archiver" | administer)" = t ]
}

# Until all WAL is in the store.
archive() {
    last=$(echo 'SELECT pg_walfile_name(pg_switch_wal())' | administer)
    until_it archived
}

open_store
raise birth.json
await --for=jsonpath='{.status.databaseInitSQL}' "postgrescluster/$CLUSTER"
await --for=condition=PGBackRestReplicaCreate "postgrescluster/$CLUSTER"
ask <"$FILES/table.sql"
rows DATO_A_NEL_BACKUP_S3
back_up
rows DATO_B_VOLATILE_MA_IMMORTALE_WAL
archive

step() { date "+%s.%N $1"; }

step order
nodes | xargs docker kill --signal KILL >>"$log"
kind delete cluster --name "$NAME" >>"$log" 2>&1
step wipe
raise rebirth.json
found=$(echo "SELECT content FROM memories WHERE content LIKE 'DATO%' ORDER BY content" | ask)
step "first row"
if [ "$found" != "DATO_A_NEL_BACKUP_S3
DATO_B_VOLATILE_MA_IMMORTALE_WAL" ]; then
    echo "these rows came back: $found" >&2
    exit 1
fi
