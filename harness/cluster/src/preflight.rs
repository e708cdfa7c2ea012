//! What can be said of an owner's manifest before anything is raised: what the operator's CRD does not take, and
//! what a restore from its own data source would stumble over. Each has its line.

use crate::operator::Operator;
use granit_parser::{Event, Parser};
use jsonschema::error::ValidationErrorKind;
use phoenix_drill::{Error, Result};
use serde_json::{Value, json};
use std::{collections::BTreeMap, path::Path};

const PGBACKREST: &str = "/spec/backups/pgbackrest";
const SOURCE: &str = "/spec/dataSource/pgbackrest";
/// Options of a restore that the operator sets by itself, and refuses in an event alone.
const REFUSED: [&str; 5] = ["--repo", "--stanza", "--pg1-path", "--target-action", "--link-map"];

/// Something that is wrong in a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wrong {
    pointer: String,
    what: String,
    fix: String,
}

impl Wrong {
    fn new(pointer: impl Into<String>, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), what: what.into(), fix: fix.into() }
    }
}

/// An error with the file, the line and the fix, if this PostgresCluster would not be taken or not restore.
pub(crate) fn check(file: &Path, text: &str, cluster: &Value, operator: &Operator) -> Result<()> {
    let mut wrong = schema_of(operator, cluster).map(|schema| against(&schema, cluster)).unwrap_or_default();
    wrong.extend(restorable(cluster));
    let Some(first) = wrong.first() else { return Ok(()) };
    let lines = lines(text);
    let told =
        wrong.iter().map(|it| format!("{}:{}: {}", file.display(), line(&lines, &it.pointer), it.what));
    Err(Error::usage(told.collect::<Vec<_>>().join("\n"), first.fix.clone()))
}

/// The CRD's schema for the manifest's version, closed: what it does not declare is refused, as server-side
/// apply does.
fn schema_of(operator: &Operator, cluster: &Value) -> Option<Value> {
    let version = cluster["apiVersion"].as_str()?.rsplit_once('/')?.1;
    let of_clusters = |object: &&Value| {
        object["kind"] == "CustomResourceDefinition" && object["spec"]["names"]["kind"] == "PostgresCluster"
    };
    let crd = operator.objects.iter().find(of_clusters)?;
    let versions = crd["spec"]["versions"].as_array()?;
    let mut schema = versions.iter().find(|it| it["name"] == version)?["schema"]["openAPIV3Schema"].clone();
    close(&mut schema);
    // the API server knows what is in an object's metadata
    schema["properties"]["metadata"] = json!({ "type": "object" });
    Some(schema)
}

fn close(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            let open = object.get("x-kubernetes-preserve-unknown-fields") == Some(&json!(true));
            let is_object = object.get("type") == Some(&json!("object"));
            if is_object && object.get("properties").is_some_and(Value::is_object) && !open {
                object.entry("additionalProperties").or_insert(json!(false));
            }
            object.values_mut().for_each(close);
        }
        Value::Array(all) => all.iter_mut().for_each(close),
        _ => {}
    }
}

fn against(schema: &Value, cluster: &Value) -> Vec<Wrong> {
    // a schema that cannot be read says nothing: the cluster itself will
    let Ok(validator) = jsonschema::validator_for(schema) else { return Vec::new() };
    let wrong = |error: jsonschema::ValidationError<'_>| {
        let place = error.instance_path().as_str().to_owned();
        match error.kind() {
            ValidationErrorKind::AdditionalProperties { unexpected } => {
                let field = unexpected.first().cloned().unwrap_or_default();
                let what = format!("{}.{field} is not declared in the operator's CRD", dotted(&place));
                let fix = "look for the field's name in the CRD that is installed: `kubectl explain postgrescluster.spec`";
                Wrong::new(format!("{place}/{}", escaped(&field)), what, fix)
            }
            _ => {
                let what = format!("{}: {error}", dotted(&place));
                Wrong::new(place, what, "correct the value as the CRD asks")
            }
        }
    };
    validator.iter_errors(cluster).map(wrong).collect()
}

/// What a restore by the manifest's own data source would stumble over, and the cluster does not refuse.
fn restorable(cluster: &Value) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    let text = |pointer: String| cluster.pointer(&pointer).and_then(Value::as_str);
    for section in [PGBACKREST, SOURCE] {
        let pointer = format!("{section}/global/repo1-path");
        if let Some(path) = text(pointer.clone()).filter(|path| !path.starts_with('/')) {
            let what = format!("repo1-path is {path}, and must begin with /");
            wrong.push(Wrong::new(pointer, what, format!("write /{path}")));
        }
    }
    let Some(source) = cluster.pointer(SOURCE) else { return wrong };
    let backups = &cluster["spec"]["backups"]["pgbackrest"];
    let lists = |section: &Value| section["configuration"].as_array().is_some_and(|all| !all.is_empty());
    if lists(backups) && !lists(source) {
        let what = "dataSource.pgbackrest lists no configuration: the restore has no credentials (`[037] restore command requires option: repo1-s3-key`)";
        let fix = "list the Secret with the store's credentials under dataSource.pgbackrest.configuration too: the restore is handed nothing of spec.backups";
        wrong.push(Wrong::new(SOURCE, what, fix));
    }
    let repo1 = &backups["repos"][0];
    for (of, pointer, theirs, ours) in [
        (
            "repo1-path",
            "/global/repo1-path",
            &source["global"]["repo1-path"],
            &backups["global"]["repo1-path"],
        ),
        ("the bucket", "/repo/s3/bucket", &source["repo"]["s3"]["bucket"], &repo1["s3"]["bucket"]),
        ("the endpoint", "/repo/s3/endpoint", &source["repo"]["s3"]["endpoint"], &repo1["s3"]["endpoint"]),
    ] {
        if theirs != ours {
            let said = |value: &Value| value.as_str().unwrap_or("not said").to_owned();
            let what = format!("{of} is {} in dataSource, and {} in backups", said(theirs), said(ours));
            let fix =
                format!("restore from where the backups are: write {} in dataSource.pgbackrest", said(ours));
            wrong.push(Wrong::new(format!("{SOURCE}{pointer}"), what, fix));
        }
    }
    for (index, option) in source["options"].as_array().into_iter().flatten().enumerate() {
        let (pointer, option) = (format!("{SOURCE}/options/{index}"), option.as_str().unwrap_or_default());
        let words = || option.split([' ', '=']);
        if let Some(refused) = REFUSED.iter().find(|refused| words().any(|word| word == **refused)) {
            let what = format!("the operator refuses {refused}, and says so in an event alone");
            wrong.push(Wrong::new(pointer, what, "take the option out: the operator sets it"));
        } else if option.contains("--type") && words().any(|word| word == "immediate") {
            let what = "--type=immediate ends at the backup's end: every row in WAL alone is lost";
            wrong.push(Wrong::new(pointer, what, "take the option out to recover all that is archived"));
        }
    }
    wrong
}

fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// A JSON pointer as people write it: `spec.users[1].name`.
fn dotted(pointer: &str) -> String {
    let parts = pointer.split('/').skip(1).map(|part| match part.parse::<usize>() {
        Ok(index) => format!("[{index}]"),
        Err(_) => format!(".{}", part.replace("~1", "/").replace("~0", "~")),
    });
    parts.collect::<String>().trim_start_matches('.').to_owned()
}

/// The line of a part, or of the nearest one that holds it.
fn line(lines: &BTreeMap<String, usize>, pointer: &str) -> usize {
    let mut pointer = pointer;
    loop {
        match (lines.get(pointer), pointer.rsplit_once('/')) {
            (Some(line), _) => return *line,
            (None, Some((parent, _))) => pointer = parent,
            (None, None) => return 1,
        }
    }
}

enum Inside {
    Mapping { pointer: String, key: Option<String> },
    Sequence { pointer: String, next: usize },
}

/// Where each part of the PostgresCluster in a file of YAML documents stands, by JSON pointer.
fn lines(text: &str) -> BTreeMap<String, usize> {
    let (mut lines, mut inside, mut found) = (BTreeMap::new(), Vec::new(), false);
    for (event, span) in Parser::new_from_str(text).map_while(Result::ok) {
        match &event {
            Event::DocumentEnd if found => break,
            Event::DocumentEnd => lines.clear(),
            Event::MappingEnd | Event::SequenceEnd => {
                inside.pop();
            }
            Event::Scalar(key, ..) if matches!(inside.last(), Some(Inside::Mapping { key: None, .. })) => {
                let Some(Inside::Mapping { pointer, key: open }) = inside.last_mut() else { continue };
                lines.insert(format!("{pointer}/{}", escaped(key)), span.start.line());
                *open = Some(escaped(key));
            }
            Event::Scalar(..) | Event::Alias(_) | Event::MappingStart(..) | Event::SequenceStart(..) => {
                let pointer = match inside.last_mut() {
                    Some(Inside::Mapping { pointer, key }) => {
                        format!("{pointer}/{}", key.take().unwrap_or_default())
                    }
                    Some(Inside::Sequence { pointer, next }) => {
                        *next += 1;
                        let pointer = format!("{pointer}/{}", *next - 1);
                        lines.insert(pointer.clone(), span.start.line());
                        pointer
                    }
                    None => String::new(),
                };
                match event {
                    Event::MappingStart(..) => inside.push(Inside::Mapping { pointer, key: None }),
                    Event::SequenceStart(..) => inside.push(Inside::Sequence { pointer, next: 0 }),
                    Event::Scalar(value, ..) if pointer == "/kind" => found = value == "PostgresCluster",
                    _ => {}
                }
            }
            _ => {}
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    const CASTLE: &str = r#"apiVersion: v1
kind: ConfigMap
metadata: {name: first}
---
apiVersion: postgres-operator.crunchydata.com/v1beta1
kind: PostgresCluster
metadata:
  name: prod
spec:
  users:
  - name: app
  - name: tazlab_admin
  backups:
    pgbackrest:
      configuration:
      - secret: {name: creds}
      global:
        repo1-path: /prod
      repos:
      - name: repo1
        s3Credentials: creds
        s3: {bucket: prod, endpoint: s3.example, region: eu}
  dataSource:
    pgbackrest:
      global:
        repo1-path: prod
      options:
      - --type=immediate
      - --repo=1
      repo:
        name: repo1
        s3: {bucket: prod, endpoint: s3.example, region: eu}
"#;

    fn operator() -> Operator {
        let name = json!({ "type": "string", "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$" });
        let users = json!({ "type": "array", "items": { "type": "object", "properties": { "name": name } } });
        let repo = json!({ "type": "object", "properties": { "name": {}, "s3": {} } });
        let pgbackrest = json!({ "type": "object", "properties": {
            "configuration": {}, "global": { "type": "object", "additionalProperties": { "type": "string" } },
            "repos": { "type": "array", "items": repo } } });
        let backups = json!({ "type": "object", "properties": { "pgbackrest": pgbackrest } });
        let spec = json!({ "type": "object", "properties": { "users": users, "backups": backups, "dataSource": {} } });
        let root = json!({ "type": "object", "properties": { "apiVersion": {}, "kind": {}, "metadata": {}, "spec": spec } });
        let version = json!({ "name": "v1beta1", "schema": { "openAPIV3Schema": root } });
        let crd = json!({ "kind": "CustomResourceDefinition",
            "spec": { "names": { "kind": "PostgresCluster" }, "versions": [version] } });
        Operator { objects: vec![crd] }
    }

    fn checked(text: &str) -> Result<()> {
        let document = text.split("\n---\n").last().unwrap();
        let cluster = serde_saphyr::from_str(document).unwrap();
        check(Path::new("castle.yaml"), text, &cluster, &operator())
    }

    #[test]
    fn what_would_not_restore_is_told_with_its_line() {
        let said = checked(CASTLE).unwrap_err().to_string();
        let lines: Vec<_> = said.lines().collect();
        let found = |line: usize, what: &str| {
            let head = format!("castle.yaml:{line}: ");
            assert!(
                lines.iter().any(|said| said.starts_with(&head) && said.contains(what)),
                "{line} {what}: {said}"
            );
        };
        found(12, "spec.users[1].name");
        found(21, "spec.backups.pgbackrest.repos[0].s3Credentials is not declared");
        found(24, "lists no configuration");
        found(26, "must begin with /");
        found(26, "repo1-path is prod in dataSource, and /prod in backups");
        found(28, "every row in WAL alone is lost");
        found(29, "refuses --repo");
        assert_eq!(lines.len(), 7, "{said}");
    }

    #[test]
    fn a_manifest_that_would_restore_is_silent() {
        let good = CASTLE
            .replace("tazlab_admin", "tazlab-admin")
            .replace("        s3Credentials: creds\n", "")
            .replace("repo1-path: prod", "repo1-path: /prod")
            .replace("      - --type=immediate\n      - --repo=1\n", "      - --type=default\n")
            .replace("    pgbackrest:\n      global:\n        repo1-path: /prod\n      options", "    pgbackrest:\n      configuration: [{secret: {name: creds}}]\n      global:\n        repo1-path: /prod\n      options");
        checked(&good).unwrap();
    }
}
