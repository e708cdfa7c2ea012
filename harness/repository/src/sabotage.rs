//! Defects, planted in any castle that pgBackRest itself backs up and restores: in the objects of its
//! repository, in what the store answers, in the configuration of its rebirth, and by scripts in its place.

use crate::{Ground, Vault, alterations::Errand, objects, victim::must};
use phoenix_core::defect::{Act, Marks, Misdeed, Request, SILENCE, Setting, StoreFault};
use phoenix_drill::{Doing, Error, Result};
use phoenix_store::{
    AnswerFault, Effect, Fault, Faults, Inspector, KeyMatch, Operation, StorageFault, WireFault,
};
use std::{collections::BTreeMap, time::Duration};

/// Does what a defect wants, and gives evidence. `faults` are those of the store, if it has any.
pub async fn sabotage(
    ground: &dyn Ground,
    faults: Option<Faults>,
    act: &Act,
    marks: &Marks,
) -> Result<Vec<String>> {
    let vault = ground.vault();
    let (act, path) = match act {
        Act::InSecond(act) => (&**act, vault.second()?),
        act => (act, vault.prefix().to_owned()),
    };
    let keys = |object| objects::keys(vault, &path, object, marks);
    let evidence = match act {
        Act::Delete(object) => alter(vault, keys(*object).await?, "deleted", Alteration::Delete).await?,
        Act::Flip(object) => {
            alter(vault, keys(*object).await?, "flipped a byte of", Alteration::Flip).await?
        }
        Act::FlipEarly(object) => {
            alter(vault, keys(*object).await?, "flipped an early byte of", Alteration::FlipEarly).await?
        }
        Act::Truncate(object) => {
            alter(vault, keys(*object).await?, "cut in half", Alteration::Truncate).await?
        }
        Act::Empty(object) => alter(vault, keys(*object).await?, "emptied", Alteration::Empty).await?,
        Act::Fault(fault) => arm(vault, faults, fault, objects::matches(vault, &path, fault, marks).await?)?,
        Act::InSecond(_) => return Err(Error::Demand("there is one second repository".into())),
        Act::Configure(options) => {
            vault.alterations.configure(filled(ground, options, marks).await?);
            vec![format!("pgbackrest.conf of the rebirth: {options:?}")]
        }
        Act::Restore(options) => {
            vault.alterations.restore(filled(ground, options, marks).await?);
            vec![format!("restore with {options:?}")]
        }
        Act::Sql(statement) => {
            let (psql, socket) = (format!("{}/psql", ground.postgres_bin().await?), ground.socket());
            let statement = fill(ground, statement, marks).await?;
            let options = ["-X", "-v", "ON_ERROR_STOP=1", "-h", &socket, "-U", "postgres", "-d", "postgres"];
            let argv = [&[&psql[..]], &options[..], &["-c", &statement]].concat();
            let argv: Vec<_> = argv.into_iter().map(str::to_owned).collect();
            let said = must(ground, "planted SQL", &argv).await?;
            vec![format!("{statement}: {}", said.split_whitespace().collect::<Vec<_>>().join(" "))]
        }
        Act::Script(script) => {
            let said = must(ground, "planted script", &shell(&fill(ground, script, marks).await?)).await?;
            vec![format!("a script: {}", said.lines().last().unwrap_or("done"))]
        }
        Act::Place(script) => {
            vault.alterations.errand(Errand::Before(shell(&fill(ground, script, marks).await?)));
            vec!["before the restore, a script".to_owned()]
        }
        Act::Beside(script) => {
            vault.alterations.errand(Errand::Beside(shell(&fill(ground, script, marks).await?)));
            vec!["beside the restore, a script".to_owned()]
        }
    };
    evidence.iter().for_each(|line| vault.alterations.note(line.clone()));
    Ok(evidence)
}

fn shell(script: &str) -> Vec<String> {
    ["sh", "-euc", script].map(str::to_owned).into()
}

/// Makes the store answer as it should; gives the faults that were armed and never happened.
pub fn heal(faults: &Faults) -> Vec<String> {
    faults.disarm_all();
    faults.unfired().into_iter().map(|fault| fault.label).collect()
}

/// Puts what is known of the drill in the place of names between braces. Between the fire and the rebirth
/// nobody can be asked where PostgreSQL's programs are, so that only a text with `{bin}` asks.
async fn fill(ground: &dyn Ground, text: &str, marks: &Marks) -> Result<String> {
    let (vault, size) = (ground.vault(), marks.size);
    let bin = if text.contains("{bin}") { ground.postgres_bin().await? } else { String::new() };
    let port = if text.contains("{port}") { vault.alterations.port()? } else { 0 };
    let known: [(&str, &dyn Fn() -> String); 12] = [
        ("{path}", &|| vault.store.path.clone()),
        ("{bin}", &|| bin.clone()),
        ("{port}", &|| port.to_string()),
        ("{data}", &|| ground.data()),
        ("{socket}", &|| ground.socket()),
        ("{work}", &|| ground.work()),
        ("{pgbackrest}", &|| ground.pgbackrest().shell_prefix()),
        ("{backup}", &|| marks.backup.label.clone()),
        ("{first}", &|| marks.first_segment().name(size)),
        ("{middle}", &|| marks.middle_segment().name(size)),
        ("{last}", &|| marks.last_segment().name(size)),
        ("{tail-lsn}", &|| marks.tail.to_string()),
    ];
    Ok(known.iter().fold(text.to_owned(), |text, (name, value)| match text.contains(name) {
        true => text.replace(name, &value()),
        false => text,
    }))
}

/// The same in each option.
async fn filled(
    ground: &dyn Ground,
    options: &BTreeMap<String, Setting>,
    marks: &Marks,
) -> Result<BTreeMap<String, Setting>> {
    let mut filled = BTreeMap::new();
    for (name, setting) in options {
        let setting = match setting {
            Setting::Value(value) => Setting::Value(fill(ground, value, marks).await?),
            setting => setting.clone(),
        };
        filled.insert(name.clone(), setting);
    }
    Ok(filled)
}

enum Alteration {
    Delete,
    Flip,
    FlipEarly,
    Truncate,
    Empty,
}

/// Alters what the store holds, and looks whether it is altered.
async fn alter(vault: &Vault, keys: Vec<String>, verb: &str, alteration: Alteration) -> Result<Vec<String>> {
    let inspector = vault.inspector()?;
    let mut evidence = Vec::new();
    for key in keys {
        let doing = || format!("planting a defect in {key}");
        let before = inspector.get(&key).await.doing(doing())?;
        let altered = match alteration {
            Alteration::Delete => None,
            Alteration::Flip => Some(flipped(&before, before.len() / 2)),
            // past the first page, in what rows fill
            Alteration::FlipEarly => Some(flipped(&before, 20_000.min(before.len() / 2))),
            Alteration::Truncate => Some(before[..before.len() / 2].to_vec()),
            Alteration::Empty => Some(Vec::new()),
        };
        match &altered {
            None => inspector.delete(&key).await.doing(doing())?,
            Some(bytes) => inspector.put(&key, bytes.clone()).await.doing(doing())?,
        }
        proven(&inspector, &key, &before, altered.as_deref()).await?;
        evidence.push(format!("{verb} {key}"));
    }
    Ok(evidence)
}

fn flipped(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 0xFF;
    }
    bytes
}

/// The store now holds this and no longer that.
async fn proven(inspector: &Inspector, key: &str, before: &[u8], altered: Option<&[u8]>) -> Result<()> {
    let held = inspector.get(key).await.ok();
    if held.as_deref() == altered && altered != Some(before) {
        return Ok(());
    }
    Err(Error::Demand(format!("{key} is altered, and it is not")))
}

/// Arms a fault of the store for these requests.
fn arm(
    vault: &Vault,
    faults: Option<Faults>,
    fault: &StoreFault,
    matches: Vec<KeyMatch>,
) -> Result<Vec<String>> {
    let faults = faults.ok_or_else(|| {
        Error::usage(
            "this store does not fail on command",
            "leave the store out of castle.toml: the drill's own does",
        )
    })?;
    let (effect, operation) = match fault.misdeed {
        // what is not there is not listed either
        Misdeed::Lost => (StorageFault::Lost.into(), Operation::Any),
        misdeed => (effect(misdeed), operation(fault.request)),
    };
    let mut evidence = Vec::new();
    for key in matches {
        let shown = match &key {
            KeyMatch::Exact(key) | KeyMatch::Prefix(key) => key.clone(),
            other => format!("{other:?}"),
        };
        let label = format!("{:?} on {:?} ({})", fault.misdeed, fault.on, vault.alterations.next_fault());
        let mut armed = Fault::new(label.clone(), effect).on_keys(key).on(operation);
        armed.occurrences.times = fault.times;
        faults.arm(armed).doing("arming a fault of the store")?;
        evidence.push(format!("armed: {label}: {shown}"));
    }
    Ok(evidence)
}

fn effect(misdeed: Misdeed) -> Effect {
    match misdeed {
        Misdeed::Denied => AnswerFault::AccessDenied.into(),
        Misdeed::NotFound => AnswerFault::NoSuchKey.into(),
        Misdeed::SlowDown => AnswerFault::SlowDown.into(),
        Misdeed::Silent => AnswerFault::Delay { delay: SILENCE }.into(),
        Misdeed::Late => AnswerFault::Delay { delay: Duration::from_secs(1) }.into(),
        Misdeed::Reset => WireFault::Reset { moment: phoenix_store::ResetMoment::BeforeHandling }.into(),
        Misdeed::Truncated => WireFault::Truncate { after_bytes: 100 }.into(),
        Misdeed::Flipped => WireFault::FlipBit { at_byte: 100, bit: 3 }.into(),
        Misdeed::Lost => StorageFault::Lost.into(),
        Misdeed::Empty => StorageFault::Empty.into(),
    }
}

fn operation(request: Request) -> Operation {
    match request {
        Request::Get => Operation::Get,
        Request::Put => Operation::Write,
        Request::List => Operation::List,
    }
}
