//! `phoenix inspect`: to where a repository can be restored, before anything burns.
#![expect(clippy::print_stdout, reason = "this is the program's edge")]

mod place;

use super::failed;
use crate::{
    arguments::{ChecksumsName, InspectArguments},
    castle_file::Castle,
};
use miette::{IntoDiagnostic, Result};
use phoenix_core::{Secret, SegmentSize};
use phoenix_drill::{Error, ledger};
use phoenix_inspection::{Contents, Inspection, Options, Reference, table};
use place::Place;
use std::path::Path;

/// Inspects a repository, shows it, and gives the exit status.
pub(super) async fn inspect(castle: &Castle, asked: &InspectArguments) -> Result<u8> {
    let inspection = match inspected(castle, asked).await {
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

async fn inspected(castle: &Castle, asked: &InspectArguments) -> phoenix_drill::Result<Inspection> {
    let reference = asked.reference.as_deref().map(reference).transpose()?;
    let segment_size = asked.segment_size.map(SegmentSize::new).transpose().map_err(|error| {
        Error::usage(error.to_string(), "leave --segment-size out: a backup or a segment tells it")
    })?;
    let passphrase = std::env::var(&asked.passphrase_variable).ok().map(Secret::new);
    let (stanza, retention) = (asked.stanza.clone(), asked.retention_archive);
    let options = Options { stanza, segment_size, retention, passphrase };
    let contents = match asked.checksums {
        None => Contents::Believed,
        Some(ChecksumsName::Wal) => Contents::Segments,
        Some(ChecksumsName::All) => Contents::Everything,
    };
    let place = Place::of(asked, castle)?;
    let source = place.source()?;
    let inspection = phoenix_inspection::inspect(&*source, &options, contents, reference.as_ref()).await;
    let inspection = inspection.map_err(|error| place.unread(error))?;
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
