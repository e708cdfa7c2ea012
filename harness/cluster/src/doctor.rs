//! What this environment needs: the engine, kind, kubectl, images and manifests.

use crate::ClusterConfig;
use phoenix_docker::Engine;
use std::{path::Path, process::Stdio};

const GET_KIND: &str = "install kind (https://kind.sigs.k8s.io)";
const GET_KUBECTL: &str = "install kubectl (https://kubernetes.io/docs/tasks/tools)";

/// One thing that is needed, and what was found or what to do.
pub type Need = (String, Result<String, String>);

/// Looks at everything.
pub async fn needs(config: &ClusterConfig) -> Vec<Need> {
    let mut needs = vec![
        ("kind".to_owned(), version("kind", &["version"], GET_KIND).await),
        ("kubectl".to_owned(), version("kubectl", &["version", "--client"], GET_KUBECTL).await),
        ("the operator's manifests".to_owned(), manifests(&config.operator.manifests)),
    ];
    let engine = match Engine::connect().await {
        Ok(engine) => engine,
        Err(error) => {
            let advice = error.advice().unwrap_or("see the message").to_owned();
            needs.push((error.to_string(), Err(advice)));
            return needs;
        }
    };
    needs.push((
        "a Docker engine".to_owned(),
        Ok(format!("version {} at {}", engine.version, engine.endpoint)),
    ));
    let images = &config.images;
    let all = [
        ("the nodes' image", Some(&images.node)),
        ("the registry's image", Some(&images.registry)),
        ("the store's image", Some(&images.store)),
        ("the operator's image", images.operator.as_ref()),
        ("PostgreSQL's image", images.postgres.as_ref()),
        ("pgBackRest's image", images.pgbackrest.as_ref()),
        ("pgBouncer's image", images.pgbouncer.as_ref()),
    ];
    for (what, image) in all {
        let state = match image {
            None => "the one that the operator's manifests name".to_owned(),
            Some(image) => engine.told(image).await,
        };
        needs.push((what.to_owned(), Ok(state)));
    }
    needs
}

async fn version(program: &str, arguments: &[&str], advice: &str) -> Result<String, String> {
    let mut command = tokio::process::Command::new(program);
    let output =
        command.args(arguments).stdin(Stdio::null()).output().await.map_err(|_| advice.to_owned())?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(printed.lines().next().unwrap_or_default().to_owned())
}

fn manifests(place: &str) -> Result<String, String> {
    let remote = place.contains("://") || place.starts_with("github.com/");
    if remote {
        return Ok(format!("{place}, which kubectl fetches"));
    }
    if Path::new(place).exists() {
        return Ok(place.to_owned());
    }
    Err(format!(
        "there is no {place}: name a file, a directory or an address as operator-manifests in [cluster]"
    ))
}
