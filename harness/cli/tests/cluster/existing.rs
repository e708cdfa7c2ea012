//! A cluster that is there and stays: it is refused unless it is named in full, and a drill leaves it as it was,
//! whatever ends the drill.
#![expect(clippy::disallowed_types, reason = "somebody else makes this cluster")]

use crate::{
    killed::{signal, until},
    outside::run as ask,
    support::{folder, phoenix, ran},
};
use nix::sys::signal::Signal;
use phoenix_cli::testing::cluster;
use std::{fs, process::Command};
use tempfile::TempDir;

const SECRET: &str = "an-owners-secret";

/// A cluster of one node with the operator, and a MinIO that its pods reach: somebody else's.
struct Owned {
    name: String,
    folder: TempDir,
}

impl Owned {
    /// Makes all of it, as its owner would.
    fn raise() -> Self {
        let owned = Self { name: format!("owned-{}", std::process::id()), folder: folder() };
        let (name, config, path) = (owned.name.as_str(), cluster(), owned.folder.path());
        let docker = |words: &[&str]| ask(Command::new("docker").args(words));
        docker(&["network", "create", name]);
        let kubeconfig = owned.kubeconfig();
        ask(Command::new("kind").env("KIND_EXPERIMENTAL_DOCKER_NETWORK", name).args([
            "create",
            "cluster",
            "--name",
            name,
            "--image",
            &config.images.node,
            "--kubeconfig",
            &kubeconfig,
        ]));
        let images = config.images.clone();
        let images =
            [images.operator, images.postgres, images.pgbackrest, images.pgbouncer].map(Option::unwrap);
        ask(Command::new("kind").args(["load", "docker-image", "--name", name]).args(&images));
        // the operator as its manifests say, with the image that is here
        let kustomization = format!(
            "resources: [install.yaml]\npatches:\n- target: {{ kind: Deployment }}\n  patch: |\n    - {{ op: replace, path: /spec/template/spec/containers/0/image, value: '{}' }}\n",
            images[0]
        );
        fs::write(path.join("kustomization.yaml"), kustomization).unwrap();
        fs::write(path.join("install.yaml"), rendered(&config.operator.manifests)).unwrap();
        owned.kubectl(&["create", "namespace", "postgres-operator"]);
        owned.kubectl(&["apply", "--server-side", "-k", &path.display().to_string()]);
        owned.kubectl(&["-n", "postgres-operator", "rollout", "status", "deployment", "--timeout=180s"]);
        owned.kubectl(&["create", "namespace", "neighbour"]);
        owned.store(&config.images.store);
        let castle = format!(
            "[cluster]\ncontext = \"kind-{name}\"\nkubeconfig = \"{kubeconfig}\"\n[cluster.store]\nhost = \"{}\"\nport = 9000\nbucket = \"drills\"\nprefix = \"/phoenix\"\nregion = \"us-east-1\"\nca-file = \"{}\"\naccess-key-variable = \"OWNERS_KEY\"\nsecret-key-variable = \"OWNERS_SECRET\"\n",
            owned.address(),
            path.join("ca.pem").display()
        );
        fs::write(path.join("castle.toml"), castle).unwrap();
        owned
    }

    /// MinIO, at an address that its certificate names.
    fn store(&self, image: &str) {
        let (name, path) = (self.name.as_str(), self.folder.path());
        let docker = |words: &[&str]| ask(Command::new("docker").args(words));
        docker(&[
            "run",
            "--detach",
            "--name",
            name,
            "--network",
            name,
            "--env",
            "MINIO_ROOT_USER=owner",
            "--env",
            &format!("MINIO_ROOT_PASSWORD={SECRET}"),
            "--entrypoint",
            "sleep",
            image,
            "infinity",
        ]);
        let made = phoenix_docker::certificates(&[self.address()]).unwrap();
        fs::write(path.join("ca.pem"), &made.ca_pem).unwrap();
        fs::write(path.join("public.crt"), &made.certificate_pem).unwrap();
        fs::write(path.join("private.key"), made.key_pem.expose()).unwrap();
        docker(&["exec", name, "mkdir", "-p", "/certs", "/data/drills"]);
        for file in ["public.crt", "private.key"] {
            docker(&["cp", &path.join(file).display().to_string(), &format!("{name}:/certs/{file}")]);
        }
        docker(&[
            "exec",
            "--detach",
            name,
            "minio",
            "server",
            "/data",
            "--certs-dir",
            "/certs",
            "--address",
            ":9000",
        ]);
    }

    fn address(&self) -> String {
        let format = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
        ask(Command::new("docker").args(["inspect", "--format", format, &self.name]))
    }

    fn kubeconfig(&self) -> String {
        self.folder.path().join("kubeconfig").display().to_string()
    }

    fn kubectl(&self, words: &[&str]) -> String {
        ask(Command::new("kubectl").env("KUBECONFIG", self.kubeconfig()).args(words))
    }

    /// All that a drill might touch: namespaces, and whatever has none.
    fn all(&self) -> String {
        let kinds = "namespaces,nodes,crds,clusterroles,clusterrolebindings,storageclasses,persistentvolumes";
        self.kubectl(&["get", kinds, "--output", "name"])
    }

    /// `phoenix` as the owner calls it.
    fn phoenix(&self) -> tokio::process::Command {
        let mut command = phoenix(self.folder.path());
        command.env("OWNERS_KEY", "owner").env("OWNERS_SECRET", SECRET);
        command
    }

    fn context(&self) -> String {
        format!("kind-{}", self.name)
    }
}

/// The operator's manifests, from a file or from whatever else `kubectl kustomize` reads.
fn rendered(manifests: &str) -> String {
    match fs::read_to_string(manifests) {
        Ok(text) => text,
        Err(_) => ask(Command::new("kubectl").args(["kustomize", manifests])),
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        let name = self.name.as_str();
        // whatever is missing of it is no error
        for (program, words) in [
            ("kind", vec!["delete", "cluster", "--name", name, "--kubeconfig", &self.kubeconfig()]),
            ("docker", vec!["rm", "--force", "--volumes", name]),
            ("docker", vec!["network", "rm", name]),
        ] {
            let _ = Command::new(program).args(words).output();
        }
    }
}

const DRILL: [&str; 5] = ["drill", "--environment", "cluster", "--rows", "100"];

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_is_there_is_drilled_on_and_left_as_it_was() {
    let owned = Owned::raise();
    let (before, context) = (owned.all(), owned.context());
    let drill = async |more: &[&str]| ran(owned.phoenix().args(DRILL).args(more).output().await.unwrap());
    drill(&[]).await.assert(2, &format!("--i-own {context}"));
    drill(&["--i-own", "kind-owned"]).await.assert(2, "a drill did not make the cluster");

    drill(&["--i-own", &context]).await.assert(0, "VALID");
    assert_eq!(owned.all(), before, "a drill left something");

    killed_and_swept(&owned, &context).await;
    assert_eq!(owned.all(), before, "a sweep left something");
}

async fn killed_and_swept(owned: &Owned, context: &str) {
    let mut drill = owned.phoenix();
    drill.args(DRILL).args(["--json", "--i-own", context]);
    let (mut child, _) = until(drill, "primary and users").await;
    signal(&child, Signal::SIGKILL);
    child.wait().await.unwrap();
    assert!(owned.all().contains("namespace/tazlab-db-"), "nothing was there to be swept");
    let swept = owned.phoenix().arg("sweep").output().await.unwrap();
    ran(swept).assert(0, "removed");
}
