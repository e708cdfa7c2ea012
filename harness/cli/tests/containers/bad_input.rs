//! Bad input: said at once, with the line that decides and the way out.

use crate::{
    docker::{docker, left, logs},
    support::{Ran, evidence, folder, phoenix, ran, report},
};
use chrono::Utc;
use phoenix_cli::testing::{Place, play};
use phoenix_store::{Certificates, Credentials, Inspector, Target, Validity};
use rstest::rstest;
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

async fn drill(folder: &Path, variables: &[(&str, &str)]) -> Ran {
    let mut command = phoenix(folder);
    command.args(["drill", "--environment", "containers", "--rows", "50", "--keep", "never"]);
    ran(command.envs(variables.iter().copied()).output().await.unwrap())
}

/// An image built on the victim's own, for as long as this lives.
struct Image(String);

impl Image {
    async fn built(instructions: &str) -> Self {
        let played = play(Place::Containers, "protocol", |settings| settings.rows = 10).await.unwrap();
        let base = played.report.properties["victim_image"].clone();
        let tag = format!("phoenix-test:{}", played.report.run.slug());
        let folder = folder();
        // a layer of its own: the engine may not remove one that two images share twice at once
        let text = format!("FROM {base}\nLABEL phoenix.test={tag}\nUSER root\n{instructions}\n");
        fs::write(folder.path().join("Dockerfile"), text).unwrap();
        docker(&["build", "--quiet", "--tag", &tag, &folder.path().display().to_string()]);
        Self(tag)
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        docker(&["rmi", "--force", &self.0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_engine() {
    let folder = folder();
    let nowhere = [("DOCKER_HOST", "unix:///nowhere/docker.sock")];
    let ran = drill(folder.path(), &nowhere).await;
    ran.assert(3, "no Docker engine answers at unix:///nowhere/docker.sock");
    ran.assert(3, "help: install and start a Docker engine");
    let mut doctor = phoenix(folder.path());
    let doctor = self::ran(
        doctor.args(["doctor", "--environment", "containers"]).envs(nowhere).output().await.unwrap(),
    );
    doctor.assert(3, "MISSING no Docker engine answers at unix:///nowhere/docker.sock");
    doctor.assert(3, "help: install and start a Docker engine");
}

#[rstest]
#[case::victim(
    "PHOENIX_VICTIM_IMAGE",
    "localhost:1/nobody/nothing:1",
    "the image localhost:1/nobody/nothing:1 cannot be had"
)]
#[case::rebirth("PHOENIX_REBIRTH_IMAGE", "localhost:1/nobody/nothing:1", "or name another as rebirth-image")]
#[case::store("PHOENIX_STORE_IMAGE", "localhost:1/nobody/nothing:1", "or name another as store-image")]
#[case::base("PHOENIX_BASE_IMAGE", "localhost:1/nobody/nothing:1", "or name another as base-image")]
#[case::not_a_reference("PHOENIX_VICTIM_IMAGE", "Not An Image", "the image Not An Image cannot be had")]
#[case::no_such_version("PHOENIX_POSTGRESQL_VERSION", "1", "the victim's image cannot be built")]
#[case::no_postgresql("PHOENIX_VICTIM_IMAGE", "debian:trixie-slim", "debian:trixie-slim does not start")]
#[case::no_store(
    "PHOENIX_STORE_IMAGE",
    "debian:trixie-slim",
    "the store's image debian:trixie-slim does not start"
)]
#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_will_not_do(#[case] variable: &str, #[case] image: &str, #[case] said: &str) {
    let folder = folder();
    drill(folder.path(), &[(variable, image)]).await.assert(3, said);
    assert_eq!(left(report(&evidence(folder.path())).run.as_str()), [""; 0]);
}

#[rstest]
#[case::no_pgbackrest("RUN rm /usr/bin/pgbackrest\nUSER postgres", "has no pgBackRest")]
#[case::no_postgresql("RUN rm -r /usr/lib/postgresql\nUSER postgres", "has no PostgreSQL")]
#[case::dies_at_start(
    "RUN rm /usr/bin/mkfifo\nUSER postgres",
    "victim-1 died: it ended with exit 127: sh: 1: mkfifo: not found"
)]
#[case::dies_with_postgres(
    "RUN for f in /usr/lib/postgresql/*/bin/postgres; do mv $f $f.real; printf '#!/bin/sh\\ncase $* in *-D*phoenix*) \
     [ -e /phoenix/data/pg/pg_hba.conf ] && grep -q Phoenix /phoenix/data/pg/postgresql.conf && \
     { echo \"FATAL:  out of luck\" >&2; exit 7; };; esac\\nexec $0.real \"$@\"\\n' >$f; chmod 755 $f; done\nUSER postgres",
    "died: it ended with exit 7: FATAL:  out of luck"
)]
#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_lacks_something(#[case] instructions: &str, #[case] said: &str) {
    let (folder, image) = (folder(), Image::built(instructions).await);
    drill(folder.path(), &[("PHOENIX_VICTIM_IMAGE", &image.0)]).await.assert(3, said);
    assert_eq!(left(report(&evidence(folder.path())).run.as_str()), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_size_that_does_not_fit() {
    let folder = folder();
    let arguments = ["drill", "--environment", "containers", "--size", "900000GiB"];
    let ran = crate::support::run(folder.path(), arguments).await;
    ran.assert(2, "need 2899102924 MB, and the engine's disk has");
    assert_eq!(left(report(&evidence(folder.path())).run.as_str()), [""; 0]);
}

/// The backup is of one major version and the image it comes back in has another.
#[tokio::test(flavor = "multi_thread")]
async fn another_major_version() {
    let folder = folder();
    let played = play(Place::Containers, "protocol", |settings| settings.rows = 10).await.unwrap();
    let trixie = played.report.properties["victim_image"].clone();
    let variables =
        [("PHOENIX_BASE_IMAGE", "debian:bookworm-slim"), ("PHOENIX_REBIRTH_IMAGE", trixie.as_str())];
    let ran = drill(folder.path(), &variables).await;
    ran.assert(1, "version-mismatch");
    let report = report(&evidence(folder.path()));
    let finding = report.findings.iter().find(|finding| finding.code == "version-mismatch").unwrap();
    let decisive = "The data directory was initialized by PostgreSQL version 15, which is not compatible with this version 17";
    assert!(finding.evidence.iter().any(|line| line.contains(decisive)), "{finding:#?}");
    assert_eq!(left(report.run.as_str()), [""; 0]);
}

/// A MinIO outside the drill, by an address that this machine and its containers know it by.
struct Outside {
    name: String,
    port: u16,
    credentials: Credentials,
    ca_file: PathBuf,
    _folder: tempfile::TempDir,
}

/// The gateway of an engine's default network, or its subnet: some do not say the first, which is the second's
/// first address.
const GATEWAY: &str =
    "{{with index .IPAM.Config 0}}{{if .Gateway}}{{.Gateway}}{{else}}{{.Subnet}}{{end}}{{end}}";

impl Outside {
    async fn start(ca: Validity, certificate: Validity) -> Self {
        let folder = folder();
        let host = Self::host();
        let names = [host.clone(), "localhost".to_owned()];
        let certificates = Certificates::generate_apart(&names, ca, certificate).unwrap();
        let credentials = Credentials::generate();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write("public.crt", &certificates.certificate_pem);
        write("private.key", certificates.key_pem.expose());
        write("ca.pem", &certificates.ca_pem);
        let name = format!("phoenix-test-{}", phoenix_drill::stage::new_run().slug());
        let image = phoenix_containers::Images::default().store;
        let (user, password) = (
            format!("MINIO_ROOT_USER={}", credentials.access_key),
            format!("MINIO_ROOT_PASSWORD={}", credentials.secret_key.expose()),
        );
        let publish = format!("{host}::9000");
        docker(&[
            "create",
            "--name",
            &name,
            "--publish",
            &publish,
            "--env",
            &user,
            "--env",
            &password,
            &image,
            "server",
            "/data",
            "--certs-dir",
            "/certs",
        ]);
        docker(&["cp", &format!("{}/.", folder.path().display()), &format!("{name}:/certs")]);
        docker(&["start", &name]);
        let port = docker(&["port", &name, "9000"]).rsplit_once(':').unwrap().1.parse().unwrap();
        let outside =
            Self { name, port, credentials, ca_file: folder.path().join("ca.pem"), _folder: folder };
        outside.answers().await;
        if certificate.not_after > Utc::now() && ca.not_after > Utc::now() {
            outside.make_bucket().await;
        }
        outside
    }

    /// The bridge's own address on this machine.
    fn host() -> String {
        let said = docker(&["network", "inspect", "bridge", "--format", GATEWAY]);
        match said.split_once('/') {
            Some((subnet, _)) => format!("{}1", subnet.trim_end_matches('0')),
            None => said,
        }
    }

    /// MinIO prints where it listens once it does.
    async fn answers(&self) {
        let (deadline, look) = (Duration::from_secs(30), Duration::from_millis(50));
        let printed = phoenix_drill::wait_for("MinIO to listen", deadline, look, || async {
            let log = logs(&self.name);
            Ok(match log.contains("API: ") {
                true => phoenix_drill::Wait::Ready(()),
                false => phoenix_drill::Wait::NotYet(log),
            })
        });
        printed.await.unwrap();
    }

    async fn make_bucket(&self) {
        let inspector = Inspector::new(Target {
            endpoint: format!("https://{}:{}", Self::host(), self.port),
            region: "us-east-1".into(),
            bucket: "castle".into(),
            credentials: self.credentials.clone(),
            ca_file: Some(self.ca_file.clone()),
        });
        let inspector = inspector.unwrap();
        let (deadline, look) = (Duration::from_secs(30), Duration::from_millis(50));
        let made = phoenix_drill::wait_for("MinIO to answer", deadline, look, || async {
            Ok(match inspector.create_bucket().await {
                Ok(()) => phoenix_drill::Wait::Ready(()),
                Err(error) => phoenix_drill::Wait::NotYet(error.to_string()),
            })
        });
        made.await.unwrap();
    }

    fn castle(&self) -> String {
        let (host, port, ca) = (Self::host(), self.port, self.ca_file.display());
        format!(
            "[containers.store]\nhost = \"{host}\"\nport = {port}\nbucket = \"castle\"\nprefix = \"/drills\"\n\
             region = \"us-east-1\"\nca-file = \"{ca}\"\naccess-key-variable = \"CASTLE_KEY\"\nsecret-key-variable = \"CASTLE_SECRET\"\n"
        )
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        docker(&["rm", "--force", "--volumes", &self.name]);
    }
}

#[rstest]
#[case::control("castle", "castle", 0, "VALID")]
#[case::missing_bucket("bucket = \"castle\"", "bucket = \"keep\"", 3, "has no bucket keep")]
#[case::wrong_secret("CASTLE_SECRET", "PATH", 3, "the store does not let itself be used")]
#[case::wrong_key("CASTLE_KEY", "HOME", 3, "the store does not let itself be used")]
#[case::nobody_there("port = ", "port = 1 #", 3, "the store does not let itself be used")]
#[tokio::test(flavor = "multi_thread")]
async fn a_store_outside_is_used_or_refused(
    #[case] replaced: &str,
    #[case] by: &str,
    #[case] status: i32,
    #[case] said: &str,
) {
    let outside = Outside::start(Validity::current(), Validity::current()).await;
    let folder = folder();
    let castle = outside.castle();
    assert!(castle.contains(replaced));
    fs::write(folder.path().join("castle.toml"), castle.replace(replaced, by)).unwrap();
    let secret = outside.credentials.secret_key.expose();
    let variables = [("CASTLE_KEY", outside.credentials.access_key.as_str()), ("CASTLE_SECRET", secret)];
    let ran = drill(folder.path(), &variables).await;
    ran.assert(status, said);
    assert!(!format!("{}{}", ran.out, ran.err).contains(secret));
    assert_eq!(left(report(&evidence(folder.path())).run.as_str()), [""; 0]);
}

#[rstest]
#[case::ca(Validity::expired(), Validity::current(), "expired")]
#[case::certificate(Validity::current(), Validity::expired(), "expired")]
#[tokio::test(flavor = "multi_thread")]
async fn an_expired_certificate(#[case] ca: Validity, #[case] certificate: Validity, #[case] said: &str) {
    let outside = Outside::start(ca, certificate).await;
    let folder = folder();
    fs::write(folder.path().join("castle.toml"), outside.castle()).unwrap();
    let secret = outside.credentials.secret_key.expose();
    let variables = [("CASTLE_KEY", outside.credentials.access_key.as_str()), ("CASTLE_SECRET", secret)];
    drill(folder.path(), &variables).await.assert(3, said);
}
