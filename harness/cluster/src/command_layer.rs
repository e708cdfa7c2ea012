//! A layer that a command of the user's raises. It finds the cluster by `KUBECONFIG`, and the run by
//! `PHOENIX_RUN`.

use crate::{config::CommandLayer, layers::Layer, site::Site};
use phoenix_core::layers::Need;
use phoenix_drill::{Error, Result, Span, Wait, Work, wait_for};
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;

const DEADLINE: Duration = Duration::from_secs(900);
const LOOK: Duration = Duration::from_millis(500);

/// A layer of the user's, in one life.
pub(crate) struct ByCommand {
    pub site: Arc<Site>,
    pub layer: CommandLayer,
}

impl ByCommand {
    async fn rise(&self) -> Result<()> {
        let (succeeded, printed) = run(&self.site, &self.layer.name, "up", &self.layer.up).await?;
        if succeeded {
            return Ok(());
        }
        let why = phoenix_repository::decisive(&printed).to_owned();
        Err(Error::unverified(format!("the layer {} does not come up", self.layer.name), why))
    }

    async fn stand(&self) -> Result<()> {
        let Some(command) = &self.layer.ready else { return Ok(()) };
        let what = format!("the layer {} to be ready", self.layer.name);
        wait_for(&what, DEADLINE, LOOK, || async {
            let (succeeded, printed) = run(&self.site, &self.layer.name, "ready", command).await?;
            let seen = phoenix_repository::decisive(&printed).to_owned();
            Ok(if succeeded { Wait::Ready(()) } else { Wait::NotYet(seen) })
        })
        .await
    }

    /// Takes it down, if it says how.
    pub async fn fall(&self) -> Result<()> {
        let Some(command) = &self.layer.down else { return Ok(()) };
        let (succeeded, printed) = run(&self.site, &self.layer.name, "down", command).await?;
        let why = || phoenix_repository::decisive(&printed).to_owned();
        let failed = || Error::unverified(format!("the layer {} does not go down", self.layer.name), why());
        succeeded.then_some(()).ok_or_else(failed)
    }
}

impl Layer for ByCommand {
    fn name(&self) -> &str {
        &self.layer.name
    }

    fn needs(&self) -> Vec<Need> {
        self.layer.needs.clone()
    }

    fn budget(&self) -> Option<Duration> {
        self.site.config.budgets.get(&self.layer.name).copied()
    }

    fn up<'a>(&'a self, _span: &'a Span) -> Work<'a, ()> {
        Box::pin(self.rise())
    }

    fn ready<'a>(&'a self, _span: &'a Span) -> Work<'a, ()> {
        Box::pin(self.stand())
    }
}

/// Runs a command to its end, enters it into the runbook, and gives whether it succeeded and what it printed.
async fn run(site: &Site, layer: &str, step: &str, line: &str) -> Result<(bool, String)> {
    let mut command = tokio::process::Command::new("sh");
    // what it prints is for people, all of it
    command.args(["-c", &format!("exec 1>&2\n{line}")]);
    command.env("KUBECONFIG", site.kubeconfig()).env("PHOENIX_RUN", site.scene.run.as_str());
    let purpose = format!("layer {layer} {step}");
    let ran = site.run(&purpose, line.to_owned(), command, "a layer needs sh");
    let output = timeout(DEADLINE, ran).await.map_err(|_| Error::Timeout {
        what: purpose.clone(),
        last: "the command has not ended".to_owned(),
        after: DEADLINE,
    })??;
    Ok((output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned()))
}
