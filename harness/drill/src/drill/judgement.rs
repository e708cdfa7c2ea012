//! The account, the verdict, and where each row came back from.

use super::Drill;
use crate::{Castle, Doing, Loss, Result};
use phoenix_core::{
    Account, Certainty, Commit, Entry, Fault, Finding, Lsn, Promise, Provenance, RowId, Verdict, Xid, layers,
    ledger::{self, Outcome},
    report::{BackupRecord, ProvenanceCount},
    rpo, verdict,
    words::grouped,
};
use std::collections::BTreeMap;

impl Drill {
    /// Reads every row of this run and holds the account against the promise.
    pub async fn judge(&mut self, castle: &dyn Castle, promise: Promise) -> Result<Verdict> {
        let (scene, database) = (&self.scene, castle.database());
        let drawn_up = scene.spans.run("account", async |span| {
            let rows: Vec<_> = database.read(scene).await?.into_iter().map(Entry::Read).collect();
            span.detail(format!("{} rows read", grouped(rows.len() as u64)));
            scene.ledger.append(&rows)?;
            scene.look_around(&*database).await?;
            scene.ledger.sync()?;
            let entries = scene.ledger.read_back()?;
            let account = Account::of(&entries, &promise).doing("drawing up the account")?;
            Ok((entries, account))
        });
        let (entries, account) = drawn_up.await?;
        let verdict = verdict::judge(&account, &promise, &self.report.deeds, &self.report.demand);
        self.report.memories = database.memories(&self.shown).await?;
        self.trace(castle, &entries).await?;
        self.report.rto = rpo::rto(&entries);
        let rpo = phoenix_core::Rpo::measure(&account, &entries, self.assistance);
        self.report.over_budget = rpo::over_budget(&self.report.budget, self.report.rto, Some(&rpo));
        self.report.over_budget.extend(layers::over_budget(&self.scene.layers()));
        let beyond = first_beyond(&account, &entries)?;
        self.explain(castle, &verdict, &account, promise, beyond).await;
        (self.report.rpo, self.report.promise, self.report.account) =
            (Some(rpo), Some(promise), Some(account));
        self.save()?;
        if let Err(error) = castle.settle(&self.scene).await {
            let fix = "every row is accounted for; find out why the castle does not do its daily work";
            self.report.findings.push(Finding::certain("not-settled", error.chain(), fix));
        }
        Ok(verdict)
    }

    /// Says why rows did not come back as was promised. That it cannot be found out is a finding of its
    /// own, and no reason to drop the verdict.
    async fn explain(
        &mut self,
        castle: &dyn Castle,
        verdict: &Verdict,
        account: &Account,
        promise: Promise,
        beyond: Option<(String, Commit)>,
    ) {
        let Verdict::Invalid { fault } = verdict else { return };
        let loss = Loss {
            account: account.clone(),
            promise,
            beyond,
            backups: self.report.backups.clone(),
            target: self.report.rebirths.last().map(|rebirth| rebirth.target.clone()),
            lives: self.lives.clone(),
            held: self.held.as_ref().map(|(_, held)| held.clone()),
        };
        let explained = self.scene.spans.run("explain", async |span| {
            let findings = castle.explain(&loss).await?;
            span.detail(findings.iter().map(|finding| finding.code.as_str()).collect::<Vec<_>>().join(", "));
            Ok(findings)
        });
        let fix =
            "read the logs and ledger.jsonl in the evidence: what is lost begins with the first row there";
        let findings = explained.await.unwrap_or_else(|error| {
            let sentence = format!("the cause could not be looked for: {}", error.chain());
            vec![Finding::certain("not-explained", sentence, fix).with_certainty(Certainty::Unsure)]
        });
        if findings.is_empty() {
            let sentence = match fault {
                Fault::Overshot => "nothing is known here of why rows beyond the target came back",
                _ => "nothing is known here of why rows did not come back as was promised",
            };
            let unexplained = Finding::certain("loss-unexplained", sentence, fix);
            self.report.findings.push(unexplained.with_certainty(Certainty::Unsure));
        }
        self.report.findings.extend(findings);
    }

    /// Says of every row that came back where it came back from. The last backup counts; where the
    /// positions around a commit straddle one of its borders, the commit record decides.
    async fn trace(&mut self, castle: &dyn Castle, entries: &[Entry]) -> Result<()> {
        let Some(backup) = self.report.backups.last().cloned() else { return Ok(()) };
        let attempts = ledger::attempts(entries).doing("reading the ledger")?;
        let commit = |row: &RowId| match attempts.get(row)?.outcome {
            Outcome::Ok { commit, .. } => Some(commit),
            Outcome::Failed | Outcome::Indeterminate => None,
        };
        let commits: Vec<_> = ledger::reads(entries).iter().filter_map(|read| commit(&read.row)).collect();
        let by_position = |commit: &Commit| Provenance::of(*commit, backup.interval);
        let straddling: Vec<_> =
            commits.iter().copied().filter(|commit| by_position(commit) == Provenance::Straddles).collect();
        let records = self.find_records(castle, &straddling, &backup).await;
        let provenance = |commit: &Commit| match records.get(&commit.xid) {
            Some(record) => Provenance::of_record(*record, backup.interval),
            None => by_position(commit),
        };
        let mut count = ProvenanceCount::default();
        for commit in &commits {
            match provenance(commit) {
                Provenance::Backup => count.backup += 1,
                Provenance::BackupWal => count.backup_wal += 1,
                Provenance::WalAlone => count.wal_alone += 1,
                Provenance::Straddles => count.straddles += 1,
            }
        }
        self.report.provenance = count;
        for memory in &mut self.report.memories {
            memory.commit = commit(&memory.row);
            memory.provenance = memory.commit.as_ref().map(provenance);
        }
        Ok(())
    }

    /// Commit records from the archived WAL. Rows whose record is not found stay undecided, and are
    /// counted so: that takes nothing from the account.
    async fn find_records(
        &self,
        castle: &dyn Castle,
        commits: &[Commit],
        backup: &BackupRecord,
    ) -> BTreeMap<Xid, Lsn> {
        if commits.is_empty() {
            return BTreeMap::new();
        }
        let found = self.scene.spans.run("provenance", async |span| {
            let records = castle.commit_records(commits, backup, span).await?;
            span.detail(format!("{} of {} commit records found by pg_waldump", records.len(), commits.len()));
            Ok(records)
        });
        found.await.unwrap_or_default()
    }
}

/// The first row that came back though it lies beyond the target.
fn first_beyond(account: &Account, entries: &[Entry]) -> Result<Option<(String, Commit)>> {
    if account.overshot.is_empty() {
        return Ok(None);
    }
    let attempts = ledger::attempts(entries).doing("reading the ledger")?;
    let commit = |row: &RowId| match attempts.get(row)?.outcome {
        Outcome::Ok { commit, .. } => Some(commit),
        Outcome::Failed | Outcome::Indeterminate => None,
    };
    let beyond = account.overshot.iter().filter_map(|row| Some((row.label.clone(), commit(&row.row)?)));
    Ok(beyond.min_by_key(|(_, commit)| commit.lsn_before))
}
