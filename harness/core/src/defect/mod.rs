//! Defects, as data: what is planted, when, and how a drill with it must end. Whoever plants them is an
//! environment; whoever judges knows nothing of them.

mod marks;
mod setting;

pub use marks::Marks;
pub use setting::Setting;

use crate::{Fault, Verdict};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::Duration};

/// One way in which rows vanish, a castle does not come back, or all seems so and is well.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Defect {
    /// Its name within its family: `middle-segment-deleted`.
    pub name: String,
    /// What is wrong, as a sentence that goes on "…".
    pub about: String,
    /// Rows in the newest segment.
    #[serde(default = "one")]
    pub tail: u64,
    /// What becomes of the newest segment before the fire.
    #[serde(default)]
    pub archiving: Archiving,
    /// Whether the repository is encrypted.
    #[serde(default)]
    pub encrypted: Choice,
    /// Whether the store holds a second repository of the castle's, into which everything goes, too.
    #[serde(default)]
    pub second_repository: Choice,
    /// How many lives burn, where there are several.
    #[serde(default = "two")]
    pub lives: u32,
    /// In which of its lives the segments lie that are meant, from 1 on; in the last, if absent.
    #[serde(default)]
    pub life: Option<u32>,
    /// Planted once the castle is born and backed up, before any row is written.
    #[serde(default)]
    pub born: Vec<Act>,
    /// Planted when all but the rows of the newest segment are written and archived.
    #[serde(default)]
    pub writing: Vec<Act>,
    /// Planted when everything is written and archived.
    #[serde(default)]
    pub before_fire: Vec<Act>,
    /// Planted between the wipe and the rebirth.
    #[serde(default)]
    pub after_fire: Vec<Act>,
    /// Planted in the castle that came back.
    #[serde(default)]
    pub reborn: Vec<Act>,
    /// Scripts that succeed only if what was planted really happened, for what nothing else tells.
    #[serde(default)]
    pub proof: Vec<Act>,
    /// What log lines that it explains contain.
    #[serde(default)]
    pub announce: Vec<String>,
    /// How a recovery to the end of WAL ends.
    pub latest: Ending,
    /// How a sealed recovery ends; absent where the defect is in what recovery is asked for.
    pub sealed: Option<Ending>,
}

fn one() -> u64 {
    1
}

fn two() -> u32 {
    2
}

/// Yes or no.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Choice {
    /// No.
    #[default]
    No,
    /// Yes.
    Yes,
}

/// What becomes of the newest segment before the fire.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Archiving {
    /// The WAL is switched, and the fire waits until the store holds every segment.
    #[default]
    Awaited,
    /// The WAL is switched, and the fire waits until PostgreSQL has tried to archive the segment.
    Tried,
    /// The WAL is not switched.
    None,
}

/// How a drill with a defect must end.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Ending {
    /// The verdict.
    pub verdict: Outcome,
    /// Which acknowledged rows are lost, exactly; of a castle that is not reborn sealed, those that a naive
    /// rebirth does not bring back.
    #[serde(default)]
    pub lost: Lost,
    /// The code of the finding that says why.
    #[serde(default)]
    pub finding: Option<String>,
}

impl Ending {
    /// The verdict.
    pub fn verdict(&self) -> Verdict {
        match self.verdict {
            Outcome::Valid => Verdict::Valid,
            Outcome::Loss => Verdict::invalid(Fault::Loss),
            Outcome::NotReborn => Verdict::invalid(Fault::NotReborn),
            Outcome::Corrupt => Verdict::invalid(Fault::Corrupt),
        }
    }
}

/// A verdict, as a catalogue names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Every promised row came back.
    Valid,
    /// Rows are lost.
    Loss,
    /// Nothing came back, or another cluster.
    NotReborn,
    /// Rows are changed, were never written, or are missing in the middle.
    Corrupt,
}

/// Which acknowledged rows are lost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lost {
    /// None.
    #[default]
    Nothing,
    /// Those of the newest segment.
    Tail,
    /// A suffix that begins somewhere in the newest segment.
    WithinTail,
    /// Those of the middle segment and all after it.
    FromMiddle,
    /// A suffix that begins somewhere in the middle segment.
    WithinMiddle,
    /// All.
    Everything,
    /// Those of the life in which the defect is, and of all after it.
    FromLife,
    /// One row, by hand.
    One,
    /// Nobody reads a row: nothing came back that could be asked.
    Unread,
}

impl Lost {
    /// In words, for tables.
    pub fn words(self) -> &'static str {
        match self {
            Self::Nothing => "none",
            Self::Tail => "the newest segment's",
            Self::WithinTail => "the last of the newest segment's",
            Self::FromMiddle => "from the middle segment on",
            Self::WithinMiddle => "from within the middle segment on",
            Self::Everything => "all",
            Self::FromLife => "from that life on",
            Self::One => "one",
            Self::Unread => "nobody can ask",
        }
    }
}

/// Something in the repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Object {
    /// The segment that holds the first row after the backup.
    FirstSegment,
    /// The segment halfway between the first and the newest.
    MiddleSegment,
    /// The newest segment, with the tail.
    LastSegment,
    /// The segments that the backup needs.
    BackupSegments,
    /// Everything in the archive.
    Archive,
    /// The history file of the life's timeline.
    History,
    /// Both copies of `archive.info`.
    ArchiveInfo,
    /// The first copy of `archive.info`.
    ArchiveInfoMain,
    /// Both copies of `backup.info`.
    BackupInfo,
    /// The first copy of `backup.info`.
    BackupInfoMain,
    /// Both copies of the backup's manifest.
    Manifest,
    /// The first copy of the backup's manifest.
    ManifestMain,
    /// The largest file of the backup's data.
    BackupFile,
    /// Every file of the backup.
    Backup,
}

/// What a store does in place of answering as it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Misdeed {
    /// 403.
    Denied,
    /// 404.
    NotFound,
    /// 503.
    SlowDown,
    /// A TCP reset.
    Reset,
    /// Half of the body, then the end of the connection.
    Truncated,
    /// One bit of the body is another.
    Flipped,
    /// Neither found nor listed.
    Lost,
    /// No bytes; a listing finds nothing.
    Empty,
    /// The right answer, after so long that nobody waits for it.
    Silent,
    /// The right answer, after a second.
    Late,
}

/// A fault of the store, armed until the castle is back or is seen not to come.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct StoreFault {
    /// For requests about this.
    pub on: Object,
    /// What the store does.
    pub misdeed: Misdeed,
    /// Which requests it is for.
    #[serde(default)]
    pub request: Request,
    /// How often; for ever, if absent.
    #[serde(default)]
    pub times: Option<u64>,
}

/// What a request does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Request {
    /// Reads an object.
    #[default]
    Get,
    /// Writes an object.
    Put,
    /// Lists keys.
    List,
}

/// One thing that is done on purpose. In texts, names between braces stand for what is known of the drill:
/// `{bin}`, `{path}`, `{data}`, `{socket}`, `{work}`, `{port}`, `{pgbackrest}`, `{backup}`, `{first}`, `{middle}`,
/// `{last}`, `{tail-lsn}`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// Deletes from the store.
    Delete(Object),
    /// Alters one byte of what the store holds.
    Flip(Object),
    /// Alters one byte near the beginning of what the store holds.
    FlipEarly(Object),
    /// Cuts off half of what the store holds.
    Truncate(Object),
    /// Leaves nothing of what the store holds but its name.
    Empty(Object),
    /// Makes the store misbehave.
    Fault(StoreFault),
    /// Does one of these to the second repository.
    InSecond(Box<Act>),
    /// Gives pgBackRest these options in the configuration of the rebirth.
    Configure(BTreeMap<String, Setting>),
    /// Restores with these options, each in the place of one of the same name.
    Restore(BTreeMap<String, Setting>),
    /// Runs SQL as the superuser.
    Sql(String),
    /// Runs a script of shell in the victim's place.
    Script(String),
    /// Runs a script of shell where the castle is to be restored, before it is.
    Place(String),
    /// The same, and nobody waits for it: it runs on while the castle is restored.
    Beside(String),
}

impl Act {
    /// Whether it makes the store misbehave, in whichever repository.
    pub fn is_fault(&self) -> bool {
        match self {
            Self::Fault(_) => true,
            Self::InSecond(act) => act.is_fault(),
            _ => false,
        }
    }
}

/// How long a store is silent: longer than anybody waits.
pub const SILENCE: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_is_what_the_catalogue_says() {
        let ending = |verdict| Ending { verdict, lost: Lost::Nothing, finding: None }.verdict();
        assert_eq!(ending(Outcome::Valid), Verdict::Valid);
        assert_eq!(ending(Outcome::Loss), Verdict::invalid(Fault::Loss));
        assert_eq!(ending(Outcome::NotReborn), Verdict::invalid(Fault::NotReborn));
        assert_eq!(ending(Outcome::Corrupt), Verdict::invalid(Fault::Corrupt));
    }

    #[test]
    fn a_misspelt_defect_is_refused() {
        let parse = |text: &str| serde_json::from_str::<Defect>(text);
        let whole = r#"{"name": "n", "about": "a", "latest": {"verdict": "loss", "lost": "tail"},
            "after-fire": [{"delete": "last-segment"}, {"fault": {"on": "archive", "misdeed": "denied"}}]}"#;
        let defect = parse(whole).unwrap();
        assert_eq!((defect.tail, defect.after_fire.len(), defect.sealed), (1, 2, None));
        for (right, wrong) in [
            ("after-fire", "after-fir"),
            ("last-segment", "lost-segment"),
            ("misdeed", "deed"),
            ("\"tail\"", "\"tale\""),
        ] {
            assert!(parse(&whole.replacen(right, wrong, 1)).is_err(), "{wrong}");
        }
    }
}
