//! `phoenix doctor`: what each environment needs, whether it is there, how to get it.

use crate::castle_file::Castle;
use phoenix_docker::Engine;
use phoenix_drill::Error;
use phoenix_local::tools::Tools;

/// One thing that is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// The environment that needs it.
    pub environment: &'static str,
    /// What it is.
    pub what: String,
    /// Whether it is there: what was found, or what to do.
    pub state: Result<String, String>,
}

/// Looks at everything.
pub async fn examine(castle: &Castle) -> Vec<Need> {
    let mut needs = local(castle).await;
    needs.extend(containers(castle).await);
    needs.extend(cluster(castle).await);
    needs
}

fn missing(environment: &'static str, error: &Error) -> Need {
    let advice = error.advice().unwrap_or("see the message").to_owned();
    Need { environment, what: error.to_string(), state: Err(advice) }
}

async fn local(castle: &Castle) -> Vec<Need> {
    let need =
        |what: &str, found: String| Need { environment: "local", what: what.to_owned(), state: Ok(found) };
    match Tools::find(&castle.local).await {
        Ok(tools) => vec![
            need("PostgreSQL", format!("{} in {}", tools.postgres, tools.postgres_bin.display())),
            need("pgBackRest", format!("{} as {}", tools.pgbackrest, tools.pgbackrest_program.display())),
            need("an unprivileged user", tools.victim_user.unwrap_or_else(|| "this user".to_owned())),
            need("processes that die with the harness", tools.capsule.word().to_owned()),
        ],
        Err(error) => vec![missing("local", &error)],
    }
}

async fn cluster(castle: &Castle) -> Vec<Need> {
    let found = phoenix_cluster::needs(&castle.cluster).await;
    let need = |(what, state)| Need { environment: "cluster", what, state };
    found.into_iter().map(need).collect()
}

async fn containers(castle: &Castle) -> Vec<Need> {
    let engine = match Engine::connect().await {
        Ok(engine) => engine,
        Err(error) => return vec![missing("containers", &error)],
    };
    let need = |what: &str, found: String| Need {
        environment: "containers",
        what: what.to_owned(),
        state: Ok(found),
    };
    let mut needs =
        vec![need("a Docker engine", format!("version {} at {}", engine.version, engine.endpoint))];
    let images = &castle.containers.images;
    let victim = images.victim.as_ref().unwrap_or(&images.base);
    for (what, image) in [("the store's image", &images.store), ("the victim's image", victim)] {
        needs.push(need(what, engine.told(image).await));
    }
    needs
}
