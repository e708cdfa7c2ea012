# What is done here every day. `just` lists it.

set positional-arguments

phoenix := env("CARGO_TARGET_DIR", "target") / "debug/phoenix"

# List the recipes
default:
    @just --list --unsorted

# Build the program with the features that it has in the tests, so that both compile once
[private]
build:
    @cargo build --workspace --bin phoenix --test architecture

# Burn a PostgreSQL and bring it back: just drill --target immediate
[no-exit-message]
drill *args: build
    @{{phoenix}} drill "$@"

# Run the tests: just test -p phoenix-store; NEXTEST_PROFILE=ci for the strict profile
[no-exit-message]
test *args:
    cargo nextest run "$@"

# Run the scenarios in containers: it needs a Docker engine
[no-exit-message]
containers *args:
    cargo nextest run --profile containers "$@"

# Run the scenarios on Kubernetes: it needs a Docker engine, kind and the operator's images
[no-exit-message]
cluster *args:
    cargo nextest run --profile cluster "$@"

# Plant every defect of the catalogue: just catalogue silent-loss/ for a family
[no-exit-message]
catalogue *args:
    cargo nextest run --profile catalogue "$@"

# Run everything, also what takes long: the soak, 16 MB segments, larger clusters
[no-exit-message]
nightly *args:
    cargo nextest run --profile nightly "$@"

# Check the format, the lints, the documentation's links and the architecture
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps
    cargo nextest run -p phoenix-cli --test architecture --test documentation

# Say what a drill needs and whether it is here
[no-exit-message]
doctor: build
    @{{phoenix}} doctor

# Remove what killed or kept drills left: just sweep --kept
[no-exit-message]
sweep *args: build
    @{{phoenix}} sweep "$@"

# Serve the embedded object store alone: just store --directory /tmp/store
[no-exit-message]
store *args: build
    @{{phoenix}} store "$@"

# Write the tables in docs/ anew
docs:
    UPDATE_DOCS=1 cargo nextest run -p phoenix-cli --test documentation

# Measure a drill, the store and the ledger, and write docs/benchmarks.md: just bench --large;
# --only cluster --rounds 3 --write measures a disaster on a kind cluster beside one by hand
[no-exit-message]
bench *args:
    @cargo build --workspace --bin phoenix --bin phoenix-bench --test architecture
    @{{phoenix}}-bench "$@"

# Do what the pipeline does
ci:
    .ci/run
