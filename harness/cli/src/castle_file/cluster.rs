//! The section `[cluster]`.

use super::{Period, StoreSection, set};
use phoenix_cluster::{ClusterConfig, CommandLayer, PlatformConfig, WipeKind};
use phoenix_core::layers::Need;
use serde::Deserialize;
use std::{collections::BTreeMap, path::PathBuf};

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub(super) struct ClusterSection {
    workers: Option<u8>,
    context: Option<String>,
    kubeconfig: Option<PathBuf>,
    pub(super) store: Option<StoreSection>,
    wipe: Option<WipeWord>,
    manifest: Option<PathBuf>,
    keep_passwords: Option<bool>,
    probe_store: Option<bool>,
    postgresql: Option<u16>,
    storage_class: Option<String>,
    volume_size: Option<String>,
    operator_manifests: Option<String>,
    node_image: Option<String>,
    registry_image: Option<String>,
    store_image: Option<String>,
    operator_image: Option<String>,
    postgres_image: Option<String>,
    pgbackrest_image: Option<String>,
    pgbouncer_image: Option<String>,
    layer: Vec<LayerSection>,
    layer_budget: BTreeMap<String, Period>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct LayerSection {
    name: String,
    #[serde(default)]
    needs: Vec<NeedText>,
    up: String,
    ready: Option<String>,
    down: Option<String>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum WipeWord {
    Database,
    Namespace,
    Platform,
}

from_text!(NeedText(Need) by parse_need);

/// Reads a layer that is needed: `platform`, or `platform:ready`.
fn parse_need(text: &str) -> Result<Need, String> {
    match text.split_once(':') {
        None => Ok(Need::up(text)),
        Some((layer, "up")) => Ok(Need::up(layer)),
        Some((layer, "ready")) => Ok(Need::ready(layer)),
        Some(_) => Err(format!("'{text}' is no need, such as platform or platform:ready")),
    }
}

impl ClusterSection {
    /// What the section asks for.
    pub(super) fn config(self) -> ClusterConfig {
        let platform = match (self.context, self.workers) {
            (Some(context), _) => PlatformConfig::Existing { kubeconfig: self.kubeconfig, context },
            (None, Some(workers)) => PlatformConfig::Kind { workers },
            (None, None) => PlatformConfig::default(),
        };
        let mut config = ClusterConfig { platform, ..ClusterConfig::default() };
        config.wipe = self.wipe.map(|wipe| match wipe {
            WipeWord::Database => WipeKind::Database,
            WipeWord::Namespace => WipeKind::Namespace,
            WipeWord::Platform => WipeKind::Platform,
        });
        config.manifest = self.manifest;
        set(&mut config.keep_passwords, self.keep_passwords);
        set(&mut config.probe_store, self.probe_store);
        set(&mut config.postgresql, self.postgresql);
        set(&mut config.volume_size, self.volume_size);
        set(&mut config.operator.manifests, self.operator_manifests);
        config.storage_class = self.storage_class;
        let images = &mut config.images;
        set(&mut images.node, self.node_image);
        set(&mut images.registry, self.registry_image);
        set(&mut images.store, self.store_image);
        (images.operator, images.postgres) = (self.operator_image, self.postgres_image);
        (images.pgbackrest, images.pgbouncer) = (self.pgbackrest_image, self.pgbouncer_image);
        let layer = |LayerSection { name, needs, up, ready, down }| {
            let needs = needs.into_iter().map(|NeedText(need)| need).collect();
            CommandLayer { name, needs, up, ready, down }
        };
        config.layers = self.layer.into_iter().map(layer).collect();
        config.budgets = self.layer_budget.into_iter().map(|(name, period)| (name, period.0)).collect();
        config
    }
}
