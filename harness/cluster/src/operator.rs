//! The operator's manifests: where they come from, and which images they bring.

use crate::{config::ClusterConfig, kubernetes::Kubernetes, postgrescluster::label, site::Site};
use k8s_openapi::api::apps::v1::Deployment;
use kube::{Api, api::ListParams};
use phoenix_drill::{Doing, Error, Result};
use serde_json::{Value, json};
use std::{fs, path::Path};

/// The operator's manifests, as they are applied.
pub(crate) struct Operator {
    pub objects: Vec<Value>,
}

impl Operator {
    /// Reads a file, or has `kubectl kustomize` render whatever it can.
    pub async fn read(site: &Site) -> Result<Self> {
        let place = &site.config.operator.manifests;
        let text = if Path::new(place).is_file() {
            fs::read_to_string(place).doing(format!("reading {place}"))?
        } else {
            kustomize(site, place).await?
        };
        // as slow as the file is long, and it is not needed by anybody else meanwhile
        let name = place.clone();
        let parsed = tokio::task::spawn_blocking(move || parse(&text, &name));
        let mut operator = Self { objects: parsed.await.doing("reading the operator's manifests")?? };
        operator.override_image(&site.config)?;
        Ok(operator)
    }

    /// The operator that runs in a cluster already.
    pub async fn running(kubernetes: &Kubernetes) -> Result<Self> {
        let everywhere: Api<Deployment> = Api::all(kubernetes.client.clone());
        let labelled = ListParams::default().labels(&format!("{}=postgres-operator", label("control-plane")));
        let found = everywhere.list(&labelled).await.doing("looking for the operator")?;
        let advice =
            "install the Crunchy Postgres Operator: a drill installs nothing in a cluster that is there";
        let missing = || Error::missing("no Crunchy Postgres Operator runs in this cluster", advice);
        let deployment = found.items.into_iter().next().ok_or_else(missing)?;
        let object = serde_json::to_value(deployment).doing("reading the operator's Deployment")?;
        Ok(Self { objects: vec![object] })
    }

    fn deployment(&self) -> Result<&Value> {
        let found = self.objects.iter().find(|object| object["kind"] == "Deployment");
        found.ok_or_else(|| {
            let what = "the operator's manifests hold no Deployment";
            Error::usage(what, "give the operator's own manifests as operator-manifests in [cluster]")
        })
    }

    /// Where the operator lives, and its Deployment's name.
    pub fn place(&self) -> Result<(String, String)> {
        let metadata = &self.deployment()?["metadata"];
        let text = |key: &str| metadata[key].as_str().unwrap_or_default().to_owned();
        Ok((text("namespace"), text("name")))
    }

    fn override_image(&mut self, config: &ClusterConfig) -> Result<()> {
        self.deployment()?;
        let Some(image) = &config.images.operator else { return Ok(()) };
        for object in self.objects.iter_mut().filter(|object| object["kind"] == "Deployment") {
            if let Some(container) = object.pointer_mut("/spec/template/spec/containers/0") {
                container["image"] = json!(image);
            }
        }
        Ok(())
    }

    /// The images that the nodes will pull: the operator's, and those of the castle where the
    /// configuration names none of its own.
    pub fn images(&self, config: &ClusterConfig) -> Result<Vec<String>> {
        let container = &self.deployment()?["spec"]["template"]["spec"]["containers"][0];
        let related = |name: String| {
            let variables = container["env"].as_array().into_iter().flatten();
            let named = variables.filter(|variable| variable["name"] == name.as_str());
            named.filter_map(|variable| variable["value"].as_str()).next_back().map(str::to_owned)
        };
        let images = &config.images;
        let postgres = format!("RELATED_IMAGE_POSTGRES_{}", config.postgresql);
        let all = [
            ("the operator's", container["image"].as_str().map(str::to_owned)),
            ("PostgreSQL's", images.postgres.clone().or_else(|| related(postgres))),
            (
                "pgBackRest's",
                images.pgbackrest.clone().or_else(|| related("RELATED_IMAGE_PGBACKREST".into())),
            ),
            ("pgBouncer's", images.pgbouncer.clone().or_else(|| related("RELATED_IMAGE_PGBOUNCER".into()))),
        ];
        all.into_iter()
            .map(|(whose, image)| {
                let advice = "name it in [cluster] of castle.toml: see docs/cluster.md";
                image.ok_or_else(|| Error::usage(format!("nobody says which image is {whose}"), advice))
            })
            .collect()
    }
}

async fn kustomize(site: &Site, place: &str) -> Result<String> {
    let mut command = tokio::process::Command::new("kubectl");
    command.args(["kustomize", place]);
    let get =
        "install kubectl (https://kubernetes.io/docs/tasks/tools), or give a file as operator-manifests";
    let output = site.run("render the operator", format!("kubectl kustomize {place}"), command, get).await?;
    if output.status.success() {
        return String::from_utf8(output.stdout).doing("reading the operator's manifests");
    }
    let printed = String::from_utf8_lossy(&output.stderr);
    let telling = |line: &&str| line.contains("fatal:") || line.contains("error:");
    let why = printed.lines().find(telling).or(printed.lines().last()).unwrap_or("it printed nothing");
    Err(Error::missing(
        format!("the operator's manifests cannot be had from {place}: {why}"),
        "give a file or a directory as operator-manifests in [cluster] of castle.toml",
    ))
}

/// Every object of a file of YAML documents.
pub(crate) fn parse(text: &str, name: &str) -> Result<Vec<Value>> {
    let mut objects = Vec::new();
    // what is wrong may stand beside a secret: its place is told, and not its text
    let options = serde_saphyr::options! { with_snippet: false };
    // CRDs are long, and nothing in them begins a line so
    for document in text.split("\n---").map(|document| document.trim_start_matches('-')) {
        if document.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
            continue;
        }
        let object: Value = serde_saphyr::from_str_with_options(document, options.clone())
            .doing(format!("reading {name}"))?;
        objects.push(object);
    }
    Ok(objects)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_told_apart() {
        let text = "---\n# nothing\n---\nkind: A\nnote: |\n  a --- b\n---\nkind: B\n";
        let kinds: Vec<_> = parse(text, "x").unwrap().iter().map(|object| object["kind"].clone()).collect();
        assert_eq!(kinds, ["A", "B"]);
    }
}
