//! Manifests as they may be shown: whatever an owner may have written as a secret in one is not in it.

use phoenix_drill::{Doing, Result};
use serde_json::Value;
use similar::TextDiff;

const MASK: &str = "********";
/// What an option's name holds if its value is a secret: `repo1-s3-key-secret`, `repo1-cipher-pass`.
const SECRET: [&str; 6] = ["-key", "_key", "pass", "secret-", "token", "credential"];

/// The same without secrets: values of options that are called so, and of every environment variable.
pub(crate) fn masked(mut manifest: Value) -> Value {
    mask(&mut manifest);
    manifest
}

/// Two manifests without their secrets, line by line, as `diff -u` shows them.
pub(crate) fn difference(before: (&str, &Value), after: (&str, &Value)) -> Result<String> {
    let yaml = |value: &Value| serde_saphyr::to_string(value).doing("writing a manifest");
    let (old, new) = (yaml(&masked(before.1.clone()))?, yaml(&masked(after.1.clone()))?);
    let diff = TextDiff::from_lines(&old, &new);
    Ok(diff.unified_diff().context_radius(2).header(before.0, after.0).to_string())
}

fn mask(value: &mut Value) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                let name = name.to_ascii_lowercase();
                match value {
                    Value::Array(all) if name == "env" => all.iter_mut().for_each(mask_variable),
                    // what kubectl keeps is the manifest once more, as text
                    Value::String(text) if name.ends_with("last-applied-configuration") => {
                        *text = MASK.to_owned()
                    }
                    Value::String(text) if SECRET.iter().any(|it| name.contains(it)) => {
                        *text = MASK.to_owned()
                    }
                    other => mask(other),
                }
            }
        }
        Value::Array(all) => all.iter_mut().for_each(mask),
        _ => {}
    }
}

fn mask_variable(variable: &mut Value) {
    if variable["value"].is_string() {
        variable["value"] = MASK.into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_secret_is_not_shown_and_what_is_none_is() {
        let manifest = json!({
            "metadata": { "annotations": { "kubectl.kubernetes.io/last-applied-configuration": "canary" } },
            "spec": {
                "databaseInitSQL": { "name": "sql", "key": "init.sql" },
                "instances": [{ "containers": [{ "env": [{ "name": "X", "value": "canary" }] }] }],
                "backups": { "pgbackrest": {
                    "global": { "repo1-s3-key": "canary", "repo1-s3-key-secret": "canary", "repo1-cipher-pass": "canary", "repo1-path": "/prod" },
                    "configuration": [{ "secret": { "name": "creds" } }],
                } },
            },
        });
        let shown = masked(manifest).to_string();
        assert!(!shown.contains("canary"), "{shown}");
        for kept in ["init.sql", "/prod", "creds"] {
            assert!(shown.contains(kept), "{kept}: {shown}");
        }
    }
}
