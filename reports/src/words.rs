//! The sentences that every report shares.

use crate::format::{bytes, plain, rows, seconds, tenths};
use phoenix_core::{Account, Report, Rpo, Verdict, rpo::Assistance};

/// What a drill without a verdict is.
pub(crate) const NEVER_FINISHED: &str = "started and never finished";

/// The verdict and everything measured, on one line.
pub(crate) fn headline(report: &Report) -> String {
    let mut parts = vec![judgement(report)];
    parts.extend(report.account.as_ref().map(counts));
    parts.extend(report.rto.map(|rto| format!("RTO {}", seconds(rto))));
    parts.extend(report.rpo.as_ref().map(rpo));
    parts.push(format!("total {}", tenths(report.total)));
    parts.join(" · ")
}

/// The verdict, and what was expected wherever that is not simply `Valid`.
pub(crate) fn judgement(report: &Report) -> String {
    let expected = &report.expected;
    let Some(verdict) = &report.verdict else { return format!("INTERRUPTED: {NEVER_FINISHED}") };
    let words = match (&report.expected_finding, verdict) {
        (None, Verdict::Valid) if report.as_expected() => verdict.to_string(),
        (None, _) if report.as_expected() => format!("{verdict} · as expected"),
        (Some(code), _) if report.as_expected() => format!("{verdict} · as expected, by {code}"),
        (Some(code), _) if verdict.meets(expected) => {
            format!("{verdict} · as expected, BUT NOT FOR THE EXPECTED REASON: there is no finding {code}")
        }
        (_, Verdict::Valid) => format!("VALID, AND THAT IS WRONG: {expected} was expected"),
        _ if *expected == Verdict::Valid => verdict.to_string(),
        _ => format!("{verdict} · expected {expected}"),
    };
    plain(&words)
}

/// The account in numbers; what is rarer than loss is named only if there is any.
pub(crate) fn counts(account: &Account) -> String {
    let lost = account.lost.len();
    let mut parts = vec![
        format!("{} acknowledged", rows(account.acknowledged)),
        format!("{} came back", rows(account.came_back)),
        format!("{} lost", rows(lost as u64)),
    ];
    let beyond = usize::try_from(account.beyond_target).unwrap_or(usize::MAX);
    let rarer = [
        ("beyond the target", beyond),
        ("recovered without an answer", account.recovered.len()),
        ("changed", account.changed.len()),
        ("unexpected", account.unexpected.len()),
        ("overshot", account.overshot.len()),
        ("objects missing", account.missing_objects.len()),
    ];
    let rarer = rarer.iter().filter(|(_, count)| *count > 0);
    parts.extend(rarer.map(|(what, count)| format!("{} {what}", rows(*count as u64))));
    parts.join(", ")
}

/// The loss, measured; seconds and bytes only if a row is lost.
fn rpo(rpo: &Rpo) -> String {
    let mut words = format!("{} RPO {} rows", assistance(rpo.assistance), rows(rpo.rows));
    if rpo.rows > 0 {
        words += &format!(", {}, {} of WAL", seconds(rpo.duration), bytes(rpo.wal_bytes));
    }
    words
}

/// One word for whether WAL was pushed out on purpose.
pub(crate) fn assistance(assistance: Assistance) -> &'static str {
    match assistance {
        Assistance::Assisted => "assisted",
        Assistance::Unassisted => "unassisted",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;
    use phoenix_core::Fault;

    fn judged(verdict: Option<Verdict>, expected: Verdict) -> String {
        judgement(&Report { verdict, expected, ..sample::valid() })
    }

    #[test]
    fn the_headline_holds_every_figure() {
        let valid = "VALID · 2 002 acknowledged, 2 002 came back, 0 lost · RTO 0.42 s · assisted RPO 0 rows · total 3.1 s";
        assert_eq!(headline(&sample::valid()), valid);
        let lossy = "INVALID: rows are lost · 2 002 acknowledged, 1 001 came back, 1 001 lost · RTO 0.42 s · \
                     unassisted RPO 1 001 rows, 0.31 s, 1.2 MB of WAL · total 3.1 s";
        assert_eq!(headline(&sample::lossy(1_001)), lossy);
    }

    #[test]
    fn the_expected_verdict_is_told_where_it_matters() {
        let loss = || Verdict::invalid(Fault::Loss);
        let unknown = || Verdict::unknown("no\nWAL");
        assert_eq!(judged(Some(Verdict::Valid), Verdict::Valid), "VALID");
        assert_eq!(judged(Some(loss()), Verdict::Valid), "INVALID: rows are lost");
        assert_eq!(judged(Some(loss()), loss()), "INVALID: rows are lost · as expected");
        let wrong = "VALID, AND THAT IS WRONG: INVALID: rows are lost was expected";
        assert_eq!(judged(Some(Verdict::Valid), loss()), wrong);
        let other = "UNKNOWN: no\\nWAL · expected INVALID: rows are lost";
        assert_eq!(judged(Some(unknown()), loss()), other);
        assert_eq!(judged(None, Verdict::Valid), "INTERRUPTED: started and never finished");
    }

    #[test]
    fn the_expected_reason_is_told_too() {
        let expected_finding = Some("cipher-key-missing".to_owned());
        let report = Report { expected_finding, ..sample::expected(sample::lossy(1)) };
        let wrong = "INVALID: rows are lost · as expected, BUT NOT FOR THE EXPECTED REASON: there is no finding cipher-key-missing";
        assert_eq!(judgement(&report), wrong);
        let right = judgement(&Report { findings: vec![sample::finding()], ..report });
        assert_eq!(right, "INVALID: rows are lost · as expected, by cipher-key-missing");
    }

    #[test]
    fn what_is_worse_than_loss_is_counted() {
        let named = sample::named("row");
        let changed = vec![named.clone(), named.clone()];
        let account = Account { changed, overshot: vec![named], ..Account::default() };
        assert_eq!(counts(&account), "0 acknowledged, 0 came back, 0 lost, 2 changed, 1 overshot");
    }
}
