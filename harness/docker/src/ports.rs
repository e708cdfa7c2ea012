//! A container's ports, as they are published on the engine's machine.

use crate::Engine;
use phoenix_drill::{Error, Result};
use std::collections::HashMap;
use testcontainers::bollard::models::{HostConfig, NetworkSettings, PortBinding};

/// Publishes a port on one address ([`Engine::publishes_on`](crate::Engine::publishes_on)), at a port that
/// the engine chooses, and nothing else.
pub fn publish(host: &mut HostConfig, on: &str, port: u16) {
    let binding = PortBinding { host_ip: Some(on.to_owned()), host_port: Some(String::new()) };
    host.publish_all_ports = Some(false);
    host.port_bindings = Some(HashMap::from([(format!("{port}/tcp"), Some(vec![binding]))]));
}

impl Engine {
    /// The port of the engine's machine at which a container's port is published now.
    pub async fn published(&self, container: &str, port: u16) -> Result<u16> {
        let settings = self.container(container).await?.and_then(|container| container.network_settings);
        let found = published(settings.as_ref(), port);
        found
            .ok_or_else(|| Error::unverified(format!("looking for {container}"), "its port is not published"))
    }
}

/// The port of the engine's machine at which a container's port is published.
pub fn published(settings: Option<&NetworkSettings>, port: u16) -> Option<u16> {
    let bindings = settings?.ports.as_ref()?.get(&format!("{port}/tcp"))?.as_ref()?;
    bindings.iter().find_map(|binding| binding.host_port.as_ref()?.parse().ok())
}
