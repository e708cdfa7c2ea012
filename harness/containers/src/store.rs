//! Which object store a drill uses: MinIO in a container of its own, or one that is there already.

use crate::{ContainersConfig, image::SECTION, plant, plant::Plant, victim};
use phoenix_docker::{Minio, MinioPlan, Yard, certificates};
use phoenix_drill::{Doing, Error, Result};
use phoenix_postgres::pgbackrest::S3;
use phoenix_store::{Certificates, Credentials, Inspector};
use std::{fs, path::Path};

const BUCKET: &str = "phoenix";

/// The store of a drill, as far as it is known before it runs.
pub(crate) struct Chosen {
    /// As the victim sees it.
    pub repository: S3,
    /// The CAs of the store and of the proxy.
    pub ca_pem: String,
    /// What the store, if it is the drill's own, and the proxy present.
    pub certificates: Certificates,
    /// The drill's own store; `None` if it is there already.
    pub container: Option<Minio>,
}

/// Chooses where the store is and who may use it. Nothing is made yet.
pub(crate) fn choose(config: &ContainersConfig, yard: &Yard) -> Result<Chosen> {
    if let Some(external) = &config.store {
        let repository = external.repository(&yard.scene.run.slug(), Path::new(victim::CA_FILE));
        let ca_pem =
            fs::read_to_string(&external.ca_file).doing(format!("reading {}", external.ca_file.display()))?;
        let certificates = certificates(&[plant::PROXY_HOST.to_owned(), yard.engine.host.clone()])?;
        let ca_pem = format!("{}\n{}", ca_pem.trim_end(), certificates.ca_pem);
        return Ok(Chosen { repository, ca_pem, certificates, container: None });
    }
    let plan = MinioPlan {
        bucket: BUCKET,
        credentials: Credentials::generate(),
        // the proxy before it presents the same certificate
        also_known_as: &[plant::PROXY_HOST],
        ca_file: victim::CA_FILE,
    };
    let minio = Minio::plan(yard, plan)?;
    let (repository, certificates) = (minio.repository.clone(), minio.certificates.clone());
    Ok(Chosen { repository, ca_pem: certificates.ca_pem.clone(), certificates, container: Some(minio) })
}

/// Starts MinIO and makes its bucket, or checks that this drill's path in the given store is empty.
pub(crate) async fn open(plant: &Plant) -> Result<Inspector> {
    if let Some(external) = &plant.config.store {
        return external.open(&plant.vault.store, "[containers.store]").await;
    }
    let minio = plant.store.as_ref().ok_or_else(|| Error::Demand("a drill has a store".into()))?;
    minio.open(&plant.yard, &plant.network, &plant.images.store, SECTION).await
}
