//! `phoenix doctor`: what each environment needs, whether it is there, how to get it.

use phoenix_local::{LocalConfig, tools::Tools};

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
pub async fn examine(config: &LocalConfig) -> Vec<Need> {
    let need = |what: &str, state| Need { environment: "local", what: what.to_owned(), state };
    match Tools::find(config).await {
        Ok(tools) => {
            let user = tools.victim_user.unwrap_or_else(|| "this user".to_owned());
            vec![
                need("PostgreSQL", Ok(format!("{} in {}", tools.postgres, tools.postgres_bin.display()))),
                need(
                    "pgBackRest",
                    Ok(format!("{} as {}", tools.pgbackrest, tools.pgbackrest_program.display())),
                ),
                need("an unprivileged user", Ok(user)),
                need("processes that die with the harness", Ok(tools.capsule.word().to_owned())),
            ]
        }
        Err(error) => {
            let advice = error.advice().unwrap_or("see the message").to_owned();
            vec![need(&error.to_string(), Err(advice))]
        }
    }
}
