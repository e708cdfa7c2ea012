//! The platform that is there already: a context of a kubeconfig. A drill makes namespaces in it and removes
//! them, takes the operator as given, and touches nothing else.

use super::{Platform, Remains};
use crate::{kubernetes::Kubernetes, site::Site};
use kube::config::Kubeconfig;
use phoenix_drill::{Doing, Error, Result, Span, Work};
use std::{collections::BTreeSet, fs, path::PathBuf, sync::Arc};

/// A cluster that a drill never destroys.
pub(crate) struct Existing {
    context: String,
    kubernetes: Kubernetes,
}

impl Existing {
    /// Reads the kubeconfig and asks the API who it is. Commands of the user's get a kubeconfig of their own,
    /// in which this context is the current one.
    pub async fn find(site: &Arc<Site>, kubeconfig: Option<PathBuf>, context: &str) -> Result<Self> {
        let wrong = |why: String| {
            let advice = "name a kubeconfig and a context in it in [cluster] of castle.toml: `kubectl config get-contexts`";
            Error::usage(why, advice)
        };
        let read = match &kubeconfig {
            Some(path) => Kubeconfig::read_from(path),
            None => Kubeconfig::read(),
        };
        let mut kubeconfig =
            read.map_err(|error| wrong(format!("the kubeconfig cannot be read: {error}")))?;
        if !kubeconfig.contexts.iter().any(|known| known.name == context) {
            return Err(wrong(format!("the kubeconfig has no context {context}")));
        }
        keep_only(&mut kubeconfig, context);
        let text = serde_json::to_string(&kubeconfig).doing("writing the kubeconfig")?;
        fs::write(site.kubeconfig(), text).doing("writing the kubeconfig")?;
        let kubernetes = Kubernetes::of(kubeconfig, Some(context)).await?;
        let answered = kubernetes.client.apiserver_version().await;
        answered.map_err(|error| {
            let what = format!(
                "the API of the context {context} does not answer: {}",
                crate::kubernetes::short(&error)
            );
            Error::missing(what, "start the cluster, or name another context")
        })?;
        Ok(Self { context: context.to_owned(), kubernetes })
    }

    /// Its API.
    pub fn kubernetes(&self) -> &Kubernetes {
        &self.kubernetes
    }
}

/// Leaves nothing in a kubeconfig but a context, its cluster and its user.
fn keep_only(kubeconfig: &mut Kubeconfig, name: &str) {
    kubeconfig.contexts.retain(|known| known.name == name);
    let context = kubeconfig.contexts.first().and_then(|known| known.context.clone());
    let (cluster, user) = context.map(|context| (context.cluster, context.user)).unwrap_or_default();
    kubeconfig.clusters.retain(|known| known.name == cluster);
    kubeconfig.auth_infos.retain(|known| Some(&known.name) == user.as_ref());
    kubeconfig.current_context = Some(name.to_owned());
}

impl Platform for Existing {
    fn name(&self) -> &'static str {
        "existing"
    }

    fn operator_is_given(&self) -> bool {
        true
    }

    fn up<'a>(&'a self, span: &'a Span) -> Work<'a, Kubernetes> {
        Box::pin(async move {
            span.detail(format!("context {}", self.context));
            Ok(self.kubernetes.clone())
        })
    }

    fn ready<'a>(&'a self, _kubernetes: &'a Kubernetes, _span: &'a Span) -> Work<'a, ()> {
        Box::pin(async { Ok(()) })
    }

    fn halt(&self) -> Work<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    fn destroy(&self) -> Work<'_, ()> {
        Box::pin(async {
            let what = format!("the cluster of the context {} is not the drill's to destroy", self.context);
            Err(Error::usage(what, "choose wipe = \"namespace\" or \"database\""))
        })
    }

    fn remains(&self) -> Work<'_, Remains> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn volume_directories<'a>(&'a self, _namespace: &'a str) -> Work<'a, Option<BTreeSet<String>>> {
        // its nodes cannot be looked at
        Box::pin(async { Ok(None) })
    }
}
