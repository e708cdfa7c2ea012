//! What the checks that people rely on say of a castle: they are asked as a person would, in its place.

use crate::{Ground, Ran, decisive};
use phoenix_core::detector::{Colour, Hearing, Testimony};
use phoenix_drill::Result;

/// Asks them.
pub async fn witnesses(ground: &dyn Ground, hearing: Hearing) -> Result<Vec<Testimony>> {
    let (bin, socket, pgbackrest) = (ground.postgres_bin().await?, ground.socket(), ground.pgbackrest());
    let sql = |query: &str| {
        let options = ["-X", "-A", "-t", "-h", &socket, "-U", "postgres", "-d", "postgres", "-c", query];
        [&[format!("{bin}/psql")], &options.map(str::to_owned)[..]].concat()
    };
    let archiver = "SELECT 'failed_count ' || failed_count FROM pg_stat_archiver";
    let mut questions = vec![
        ("pg_isready", [format!("{bin}/pg_isready"), "-h".to_owned(), socket.clone()].to_vec()),
        ("pg_is_in_recovery()", sql("SELECT pg_is_in_recovery()")),
        ("pg_stat_archiver", sql(archiver)),
    ];
    if hearing == Hearing::Reborn {
        // `check` switches the WAL, which a drill must not do before the fire
        questions.extend([
            ("pgbackrest check", pgbackrest.check()),
            ("pgbackrest info", pgbackrest.tell()),
            ("pgbackrest verify", pgbackrest.verify()),
        ]);
    }
    let mut testimonies = Vec::new();
    for (witness, argv) in questions {
        let ran = ground.run(witness, &argv).await?;
        let (colour, said) = heard(witness, &ran);
        testimonies.push(Testimony { hearing, witness: witness.to_owned(), colour, said });
    }
    Ok(testimonies)
}

/// What a check says: its exit status, or, where that says nothing, its words.
fn heard(witness: &str, ran: &Ran) -> (Colour, String) {
    let said = ran.stdout.trim();
    let status = || said.lines().find_map(|line| line.trim().strip_prefix("status: "));
    let complaint = match witness {
        "pg_is_in_recovery()" => (said != "f").then(|| said.to_owned()),
        "pg_stat_archiver" => (said != "failed_count 0").then(|| said.to_owned()),
        // both end with status 0 whatever they find
        "pgbackrest info" | "pgbackrest verify" => {
            let status = status().unwrap_or("never said");
            (!status.starts_with("ok")).then(|| format!("status: {status}"))
        }
        _ => None,
    };
    match (ran.status, complaint) {
        (Some(0), None) => (Colour::Green, status().map_or(&ran.ended[..], |_| "status: ok").to_owned()),
        (Some(0), Some(complaint)) => (Colour::Red, complaint),
        _ => {
            (Colour::Red, format!("{}: {}", ran.ended, decisive(&format!("{}\n{}", ran.stderr, ran.stdout))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(witness: &str, status: i32, stdout: &str) -> (Colour, String) {
        let (ended, stdout) = (format!("exit {status}"), stdout.to_owned());
        heard(witness, &Ran { status: Some(status), ended, stdout, stderr: String::new() })
    }

    #[test]
    fn a_check_is_red_by_its_status_or_by_its_words() {
        let (ok, bad) =
            ("stanza: castle\nstatus: ok\n", "stanza: castle\nstatus: error\n  archiveId: none\n");
        for (witness, status, stdout, colour) in [
            ("pg_isready", 0, "accepting connections", Colour::Green),
            ("pg_isready", 2, "no response", Colour::Red),
            ("pg_is_in_recovery()", 0, "f\n", Colour::Green),
            ("pg_is_in_recovery()", 0, "t\n", Colour::Red),
            ("pg_stat_archiver", 0, "failed_count 0\n", Colour::Green),
            ("pg_stat_archiver", 0, "failed_count 3\n", Colour::Red),
            ("pgbackrest verify", 0, ok, Colour::Green),
            ("pgbackrest verify", 0, bad, Colour::Red),
            ("pgbackrest verify", 0, "", Colour::Red),
            ("pgbackrest info", 0, bad, Colour::Red),
            ("pgbackrest check", 82, "P00 ERROR: [082]: WAL segment was not archived", Colour::Red),
        ] {
            assert_eq!(said(witness, status, stdout).0, colour, "{witness} {stdout}");
        }
        assert_eq!(
            said("pgbackrest check", 82, "P00 ERROR: [082]: late").1,
            "exit 82: P00 ERROR: [082]: late"
        );
        assert_eq!(said("pgbackrest verify", 0, bad).1, "status: error");
    }
}
