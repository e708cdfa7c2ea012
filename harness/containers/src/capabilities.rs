//! What else can be done to a castle in containers: each leaves evidence, and each can be healed.

use crate::{Containers, server};
use phoenix_docker::{Role, names};
use phoenix_drill::{
    Castle, Casualty, Doing, Error, Kill, Partition, Pause, Result, Span, Wait, Work, wait_for,
};
use phoenix_repository::{StartError, decisive};
use std::time::Duration;
use testcontainers::bollard::models::{NetworkConnectRequest, NetworkDisconnectRequest};

/// Kills every process whose command's name is the first argument, and says which.
const KILL: &str = r#"
for stat in /proc/[0-9]*/comm; do
    pid=${stat#/proc/}; pid=${pid%/comm}
    [ "$(cat "$stat" 2>/dev/null)" = "$0" ] || continue
    line=$(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null) && kill -KILL "$pid" 2>/dev/null && echo "$pid $line"
done
"#;
const DEADLINE: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(10);

impl Containers {
    /// Everything that was planted and really happened, one line each.
    pub(crate) async fn everything_planted(&self) -> Result<Vec<String>> {
        let Ok(plant) = self.plant() else { return Ok(Vec::new()) };
        let mut planted = plant.deeds.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        planted.extend(plant.vault.planted());
        planted.extend(self.fired().await);
        Ok(planted)
    }

    async fn kill_inside(&self, what: &str, script: &str) -> Result<String> {
        let plant = self.plant()?;
        let victim = plant.container().await?;
        let argv = ["sh", "-c", script, what].map(str::to_owned);
        let ran = plant.yard.engine.exec(&victim.name, &plant.config.victim_user, &argv, None).await?;
        let killed = ran.stdout.lines().next().map(|line| line.trim().to_owned());
        let killed = killed.ok_or_else(|| {
            Error::Demand(format!("there was no {what} to kill: {}", decisive(&ran.stderr)))
        })?;
        Ok(plant.note(format!("SIGKILL of {what} in {}: {killed}", victim.name)))
    }
}

impl Kill for Containers {
    fn kill(&self, casualty: Casualty) -> Work<'_, String> {
        Box::pin(async move {
            let plant = self.plant()?;
            let victim = plant.container().await?;
            if let Some(died) = plant.yard.died(&victim.name).await? {
                return Err(Error::Demand(format!("there was nothing to kill: {}", died.chain())));
            }
            let evidence = match casualty {
                Casualty::PgBackRest => return self.kill_inside("pgbackrest", KILL).await,
                Casualty::Postgres => {
                    let postmaster = format!(
                        "pid=$(head -n 1 {}/postmaster.pid) && kill -KILL $pid && echo \"postmaster $pid\"",
                        crate::victim::DATA
                    );
                    self.kill_inside("postgres", &postmaster).await?
                }
                Casualty::Machine => {
                    plant.yard.engine.kill(&victim.name).await?;
                    plant.note(format!("SIGKILL of the container {}", victim.name))
                }
            };
            wait_for("the container to die with its server", DEADLINE, LOOK, || async {
                let died = plant.yard.died(&victim.name).await?;
                Ok(died.map_or_else(|| Wait::NotYet("it runs".to_owned()), |_| Wait::Ready(())))
            })
            .await?;
            Ok(evidence)
        })
    }

    fn revive<'a>(&'a self, castle: Box<dyn Castle>, span: &'a Span) -> Work<'a, Box<dyn Castle>> {
        Box::pin(async move {
            drop(castle);
            let plant = self.plant()?;
            let container = self.raise_again(span).await?;
            let sql = server::start(plant, span).await.map_err(StartError::at_birth)?;
            plant.note(format!("revived in {}", container.name));
            Ok(phoenix_repository::castle(plant.clone(), sql))
        })
    }
}

impl Containers {
    /// Whether the engine says that the victim is frozen.
    async fn is_paused(&self) -> Result<bool> {
        let plant = self.plant()?;
        let state = plant.yard.engine.container(&plant.container().await?.name).await?;
        Ok(state.and_then(|container| container.state).is_some_and(|state| state.paused == Some(true)))
    }
}

impl Pause for Containers {
    fn pause(&self) -> Work<'_, String> {
        Box::pin(async {
            let (plant, name) = (self.plant()?, self.plant()?.container().await?.name);
            plant.yard.engine.docker.pause_container(&name).await.doing(format!("freezing {name}"))?;
            if !self.is_paused().await? {
                return Err(Error::Demand(format!("{name} was to be frozen, and is not")));
            }
            Ok(plant.note(format!("froze {name}")))
        })
    }

    fn resume(&self) -> Work<'_, String> {
        Box::pin(async {
            let (plant, name) = (self.plant()?, self.plant()?.container().await?.name);
            plant.yard.engine.docker.unpause_container(&name).await.doing(format!("thawing {name}"))?;
            if self.is_paused().await? {
                return Err(Error::Demand(format!("{name} was to be thawed, and is not")));
            }
            Ok(plant.note(format!("thawed {name}")))
        })
    }
}

impl Containers {
    /// Moves the store between the drill's network and one where it is alone, and looks at it anew.
    async fn move_store(&self, from: &str, to: &str) -> Result<()> {
        let plant = self.plant()?;
        let Some(store) = &plant.store else {
            return Err(Error::Demand("only the drill's own store can be cut off".into()));
        };
        if plant.detour.at().is_some() {
            let why = "a victim that reaches the store by a proxy is not cut off by moving the store";
            return Err(Error::Demand(why.into()));
        }
        let docker = &plant.yard.engine.docker;
        let (container, force) = (store.name.clone(), Some(true));
        let join = NetworkConnectRequest { container: container.clone(), ..Default::default() };
        docker.connect_network(to, join).await.doing(format!("connecting the store to {to}"))?;
        let leave = NetworkDisconnectRequest { container, force };
        docker.disconnect_network(from, leave).await.doing(format!("disconnecting the store from {from}"))?;
        let here = plant.yard.engine.network(from).await?.and_then(|network| network.containers);
        if here.into_iter().flatten().any(|(_, endpoint)| endpoint.name.as_ref() == Some(&store.name)) {
            return Err(Error::Demand(format!("the store was to leave {from}, and is still there")));
        }
        plant.vault.look_through(store.inspector(&plant.yard.engine).await?);
        Ok(())
    }
}

impl Partition for Containers {
    fn partition(&self) -> Work<'_, String> {
        Box::pin(async {
            let plant = self.plant()?;
            let apart = names::name(&plant.yard.scene.run, "apart");
            plant.yard.make_network(&apart, Role::Store).await?;
            self.move_store(&plant.network, &apart).await?;
            Ok(plant.note(format!("the store left the victim's network {} for {apart}", plant.network)))
        })
    }

    fn heal_partition(&self) -> Work<'_, String> {
        Box::pin(async {
            let plant = self.plant()?;
            let apart = names::name(&plant.yard.scene.run, "apart");
            self.move_store(&apart, &plant.network).await?;
            plant.yard.engine.remove_network(&apart).await?;
            Ok(plant.note(format!("the store is back on the victim's network {}", plant.network)))
        })
    }
}
