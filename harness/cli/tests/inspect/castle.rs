//! The store that `castle.toml` names, so that nobody writes it down twice.

use super::{
    Left,
    support::{Ran, phoenix, ran},
};
use std::fs;

const ACCESS_KEY: &str = "CASTLE_ACCESS_KEY";
const SECRET_KEY: &str = "CASTLE_SECRET_KEY";

/// Writes the file; its store has this prefix.
fn write(left: &Left, section: &str, prefix: &str) {
    let text = format!(
        "[{section}]\nhost = \"localhost\"\nport = {}\nbucket = \"vault\"\nprefix = \"{prefix}\"\n\
         region = \"us-east-1\"\nca-file = \"ca.pem\"\naccess-key-variable = \"{ACCESS_KEY}\"\n\
         secret-key-variable = \"{SECRET_KEY}\"\n",
        left.server.port()
    );
    fs::write(left.folder.path().join("castle.toml"), text).unwrap();
}

/// Inspects with the keys that `castle.toml` names; they are said nowhere.
async fn inspect(left: &Left, arguments: &[&str]) -> Ran {
    let secret = left.credentials.secret_key.expose();
    let mut command = phoenix(left.folder.path());
    command.arg("inspect").args(arguments);
    command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
    command.env(ACCESS_KEY, &left.credentials.access_key).env(SECRET_KEY, secret);
    let ran = ran(command.output().await.unwrap());
    assert!(!format!("{}{}", ran.out, ran.err).contains(secret), "the secret key was said");
    ran
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_of_castle_toml_is_inspected() {
    let left = Left::by_a_drill().await;
    let address = format!("s3://vault/{}", left.prefix);
    write(&left, "local.store", &format!("/{}", left.prefix));
    inspect(&left, &[]).await.assert(0, "RESTORABLE · 2 of 2 backups restorable");
    inspect(&left, &["--json"])
        .await
        .assert(0, &format!("\"repository\": \"{address} at https://localhost:"));
    // a path of its own in that bucket; the command line wins over the file
    write(&left, "local.store", "/drills");
    inspect(&left, &[&address]).await.assert(0, "RESTORABLE");
    inspect(&left, &[&address, "--ca-file", "none.pem"]).await.assert(2, "none.pem");
    // each drill has its own path below the prefix: they are named
    inspect(&left, &[]).await.assert(3, &format!("there are {address}"));

    // the keys go to no other bucket and to no other store
    inspect(&left, &["s3://another/path"]).await.assert(2, "AWS_ACCESS_KEY_ID is not set");
    inspect(&left, &[&address, "--endpoint", "localhost:1"]).await.assert(2, "AWS_ACCESS_KEY_ID is not set");
    let mut keyless = phoenix(left.folder.path());
    keyless.arg("inspect").env_remove(ACCESS_KEY).env_remove(SECRET_KEY);
    ran(keyless.output().await.unwrap()).assert(2, &format!("{ACCESS_KEY} is not set"));
    // the store of another environment is not that of this one
    write(&left, "containers.store", "/drills");
    inspect(&left, &[]).await.assert(2, "castle.toml has no [local.store]");
    left.server.shutdown().await;
}
