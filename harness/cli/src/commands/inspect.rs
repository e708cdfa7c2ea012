//! `phoenix inspect`: to where a repository can be restored, before anything burns.
#![expect(clippy::print_stdout, reason = "this is the program's edge")]

use super::failed;
use crate::arguments::InspectArguments;
use miette::{IntoDiagnostic, Result};
use phoenix_core::{Secret, SegmentSize};
use phoenix_drill::{Error, ledger};
use phoenix_inspection::{
    Bucket, Contents, Directory, Inspection, Options, ReadError, Reference, Source, table,
};
use phoenix_store::{Credentials, Inspector, Target};
use std::path::Path;

/// Inspects a repository, shows it, and gives the exit status.
pub(super) async fn inspect(asked: &InspectArguments) -> Result<u8> {
    let inspection = match inspected(asked).await {
        Ok(inspection) => inspection,
        Err(error) => return Ok(failed(&error)),
    };
    if asked.json {
        println!("{}", serde_json::to_string_pretty(&inspection).into_diagnostic()?);
    } else {
        print!("{}", table::render(&inspection));
    }
    Ok(inspection.exit_status())
}

async fn inspected(asked: &InspectArguments) -> phoenix_drill::Result<Inspection> {
    let reference = asked.reference.as_deref().map(reference).transpose()?;
    let segment_size = asked.segment_size.map(SegmentSize::new).transpose().map_err(|error| {
        Error::usage(error.to_string(), "leave --segment-size out: a backup or a segment tells it")
    })?;
    let passphrase = std::env::var(&asked.passphrase_variable).ok().map(Secret::new);
    let options = Options { stanza: asked.stanza.clone(), segment_size, passphrase };
    let contents = if asked.checksums { Contents::Verified } else { Contents::Believed };
    let source = source(asked)?;
    let inspection = phoenix_inspection::inspect(&*source, &options, contents, reference.as_ref()).await;
    let inspection = inspection.map_err(|error| unread(error, asked))?;
    if reference.is_some() && inspection.stanzas.len() > 1 {
        let names: Vec<_> = inspection.stanzas.iter().map(|stanza| stanza.name.as_str()).collect();
        let what = "a reference is held against one stanza, and the repository has several";
        return Err(Error::usage(what, format!("choose with --stanza one of {}", names.join(", "))));
    }
    Ok(inspection)
}

/// A ledger's file, or else an LSN or a segment's name.
fn reference(text: &str) -> phoenix_drill::Result<Reference> {
    let path = Path::new(text);
    if path.is_file() {
        let entries = ledger::read(path)?;
        return Reference::ledger(&entries).map_err(|error| {
            Error::usage(error.to_string(), "give the ledger.jsonl of one drill, as it wrote it")
        });
    }
    Reference::parse(text).map_err(|error| {
        let advice = "give an LSN, a segment's name, or the path of a ledger.jsonl that is there";
        Error::usage(error.to_string(), advice)
    })
}

fn source(asked: &InspectArguments) -> phoenix_drill::Result<Box<dyn Source>> {
    if !asked.repository.contains("://") {
        return Ok(Box::new(Directory::new(&asked.repository)));
    }
    let bucket: Bucket =
        asked.repository.parse().map_err(|error: phoenix_inspection::source::NotABucket| {
            Error::usage(
                error.to_string(),
                "give a directory, or s3://BUCKET/PATH, where PATH is its repo1-path",
            )
        })?;
    let variable = |name: &str| {
        std::env::var(name).map_err(|_| {
            let advice =
                "export it, or name the variable that holds it: --access-key-variable, --secret-key-variable";
            Error::usage(
                format!("the environment variable {name} is not set, and the store's key is taken from it"),
                advice,
            )
        })
    };
    let credentials = Credentials {
        access_key: variable(&asked.access_key_variable)?,
        secret_key: Secret::new(variable(&asked.secret_key_variable)?),
    };
    let host = asked.endpoint.clone().unwrap_or_else(|| format!("s3.{}.amazonaws.com", asked.region));
    let endpoint = if host.contains("://") { host } else { format!("https://{host}") };
    let (region, ca_file) = (asked.region.clone(), asked.ca_file.clone());
    let target = Target { endpoint, region, bucket: bucket.bucket.clone(), credentials, ca_file };
    let inspector = Inspector::new(target).map_err(|error| {
        Error::usage(phoenix_drill::error::chain(&error), "check --ca-file and --endpoint")
    })?;
    Ok(Box::new(bucket.through(inspector)))
}

/// What to do where nothing could be read.
fn unread(error: ReadError, asked: &InspectArguments) -> Error {
    let what = phoenix_drill::error::chain(&error);
    match error {
        ReadError::NoStanza { stanzas, .. } => {
            Error::usage(what, format!("there are {}", stanzas.join(", ")))
        }
        ReadError::NoRepository { folders, .. } if folders.is_empty() => {
            Error::missing(what, "give what repo1-path is set to; nothing is there at all")
        }
        ReadError::NoRepository { folders, .. } => {
            let advice = format!("give what repo1-path is set to; there are folders {}", folders.join(", "));
            Error::missing(what, advice)
        }
        ReadError::Source(_) if asked.repository.contains("://") => Error::missing(
            what,
            "check --endpoint, --region, --ca-file, the bucket and the keys: they must be allowed to list and to read",
        ),
        ReadError::Source(_) => {
            Error::missing(what, "run it as a user who may read the directory, such as postgres")
        }
    }
}
