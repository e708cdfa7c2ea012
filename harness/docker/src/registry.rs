//! An image registry beside a cluster, from which its nodes pull. What it holds outlives the drill, in a
//! volume that all drills in this engine share, as they share the engine's images.

use crate::{Deed, Role, Yard, generic, names, ports::publish};
use futures::TryStreamExt;
use phoenix_drill::{Doing, Error, Result, Wait, wait_for};
use std::time::Duration;
use testcontainers::{
    ImageExt,
    bollard::query_parameters::{PushImageOptionsBuilder, TagImageOptionsBuilder},
    core::{IntoContainerPort, Mount},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

/// The port of a registry within its network.
pub const REGISTRY_PORT: u16 = 5000;
/// The volume with what every drill's registry holds.
pub const REGISTRY_VOLUME: &str = "phoenix-registry";
const START_DEADLINE: Duration = Duration::from_secs(60);

/// An image's name in full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageName {
    /// The host of its registry: `docker.io`.
    pub host: String,
    /// Its path there: `library/debian`.
    pub path: String,
    /// Its tag: `trixie-slim`.
    pub tag: String,
}

impl ImageName {
    /// Reads a name as Docker does: `debian:trixie-slim` is `docker.io/library/debian:trixie-slim`.
    pub fn read(reference: &str) -> Self {
        let name = reference.split_once('@').map_or(reference, |(name, _)| name);
        let (name, tag) =
            name.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')).unwrap_or((name, "latest"));
        let is_host = |part: &str| part.contains(['.', ':']) || part == "localhost";
        let (host, path) = match name.split_once('/') {
            Some((host, path)) if is_host(host) => (host, path.to_owned()),
            Some(_) => ("docker.io", name.to_owned()),
            None => ("docker.io", format!("library/{name}")),
        };
        Self { host: host.to_owned(), path, tag: tag.to_owned() }
    }
}

/// A drill's registry.
#[derive(Debug, Clone)]
pub struct Registry {
    /// Its container's name, by which others on its network reach it at [`REGISTRY_PORT`].
    pub name: String,
}

impl Registry {
    /// Says what it will be called. Nothing is made yet.
    pub fn plan(yard: &Yard) -> Self {
        Self { name: names::name(&yard.scene.run, "registry") }
    }

    /// Starts it on a network and waits until it listens. The setting `registry-image` in this `section` of
    /// `castle.toml` names the image.
    pub async fn open(&self, yard: &Yard, network: &str, image: &str, section: &str) -> Result<()> {
        let name = self.name.as_str();
        let volume = format!("{REGISTRY_VOLUME}:/var/lib/registry");
        let publishes = format!("127.0.0.1::{REGISTRY_PORT}");
        let words = [
            "run",
            "--detach",
            "--name",
            name,
            "--network",
            network,
            "--volume",
            &volume,
            "--publish",
            &publishes,
            image,
        ];
        let deed = Deed::begin("registry", &words);
        let request = generic(image)
            .with_exposed_port(REGISTRY_PORT.tcp())
            .with_network(network)
            .with_mount(Mount::volume_mount(REGISTRY_VOLUME, "/var/lib/registry"))
            // whatever drills hold at the same time goes to the same place
            .with_host_config_modifier(|host| publish(host, "127.0.0.1", REGISTRY_PORT));
        yard.make_container(name, Role::Store, deed, request).await.map_err(|error| {
            let what = format!("the registry's image {image} does not start: {}", error.chain());
            Error::missing(what, format!("name another as registry-image in {section} of castle.toml"))
        })?;
        let port = self.port(yard).await?;
        wait_for("the registry to answer", START_DEADLINE, Duration::from_millis(10), || async {
            let answered = answer(port).await;
            match answered {
                Ok(answer) if answer.contains(" 200 ") => Ok(Wait::Ready(())),
                answered => match yard.died(name).await? {
                    Some(died) => Err(died),
                    None => Ok(Wait::NotYet(answered.unwrap_or_else(|error| error.to_string()))),
                },
            }
        })
        .await
    }

    async fn port(&self, yard: &Yard) -> Result<u16> {
        yard.engine.published(&self.name, REGISTRY_PORT).await
    }

    /// Puts an image of the engine's into it, under the path `<its registry's host>/<its path>`. What is
    /// there already is not sent again.
    pub async fn hold(&self, yard: &Yard, image: &str) -> Result<()> {
        let ImageName { host, path, tag } = ImageName::read(image);
        let repository = format!("127.0.0.1:{}/{host}/{path}", self.port(yard).await?);
        let doing = || format!("putting {image} into the registry");
        let docker = &yard.engine.docker;
        let named = TagImageOptionsBuilder::new().repo(&repository).tag(&tag).build();
        docker.tag_image(image, Some(named)).await.doing(doing())?;
        let options = PushImageOptionsBuilder::new().tag(&tag).build();
        let pushed: Result<Vec<_>, _> =
            docker.push_image(&repository, Some(options), None).try_collect().await;
        yard.engine.remove_image(&format!("{repository}:{tag}")).await?;
        pushed.map(drop).doing(doing())
    }
}

/// The first line of what a registry answers. The engine takes connections before it listens.
async fn answer(port: u16) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.write_all(b"GET /v2/ HTTP/1.0\r\n\r\n").await?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).await?;
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_docker_reads_them() {
        let read = |reference: &str| {
            let ImageName { host, path, tag } = ImageName::read(reference);
            format!("{host} {path} {tag}")
        };
        assert_eq!(read("debian"), "docker.io library/debian latest");
        assert_eq!(read("offline/pgo-postgres:17"), "docker.io offline/pgo-postgres 17");
        assert_eq!(read("localhost:5000/a/b:c"), "localhost:5000 a/b c");
        assert_eq!(read("quay.io/minio/minio@sha256:00"), "quay.io minio/minio latest");
    }
}
