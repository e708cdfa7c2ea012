//! What a fault did, as the evidence says it.

use super::plan::{AnswerFault, ResetMoment, StorageFault, WireFault};

/// Says in the evidence what was done.
pub(super) trait Describe {
    /// What was done, in a few words.
    fn describe(&self) -> String;
}

impl Describe for AnswerFault {
    fn describe(&self) -> String {
        match self {
            Self::AccessDenied => "answered 403 AccessDenied".to_owned(),
            Self::NoSuchKey => "answered 404 NoSuchKey".to_owned(),
            Self::SlowDown => "answered 503 SlowDown".to_owned(),
            Self::Delay { delay } => format!("held for {} ms", delay.as_millis()),
        }
    }
}

impl Describe for WireFault {
    fn describe(&self) -> String {
        match self {
            Self::Truncate { after_bytes } => format!("ended after {after_bytes} bytes of the body"),
            Self::FlipBit { at_byte, bit } => format!("flipped bit {} of byte {at_byte}", bit % 8),
            Self::Reset { moment } => match moment {
                ResetMoment::BeforeHandling => "reset, not carried out".to_owned(),
                ResetMoment::AfterHandling => "reset, though carried out".to_owned(),
            },
        }
    }
}

impl Describe for StorageFault {
    fn describe(&self) -> String {
        match self {
            Self::Lost => "not there",
            Self::Old => "the version before",
            Self::Empty => "empty",
        }
        .to_owned()
    }
}
