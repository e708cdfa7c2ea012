//! SQL as an application speaks it: by its own user, over TLS that is verified with the cluster's CA,
//! through the pooler. The cluster's network is reached through its API.

use crate::kubernetes::Kubernetes;
use k8s_openapi::api::core::v1::{Pod, Secret};
use phoenix_drill::{Doing, Error, Result, Work};
use phoenix_postgres::{Administer, Client, Connect, ConnectConfig};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use std::{collections::BTreeMap, sync::Arc};
use tokio_postgres::{config::SslMode, tls::MakeTlsConnect};
use tokio_postgres_rustls::MakeRustlsConnect;

/// The Secret with the CA of every PostgresCluster of a namespace.
const ROOT_CA: &str = "pgo-root-cacert";

/// Where an application knocks.
#[derive(Clone)]
pub(crate) struct Door {
    pub kubernetes: Kubernetes,
    pub namespace: String,
    /// The pod that answers.
    pub pod: String,
    pub port: u16,
}

/// An application: its door, its name and password, and whom it trusts.
pub(crate) struct Application {
    door: Door,
    /// The service's name, which must be in the server's certificate.
    host: String,
    config: ConnectConfig,
    tls: MakeRustlsConnect,
}

impl Application {
    /// Reads who the application is and whom it trusts from the cluster's Secrets. Its password is a new
    /// one after each rebirth, unless its Secret was there before.
    pub async fn read(door: Door, cluster: &str, user: &str) -> Result<Self> {
        let name = format!("{cluster}-pguser-{user}");
        let read = async |name: &str| secret(&door.kubernetes, &door.namespace, name).await;
        let credentials = read(&name).await?;
        let value = |key: &str| text(&credentials, &name, key);
        let host = value("pgbouncer-host").or_else(|_| value("host"))?;
        let mut config = ConnectConfig::new();
        config.user(value("user")?).password(value("password")?).dbname(value("dbname")?);
        config.application_name("phoenix").ssl_mode(SslMode::Require);
        let root = text(&read(ROOT_CA).await?, ROOT_CA, "root.crt")?;
        let tls = MakeRustlsConnect::new(trusting(&root)?);
        Ok(Self { door, host, config, tls })
    }

    async fn connected(&self) -> Result<Client> {
        let Door { kubernetes, namespace, pod, port } = &self.door;
        let doing = || format!("connecting to PostgreSQL through {pod}");
        let mut forward = kubernetes.all::<Pod>(namespace).portforward(pod, &[*port]).await.doing(doing())?;
        let stream = forward.take_stream(*port).ok_or_else(|| Error::unverified(doing(), "no stream"))?;
        let tls =
            MakeTlsConnect::<tokio::io::DuplexStream>::make_tls_connect(&mut self.tls.clone(), &self.host);
        let (client, connection) =
            self.config.connect_raw(stream, tls.doing(doing())?).await.doing(doing())?;
        tokio::spawn(async move {
            // every query learns of the connection's errors
            let _ = connection.await;
            drop(forward);
        });
        Ok(client)
    }
}

impl Connect for Application {
    fn connect(&self) -> Work<'_, Client> {
        Box::pin(self.connected())
    }
}

/// Whoever may use a shell in the database's container.
pub(crate) struct Administrator {
    pub kubernetes: Kubernetes,
    pub namespace: String,
    /// The primary's pod.
    pub pod: String,
}

impl Administer for Administrator {
    fn ask<'a>(&'a self, purpose: &'a str, query: &'a str) -> Work<'a, String> {
        Box::pin(async move {
            let argv = ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", query].map(str::to_owned);
            let place = (self.namespace.as_str(), self.pod.as_str(), "database");
            let answer = self.kubernetes.exec(place, &argv, None).await?.must(purpose)?;
            Ok(answer.trim().to_owned())
        })
    }
}

/// The password in a user's Secret.
pub(crate) async fn password(kubernetes: &Kubernetes, namespace: &str, name: &str) -> Result<String> {
    text(&secret(kubernetes, namespace, name).await?, name, "password")
}

type Data = BTreeMap<String, k8s_openapi::ByteString>;

async fn secret(kubernetes: &Kubernetes, namespace: &str, name: &str) -> Result<Data> {
    let found = kubernetes.all::<Secret>(namespace).get(name).await;
    let found = found.doing(format!("reading the Secret {name}"))?;
    Ok(found.data.unwrap_or_default())
}

fn text(data: &Data, secret: &str, key: &str) -> Result<String> {
    let bytes = data.get(key).ok_or_else(|| {
        Error::unverified(format!("reading the Secret {secret}"), format!("it has no key {key}"))
    })?;
    String::from_utf8(bytes.0.clone()).doing(format!("reading {key} of the Secret {secret}"))
}

fn trusting(root: &str) -> Result<ClientConfig> {
    let doing = "reading the cluster's CA";
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(root.as_bytes()) {
        roots.add(certificate.doing(doing)?).doing(doing)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().doing(doing)?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}
