//! A layer that a command of the user's raises. It finds the cluster by `KUBECONFIG`, and the run by
//! `PHOENIX_RUN`.

use crate::{config::CommandLayer, layers::Layer, site::Site};
use phoenix_core::layers::Need;
use phoenix_drill::{Command, Error, Result, Span, Wait, Work, wait_for};
use std::{
    process::Stdio,
    sync::Arc,
    time::{Duration, Instant},
};

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
    let began = Instant::now();
    let mut command = tokio::process::Command::new("sh");
    command.args(["-c", line]).stdin(Stdio::null()).kill_on_drop(true);
    command.env("KUBECONFIG", site.kubeconfig()).env("PHOENIX_RUN", site.scene.run.as_str());
    let doing = format!("running the layer {layer}");
    let output = command.output().await.map_err(|error| Error::unverified(doing, error.to_string()))?;
    let printed = [output.stdout, output.stderr].concat();
    let printed = String::from_utf8_lossy(&printed).into_owned();
    let (purpose, ended) = (format!("layer {layer} {step}"), output.status.to_string());
    let command =
        Command { purpose, line: line.to_owned(), ended, elapsed: began.elapsed(), output: printed.clone() };
    site.scene.evidence.command(&command)?;
    Ok((output.status.success(), printed))
}
