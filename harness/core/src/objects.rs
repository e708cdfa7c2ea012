//! What stands around the rows: databases, roles, extensions, tables and sequences. They are in the WAL as
//! the rows are, so they must come back with them.

use crate::{Commit, Entry, Lsn, Promise, ledger};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt};

/// What something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ObjectKind {
    /// A database of the cluster.
    Database,
    /// A role of the cluster.
    Role,
    /// An extension of the database.
    Extension,
    /// A table of the database.
    Table,
    /// A sequence of the database that is logged in the WAL.
    Sequence,
}

impl fmt::Display for ObjectKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Database => "database",
            Self::Role => "role",
            Self::Extension => "extension",
            Self::Table => "table",
            Self::Sequence => "sequence",
        })
    }
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Object {
    /// What it is.
    pub kind: ObjectKind,
    /// Its name, within its schema if it has one.
    pub name: String,
    /// The last value of a sequence, in the direction in which it counts; absent if it gave none yet, may begin
    /// again, or if the one who asks may not see it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<i64>,
}

/// What was there before the last fire and is not now, or went back, one sentence each. What was looked at
/// after the promised position may be gone.
pub(crate) fn missing(entries: &[Entry], promise: &Promise) -> Vec<String> {
    let Some(disaster) = ledger::last_disaster(entries) else { return Vec::new() };
    let burned = ledger::burned_life(entries);
    let promised = |lsn: Lsn, life: u32| {
        life != burned || promise.covers(Commit { xid: crate::Xid(0), lsn_before: lsn, lsn_after: lsn })
    };
    let before =
        entries[..disaster].iter().rev().filter_map(seen).find(|(_, lsn, life)| promised(*lsn, *life));
    let after = ledger::since_turn(entries).iter().rev().find_map(seen);
    match (before, after) {
        (Some((before, ..)), Some((after, ..))) => compare(before, after),
        _ => Vec::new(),
    }
}

fn seen(entry: &Entry) -> Option<(&[Object], Lsn, u32)> {
    match entry {
        Entry::Objects { objects, lsn, life, .. } => Some((objects, *lsn, *life)),
        _ => None,
    }
}

fn compare(before: &[Object], after: &[Object]) -> Vec<String> {
    let after: BTreeMap<_, _> =
        after.iter().map(|object| ((object.kind, object.name.as_str()), object.value)).collect();
    let lost = |Object { kind, name, value }: &Object| match (after.get(&(*kind, name.as_str())), value) {
        (None, _) => Some(format!("{kind} {name} is gone")),
        (Some(Some(is)), Some(was)) if is < was => {
            Some(format!("{kind} {name} went back from {was} to {is}"))
        }
        (Some(None), Some(was)) => Some(format!("{kind} {name} went back from {was} to its beginning")),
        (Some(_), _) => None,
    };
    before.iter().filter_map(lost).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Moment, Timeline};

    const AT: Moment = Moment(1);

    fn object(kind: ObjectKind, name: &str, value: Option<i64>) -> Object {
        Object { kind, name: name.into(), value }
    }
    fn whole() -> Vec<Object> {
        vec![
            object(ObjectKind::Database, "castle", None),
            object(ObjectKind::Role, "reader", None),
            object(ObjectKind::Extension, "pgcrypto", None),
            object(ObjectKind::Table, "public.memories", None),
            object(ObjectKind::Sequence, "public.memories_id_seq", Some(203)),
        ]
    }
    fn looked_at(objects: Vec<Object>, lsn: u64, life: u32) -> Entry {
        Entry::Objects { objects, lsn: Lsn(lsn), life, at: AT }
    }
    fn fire() -> [Entry; 2] {
        [Entry::Disaster { at: AT }, Entry::Rebirth { timeline: Timeline(2), at: AT }]
    }
    fn after(before: Entry, after: Vec<Object>, promise: Promise) -> Vec<String> {
        let [disaster, rebirth] = fire();
        missing(&[before, disaster, rebirth, looked_at(after, 0, 1)], &promise)
    }

    #[test]
    fn whatever_does_not_come_back_is_named() {
        for (gone, object) in whole().into_iter().enumerate() {
            let mut rest = whole();
            rest.remove(gone);
            let expected = format!("{} {} is gone", object.kind, object.name);
            assert_eq!(after(looked_at(whole(), 9, 0), rest, Promise::EveryAcknowledgedRow), [expected]);
        }
        assert!(after(looked_at(whole(), 9, 0), whole(), Promise::EveryAcknowledgedRow).is_empty());
    }

    #[test]
    fn a_sequence_may_skip_values_and_not_go_back() {
        let with = |value| {
            let mut objects = whole();
            objects[4].value = value;
            after(looked_at(whole(), 9, 0), objects, Promise::EveryAcknowledgedRow)
        };
        assert!(with(Some(203)).is_empty() && with(Some(235)).is_empty());
        assert_eq!(with(Some(202)), ["sequence public.memories_id_seq went back from 203 to 202"]);
        assert_eq!(with(None), ["sequence public.memories_id_seq went back from 203 to its beginning"]);
    }

    #[test]
    fn what_was_seen_after_the_target_is_not_promised() {
        let until = |lsn| Promise::RowsUntil { lsn: Lsn(lsn) };
        assert_eq!(after(looked_at(whole(), 9, 0), Vec::new(), until(9)).len(), 5);
        assert!(after(looked_at(whole(), 9, 0), Vec::new(), until(8)).is_empty());
        let [disaster, rebirth] = fire();
        let lines = [
            looked_at(whole(), 5, 0),
            looked_at(whole()[..1].to_vec(), 9, 0),
            disaster,
            rebirth,
            looked_at(Vec::new(), 0, 1),
        ];
        assert_eq!(missing(&lines, &until(8)).len(), 5, "what was seen before it is");
        assert_eq!(missing(&lines, &until(9)).len(), 1, "what was dropped meanwhile is not");
    }

    #[test]
    fn an_earlier_life_is_promised_whole_and_nothing_is_known_of_a_castle_nobody_asked() {
        let [disaster, rebirth] = fire();
        let two = |last: Vec<Entry>| {
            let mut lines =
                vec![looked_at(whole(), 99, 0), disaster.clone(), rebirth.clone(), disaster.clone()];
            lines.extend(last);
            missing(&lines, &Promise::RowsUntil { lsn: Lsn(5) })
        };
        assert_eq!(two(vec![rebirth.clone(), looked_at(Vec::new(), 0, 2)]).len(), 5);
        assert!(two(vec![rebirth.clone()]).is_empty());
        assert!(two(Vec::new()).is_empty());
        assert!(missing(&[looked_at(whole(), 9, 0)], &Promise::EveryAcknowledgedRow).is_empty());
    }
}
