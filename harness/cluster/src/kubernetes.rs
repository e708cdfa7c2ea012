//! The Kubernetes API: what is asked of it, and what its refusals mean.

use crate::postgrescluster::{self, PostgresCluster};
use chrono::Utc;
use k8s_openapi::{
    api::{
        authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec},
        core::v1::{Namespace, Pod},
    },
    apimachinery::pkg::apis::meta::v1::Status as ExecStatus,
};
use kube::{
    Api, Client, Config, ResourceExt,
    api::{
        ApiResource, AttachParams, DeleteParams, DynamicObject, GroupVersionKind, ListParams, LogParams,
        Patch, PatchParams, PostParams,
    },
    config::{KubeConfigOptions, Kubeconfig},
};
use phoenix_drill::{Doing, Error, Result, Wait, pause, wait_for};
use phoenix_repository::Ran;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Who applies what a drill applies.
const MANAGER: &str = "phoenix";
/// An API server that is just coming up, or a CRD that is not served yet, is asked again for so long.
const PATIENCE: Duration = Duration::from_secs(60);
const INTERVAL: Duration = Duration::from_millis(100);
/// How often the operator is reminded of what is to go, and the annotation that does it.
const REMIND: Duration = Duration::from_secs(10);
const REMINDED: &str = "phoenix.reminded";

/// A cluster's API.
#[derive(Clone)]
pub(crate) struct Kubernetes {
    pub client: Client,
}

impl Kubernetes {
    /// A client for one context of a kubeconfig. Nothing is asked yet.
    pub async fn of(kubeconfig: Kubeconfig, context: Option<&str>) -> Result<Self> {
        let doing = "reading the kubeconfig";
        let options = KubeConfigOptions { context: context.map(str::to_owned), ..Default::default() };
        let mut config = Config::from_custom_kubeconfig(kubeconfig, &options).await.doing(doing)?;
        // an answer that never comes is seen by whoever waits
        config.connect_timeout = Some(Duration::from_secs(5));
        Ok(Self { client: Client::try_from(config).doing(doing)? })
    }

    /// Objects of a kind in a namespace.
    pub fn all<K>(&self, namespace: &str) -> Api<K>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// Objects of a kind that have no namespace.
    pub fn global<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = k8s_openapi::ClusterResourceScope, DynamicType = ()>,
    {
        Api::all(self.client.clone())
    }

    /// The PostgresClusters of a namespace.
    pub fn clusters(&self, namespace: &str) -> Api<PostgresCluster> {
        Api::namespaced_with(self.client.clone(), namespace, &postgrescluster::resource())
    }

    /// What tells this cluster from any other: the uid of a namespace that every cluster has.
    pub async fn uid(&self) -> Result<String> {
        let found =
            self.global::<Namespace>().get("kube-system").await.doing("asking which cluster this is")?;
        Ok(found.metadata.uid.unwrap_or_default())
    }

    /// Applies an object by server-side apply. What may pass by itself is tried again; what the cluster
    /// refuses is an error at once.
    pub async fn apply(&self, object: &Value) -> Result<()> {
        let Described { api, name, kind } = self.described(object)?;
        let parameters = PatchParams::apply(MANAGER).force().validation_strict();
        let what = format!("{kind} {name} to be applied");
        wait_for(&what, PATIENCE, INTERVAL, || async {
            match api.patch(&name, &parameters, &Patch::Apply(object)).await {
                Ok(_) => Ok(Wait::Ready(())),
                Err(error) if is_transient(&error) => Ok(Wait::NotYet(short(&error))),
                Err(error) => Err(refused(&kind, &name, &error)),
            }
        })
        .await
    }

    /// Merges a change into an object.
    pub async fn merge<K>(api: &Api<K>, name: &str, change: Value) -> Result<()>
    where
        K: Clone + std::fmt::Debug + serde::de::DeserializeOwned,
    {
        let changed = api.patch(name, &PatchParams::default(), &Patch::Merge(change)).await;
        changed.map(drop).map_err(|error| refused("a change of", name, &error))
    }

    /// Waits for the end of PostgresClusters, and touches them now and then: an operator whose pods were gone
    /// before it asked for their end waits for news of them, and there is none.
    pub async fn reminding<T>(&self, namespace: &str, gone: impl Future<Output = T>) -> T {
        let clusters = self.clusters(namespace);
        let remind = async {
            loop {
                pause(REMIND).await;
                // whoever waits sees what is wrong with the API
                let Ok(found) = clusters.list(&ListParams::default()).await else { continue };
                let now = json!({ "metadata": { "annotations": { REMINDED: Utc::now().to_rfc3339() } } });
                for going in found.items.iter().filter(|it| it.metadata.deletion_timestamp.is_some()) {
                    let change = Patch::Merge(&now);
                    let _ = clusters.patch(&going.name_any(), &PatchParams::default(), &change).await;
                }
            }
        };
        tokio::select! {
            gone = gone => gone,
            never = remind => never,
        }
    }

    /// Whether whoever asks may do anything: an API server grants its administrator's rights a moment after it
    /// answers.
    pub async fn may_do_anything(&self) -> Result<bool, kube::Error> {
        let anything = ResourceAttributes {
            verb: Some("*".to_owned()),
            group: Some("*".to_owned()),
            resource: Some("*".to_owned()),
            ..Default::default()
        };
        let spec = SelfSubjectAccessReviewSpec { resource_attributes: Some(anything), ..Default::default() };
        let review = SelfSubjectAccessReview { spec, ..Default::default() };
        let reviews = self.global::<SelfSubjectAccessReview>();
        let answer = reviews.create(&PostParams::default(), &review).await?;
        Ok(answer.status.is_some_and(|status| status.allowed))
    }

    fn described(&self, object: &Value) -> Result<Described> {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
        let (Some(version), Some(kind), Some(name)) =
            (text("/apiVersion"), text("/kind"), text("/metadata/name"))
        else {
            let what = "a manifest lacks apiVersion, kind or metadata.name";
            return Err(Error::usage(what, "look at the manifest"));
        };
        let (group, version) = version.rsplit_once('/').unwrap_or(("", version));
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        let client = self.client.clone();
        let api: Api<DynamicObject> = match text("/metadata/namespace") {
            Some(namespace) => Api::namespaced_with(client, namespace, &resource),
            None => Api::all_with(client, &resource),
        };
        Ok(Described { api, name: name.to_owned(), kind: kind.to_owned() })
    }

    /// Runs a command in a container to its end, with a text or nothing on its standard input.
    pub async fn exec(
        &self,
        (namespace, pod, container): (&str, &str, &str),
        argv: &[String],
        stdin: Option<&str>,
    ) -> Result<Ran> {
        let doing = || format!("running {} in {pod}", argv.first().map_or("", String::as_str));
        let parameters = AttachParams::default().container(container).stdin(stdin.is_some()).stderr(true);
        let mut attached = self.all::<Pod>(namespace).exec(pod, argv, &parameters).await.doing(doing())?;
        let (status, stdout, stderr) = (attached.take_status(), attached.stdout(), attached.stderr());
        let input = attached.stdin();
        let feed = async {
            if let (Some(mut input), Some(text)) = (input, stdin) {
                input.write_all(text.as_bytes()).await.doing(doing())?;
                input.shutdown().await.doing(doing())?;
            }
            Ok(())
        };
        let ((), stdout, stderr) = futures::try_join!(feed, whole(stdout), whole(stderr))?;
        let status = match status {
            Some(status) => status.await,
            None => None,
        };
        let status = status.and_then(|status| exit_code(&status));
        let ended = status.map_or_else(|| "killed".to_owned(), |status| format!("exit {status}"));
        Ok(Ran { status, ended, stdout, stderr })
    }

    /// What a container has printed, or the one before it did.
    pub async fn logs(&self, namespace: &str, pod: &str, container: &str, life: Life) -> Result<String> {
        let parameters = LogParams {
            container: Some(container.to_owned()),
            previous: life == Life::Previous,
            ..Default::default()
        };
        let logs = self.all::<Pod>(namespace).logs(pod, &parameters).await;
        logs.doing(format!("reading the log of {container} in {pod}"))
    }
}

/// Which of a container's lives is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    /// This one.
    Current,
    /// The one before it.
    Previous,
}

struct Described {
    api: Api<DynamicObject>,
    name: String,
    kind: String,
}

async fn whole(stream: Option<impl tokio::io::AsyncRead + Unpin>) -> Result<String> {
    let mut bytes = Vec::new();
    if let Some(mut stream) = stream {
        stream.read_to_end(&mut bytes).await.doing("reading what a command prints")?;
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The exit status of a command, as the API reports its end.
fn exit_code(status: &ExecStatus) -> Option<i32> {
    if status.status.as_deref() == Some("Success") {
        return Some(0);
    }
    let mut causes = status.details.as_ref()?.causes.iter().flatten();
    causes.find(|cause| cause.reason.as_deref() == Some("ExitCode"))?.message.as_ref()?.parse().ok()
}

/// Refusals that pass: a namespace that is going, one whose service account is coming, and an administrator
/// whom kubeadm is about to grant its rights.
const PASSING: [&str; 3] =
    ["because it is being terminated", "error looking up service account", "User \"kubernetes-admin\""];

/// Whether an answer may be another one soon: the server is coming up, or the kind is not served yet.
/// A 500 for a field that the schema does not declare never is.
pub(crate) fn is_transient(error: &kube::Error) -> bool {
    match error {
        kube::Error::Api(status) => match status.code {
            404 | 408 | 429 | 502..=504 => true,
            403 => PASSING.iter().any(|passing| status.message.contains(passing)),
            500 => !is_schema(&status.message),
            _ => false,
        },
        kube::Error::Service(_) | kube::Error::HyperError(_) => true,
        _ => false,
    }
}

fn is_schema(message: &str) -> bool {
    message.contains("failed to create typed patch object")
}

/// The error of something that the cluster refuses for good.
pub(crate) fn refused(kind: &str, name: &str, error: &kube::Error) -> Error {
    let why = short(error);
    let advice = if why.contains("field not declared in schema") || why.contains("unknown field") {
        "the CRD that is installed does not know this field: look for another name in its documentation"
    } else {
        "correct the manifest as the message says"
    };
    Error::usage(format!("the cluster refuses {kind} {name}: {why}"), advice)
}

/// The end of something that may be gone already.
pub(crate) fn gone<T>(answer: Result<T, kube::Error>) -> Result<(), kube::Error> {
    match answer {
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        other => other.map(drop),
    }
}

/// A deletion that leaves nobody a grace.
pub(crate) fn at_once() -> DeleteParams {
    DeleteParams::default().grace_period(0)
}

/// An error in the API's own words.
pub(crate) fn short(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => format!("{} {}", status.code, status.message),
        other => phoenix_drill::error::chain(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::core::Status;

    fn answer(code: u16, message: &str) -> kube::Error {
        kube::Error::Api(Box::new(Status { code, message: message.to_owned(), ..Status::default() }))
    }

    #[test]
    fn an_undeclared_field_is_refused_and_a_server_that_comes_up_is_waited_for() {
        let undeclared = answer(
            500,
            "failed to create typed patch object (n/tazlab-db; v1beta1, Kind=PostgresCluster): \
             .spec.backups.pgbackrest.repos[name=\"repo1\"].s3Credentials: field not declared in schema",
        );
        assert!(!is_transient(&undeclared));
        let Error::Usage { what, advice } = refused("PostgresCluster", "tazlab-db", &undeclared) else {
            panic!("another error")
        };
        assert!(what.contains("s3Credentials: field not declared in schema"), "{what}");
        assert!(advice.contains("does not know this field"), "{advice}");
        assert!(is_transient(&answer(500, "etcdserver: request timed out")));
        assert!(is_transient(&answer(404, "the server could not find the requested resource")));
        let name = "spec.users[1].name in body should match '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$'";
        assert!(!is_transient(&answer(422, name)));
    }
}
