//! The container engine: how it is found, and the few things that are asked of it.

use futures::TryStreamExt;
use phoenix_drill::{Doing, Error, Result};
use phoenix_repository::Ran;
use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};
use testcontainers::{
    bollard::{
        Docker,
        container::LogOutput,
        errors::Error as EngineError,
        exec::{CreateExecOptions, StartExecOptions, StartExecResults},
        models::{ContainerInspectResponse, NetworkCreateRequest, NetworkInspect, VolumeCreateRequest},
        query_parameters::{
            KillContainerOptionsBuilder, ListContainersOptionsBuilder, ListVolumesOptionsBuilder,
            LogsOptionsBuilder, RemoveContainerOptionsBuilder, RemoveVolumeOptions,
        },
    },
    core::client::docker_client_instance,
};
use tokio::{io::AsyncWriteExt, time::timeout};

/// An engine that does not answer by then is not there.
const CONNECT_DEADLINE: Duration = Duration::from_secs(10);
/// This machine, as the store's certificate calls it.
const LOCALHOST: &str = "localhost";
const GET_ENGINE: &str = "install and start a Docker engine (https://docs.docker.com/engine/install), make sure \
that this user may use it (`docker info`), or name another with DOCKER_HOST; the environment `local` needs none";

/// A container engine that answers.
#[derive(Debug, Clone)]
pub struct Engine {
    /// Its client, for what is asked of it here only.
    pub docker: Docker,
    /// The id that it gives itself.
    pub id: String,
    /// Its version.
    pub version: String,
    /// Where it was reached.
    pub endpoint: String,
    /// The host at which its published ports are reached from here.
    pub host: String,
}

impl Engine {
    /// Finds the engine as Docker's own client does, or says what is missing and how to get it.
    pub async fn connect() -> Result<Self> {
        let endpoint = std::env::var("DOCKER_HOST").unwrap_or_else(|_| "its usual place".to_owned());
        let missing = |why: String| {
            Error::missing(format!("no Docker engine answers at {endpoint}: {why}"), GET_ENGINE)
        };
        let found = async {
            let docker =
                docker_client_instance().await.map_err(|error| phoenix_drill::error::chain(&error))?;
            let docker =
                docker.negotiate_version().await.map_err(|error| phoenix_drill::error::chain(&error))?;
            let info = docker.info().await.map_err(|error| phoenix_drill::error::chain(&error))?;
            Ok::<_, String>((docker, info))
        };
        let found = timeout(CONNECT_DEADLINE, found).await;
        let (docker, info) = match found {
            Ok(Ok(found)) => found,
            Ok(Err(why)) => return Err(missing(why)),
            Err(_) => return Err(missing(format!("nothing heard for {CONNECT_DEADLINE:?}"))),
        };
        let (id, version) = (info.id.unwrap_or_default(), info.server_version.unwrap_or_default());
        let host = remote(&endpoint).unwrap_or(LOCALHOST).to_owned();
        Ok(Self { docker, id, version, endpoint, host })
    }

    /// The address of the engine's machine on which ports are published: its loopback, unless this is
    /// another machine.
    pub fn publishes_on(&self) -> &'static str {
        if self.host == LOCALHOST { "127.0.0.1" } else { "0.0.0.0" }
    }

    /// Runs a command in a container to its end, with a script or nothing on its standard input.
    pub async fn exec(
        &self,
        container: &str,
        user: &str,
        argv: &[String],
        stdin: Option<&str>,
    ) -> Result<Ran> {
        let doing = || format!("running {} in {container}", argv.first().map_or("", String::as_str));
        let options = CreateExecOptions {
            attach_stdin: Some(stdin.is_some()),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            env: Some(vec!["LC_ALL=C".to_owned(), "TZ=UTC".to_owned()]),
            user: Some(user.to_owned()),
            cmd: Some(argv.to_vec()),
            ..Default::default()
        };
        let exec = self.docker.create_exec(container, options).await.doing(doing())?.id;
        let started = self.docker.start_exec(&exec, None::<StartExecOptions>).await.doing(doing())?;
        let StartExecResults::Attached { output, mut input } = started else {
            return Err(Error::unverified(doing(), "the engine did not attach to it"));
        };
        if let Some(text) = stdin {
            input.write_all(text.as_bytes()).await.doing(doing())?;
            input.shutdown().await.doing(doing())?;
        }
        let (stdout, stderr) = collect(output).await.doing(doing())?;
        let status = self.docker.inspect_exec(&exec).await.doing(doing())?.exit_code;
        let status = status.and_then(|status| i32::try_from(status).ok());
        let ended = status.map_or_else(|| "killed".to_owned(), |status| format!("exit {status}"));
        Ok(Ran { status, ended, stdout, stderr })
    }

    /// What the engine knows of a container; `None` if there is none of this name.
    pub async fn container(&self, name: &str) -> Result<Option<ContainerInspectResponse>> {
        present(self.docker.inspect_container(name, None).await).doing(format!("inspecting {name}"))
    }

    /// What the engine knows of a network; `None` if there is none of this name.
    pub async fn network(&self, name: &str) -> Result<Option<NetworkInspect>> {
        present(self.docker.inspect_network(name, None).await).doing(format!("inspecting the network {name}"))
    }

    /// The labels of a volume; `None` if there is none of this name.
    pub async fn volume(&self, name: &str) -> Result<Option<HashMap<String, String>>> {
        let found =
            present(self.docker.inspect_volume(name).await).doing(format!("inspecting the volume {name}"));
        Ok(found?.map(|volume| volume.labels))
    }

    /// Makes a network; [`Yard::make_network`](crate::Yard::make_network) is how a drill does.
    pub(crate) async fn create_network(&self, name: &str, labels: HashMap<String, String>) -> Result<()> {
        let request =
            NetworkCreateRequest { name: name.to_owned(), labels: Some(labels), ..Default::default() };
        self.docker.create_network(request).await.map(drop).doing(format!("making the network {name}"))
    }

    /// Makes a volume; [`Yard::make_volume`](crate::Yard::make_volume) is how a drill does.
    pub(crate) async fn create_volume(&self, name: &str, labels: HashMap<String, String>) -> Result<()> {
        let request =
            VolumeCreateRequest { name: Some(name.to_owned()), labels: Some(labels), ..Default::default() };
        self.docker.create_volume(request).await.map(drop).doing(format!("making the volume {name}"))
    }

    /// SIGKILL; a container that does not run is no error. A frozen one is thawed first: it could not die.
    pub async fn kill(&self, name: &str) -> Result<()> {
        let state = self.container(name).await?.and_then(|container| container.state);
        if state.is_some_and(|state| state.paused == Some(true)) {
            self.docker.unpause_container(name).await.doing(format!("thawing {name}"))?;
        }
        let options = KillContainerOptionsBuilder::new().signal("SIGKILL").build();
        match self.docker.kill_container(name, Some(options)).await {
            // 409: it does not run
            Err(EngineError::DockerResponseServerError { status_code: 404 | 409, .. }) => Ok(()),
            killed => killed.doing(format!("killing {name}")),
        }
    }

    /// Removes a container with its anonymous volumes. One that somebody is removing is no error, and there yet.
    pub async fn remove_container(&self, name: &str) -> Result<()> {
        let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
        match self.docker.remove_container(name, Some(options)).await {
            Err(EngineError::DockerResponseServerError { status_code: 409, message })
                if message.contains("already in progress") =>
            {
                Ok(())
            }
            removed => gone(removed).doing(format!("removing {name}")),
        }
    }

    /// Removes a volume; one that is gone is no error.
    pub async fn remove_volume(&self, name: &str) -> Result<()> {
        gone(self.docker.remove_volume(name, None::<RemoveVolumeOptions>).await)
            .doing(format!("removing the volume {name}"))
    }

    /// Removes a network; one that is gone is no error.
    pub async fn remove_network(&self, name: &str) -> Result<()> {
        gone(self.docker.remove_network(name).await).doing(format!("removing the network {name}"))
    }

    /// The names of containers, running or not, with all of these labels (`key=value`).
    pub async fn containers_with(&self, labels: &[String]) -> Result<BTreeSet<String>> {
        let filters = HashMap::from([("label", labels.to_vec())]);
        let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
        let found = self.docker.list_containers(Some(options)).await.doing("listing containers")?;
        let name =
            |names: Vec<String>| names.into_iter().next().map(|name| name.trim_start_matches('/').to_owned());
        Ok(found.into_iter().filter_map(|container| name(container.names?).or(container.id)).collect())
    }

    /// The names of volumes with all of these labels (`key=value`).
    pub async fn volumes_with(&self, labels: &[String]) -> Result<BTreeSet<String>> {
        let filters = HashMap::from([("label", labels.to_vec())]);
        let options = ListVolumesOptionsBuilder::new().filters(&filters).build();
        let found = self.docker.list_volumes(Some(options)).await.doing("listing volumes")?;
        Ok(found.volumes.into_iter().flatten().map(|volume| volume.name).collect())
    }

    /// Everything that a container has printed, in the order in which it did: what pgBackRest says on one of its
    /// outputs and PostgreSQL on the other belongs together.
    pub async fn logs(&self, name: &str) -> Result<String> {
        let options = LogsOptionsBuilder::new().stdout(true).stderr(true).tail("all").build();
        let output = self.docker.logs(name, Some(options));
        let printed = output.try_fold(Vec::new(), |mut printed, chunk| async move {
            printed.extend_from_slice(&chunk.into_bytes());
            Ok(printed)
        });
        let printed = printed.await.doing(format!("reading the logs of {name}"))?;
        Ok(String::from_utf8_lossy(&printed).into_owned())
    }
}

/// The host of an engine that is reached by the network, if it is not this machine.
fn remote(endpoint: &str) -> Option<&str> {
    let (_, rest) =
        ["tcp://", "http://", "https://"].iter().find_map(|scheme| endpoint.split_once(scheme))?;
    let host = rest.split(['/', ':']).next().filter(|host| !host.is_empty())?;
    (!matches!(host, LOCALHOST | "127.0.0.1")).then_some(host)
}

async fn collect(
    output: impl futures::Stream<Item = Result<LogOutput, EngineError>>,
) -> Result<(String, String), EngineError> {
    let printed = output.try_fold((Vec::new(), Vec::new()), |(mut out, mut err), chunk| async move {
        match chunk {
            LogOutput::StdErr { message } => err.extend_from_slice(&message),
            LogOutput::StdOut { message } | LogOutput::Console { message } => out.extend_from_slice(&message),
            LogOutput::StdIn { .. } => {}
        }
        Ok((out, err))
    });
    let (out, err) = printed.await?;
    Ok((String::from_utf8_lossy(&out).into_owned(), String::from_utf8_lossy(&err).into_owned()))
}

/// An answer about something that may not be there.
pub(crate) fn present<T>(answer: Result<T, EngineError>) -> Result<Option<T>, EngineError> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(EngineError::DockerResponseServerError { status_code: 404, .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The end of something that may be gone already.
fn gone<T>(answer: Result<T, EngineError>) -> Result<(), EngineError> {
    present(answer).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_elsewhere_publishes_where_it_is() {
        for (endpoint, host) in [
            ("tcp://docker:2375", Some("docker")),
            ("https://10.0.0.7:2376/", Some("10.0.0.7")),
            ("tcp://127.0.0.1:2375", None),
            ("tcp://localhost:2375", None),
            ("unix:///var/run/docker.sock", None),
            ("its usual place", None),
        ] {
            assert_eq!(remote(endpoint), host, "{endpoint}");
        }
    }
}
