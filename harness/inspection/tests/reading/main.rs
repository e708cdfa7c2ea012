//! Reading a repository: one that changes meanwhile, one that refuses, and one that is listed in several pages.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod contents;
mod moving;
mod pages;
mod written;

use phoenix_core::SegmentSize;
use phoenix_inspection::{Contents, Inspection, Options, Source, inspect, inspection::Severity};

pub(crate) const SIZE: SegmentSize = SegmentSize::MIN;

pub(crate) async fn look(source: &dyn Source) -> Inspection {
    inspect(source, &Options::default(), Contents::Believed, None).await.unwrap()
}

pub(crate) fn harm(inspection: &Inspection) -> Vec<&str> {
    let harm = inspection.remarks.iter().filter(|remark| remark.severity == Severity::Harm);
    harm.map(|remark| remark.finding.sentence.as_str()).collect()
}
