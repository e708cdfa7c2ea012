//! A drill in containers as bare `docker` commands: `bare-docker.sh`, and the files that it is given. Its
//! settings are the drill's, made by the same functions.

use crate::{by_hand, house::House, rounds::Lap, yard::Yard};
use miette::{IntoDiagnostic, Result};
use phoenix_postgres::{
    pgbackrest::{Config, PgBackRest, Repository, S3},
    settings::{Listen, Pace, ServerSettings, postgresql_conf},
};
use phoenix_store::Credentials;
use std::{fmt::Write, fs, path::Path};
use uuid::Uuid;

const SCRIPT: &str = include_str!("../bare-docker.sh");
const CONF: &str = "/phoenix/conf";
const DATA: &str = "/phoenix/data/pg";
const PSQL: &str = "psql -X -q -A -t -v ON_ERROR_STOP=1 -h /phoenix/socket -U postgres -d postgres";
const WRITERS: u64 = 4;
/// Rows of the workload before and after the backup, each, and after how many the WAL is switched.
const ROWS: u64 = 1000;
const SWITCH_EVERY: u64 = 250;
const TABLE: &str = "CREATE TABLE memories (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    content text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    row_id uuid NOT NULL UNIQUE,
    run_id text NOT NULL);";

/// The images that the drill used.
#[derive(Debug, Clone, Default)]
pub struct Images {
    /// MinIO.
    pub store: String,
    /// PostgreSQL with pgBackRest.
    pub victim: String,
}

/// Runs the script once. What it is given is made before the clock starts.
pub async fn run(house: &House, yard: &Yard, images: &Images) -> Result<Lap> {
    let round = Uuid::new_v4().simple().to_string();
    let name = yard.name(&round[..8]);
    let files = house.disk().join(&name);
    fs::create_dir(&files).into_diagnostic()?;
    write_files(&files, &name)?;
    let variables = [
        ("NAME", name.as_str()),
        ("LABEL", &yard.label()),
        ("STORE_IMAGE", &images.store),
        ("VICTIM_IMAGE", &images.victim),
        ("ROWS", &(2 * (ROWS + 1)).to_string()),
    ];
    by_hand::run("bare-docker.sh", SCRIPT, &files, &variables).await
}

fn write_files(files: &Path, name: &str) -> Result<()> {
    let store = format!("{name}-store");
    let (certificates, keys) = by_hand::write_store_files(files, &store)?;
    let password = Credentials::generate().secret_key;
    let conf = format!("{CONF}/pgbackrest.conf");
    let pgbackrest = PgBackRest {
        program: "pgbackrest".to_owned(),
        config: Some(conf.clone()),
        stanza: "castle".to_owned(),
    };
    let config = pgbackrest_conf(name, store, &keys);
    let settings = postgresql_conf(&ServerSettings {
        listen: Listen::Everywhere,
        socket_directory: "/phoenix/socket".to_owned(),
        port: 5432,
        archive_command: pgbackrest.archive_command(),
        archive_timeout_s: 0,
        pace: Pace::Fast,
        shipped: None,
    });
    let furnish = [
        "set -eu\numask 022\nmkdir -p /phoenix/data/pg /phoenix/conf /phoenix/socket /phoenix/work/log /phoenix/work/lock /phoenix/work/spool\n",
        &format!("chmod 700 {DATA}\n"),
        &file(&conf, &config.text()),
        &file(&format!("{CONF}/ca.pem"), &certificates.ca_pem),
        "chown -R postgres /phoenix\n",
    ];
    let initdb = [
        "set -eu\n",
        &file(&format!("{CONF}/password"), password.expose()),
        &format!(
            "$(echo /usr/lib/postgresql/*/bin)/initdb -D {DATA} -U postgres --pwfile={CONF}/password --auth-local=trust \
             --auth-host=scram-sha-256 --encoding=UTF8 --locale=C --data-checksums --wal-segsize=1 --no-sync\n\
             rm {CONF}/password\n"
        ),
        &file(&format!("{CONF}/settings"), &settings),
        &format!("cat {CONF}/settings >>{DATA}/postgresql.conf\n"),
        &file(&format!("{DATA}/pg_hba.conf"), Listen::Everywhere.pg_hba_conf()),
    ];
    let start = format!(
        "echo \"$(echo /usr/lib/postgresql/*/bin)/postgres -D {DATA}\" >/tmp/.phoenix\n\
         until [ \"$({PSQL} -c 'SELECT pg_is_in_recovery()' 2>/dev/null)\" = f ]; do sleep 0.01; done\n"
    );
    let archive = format!(
        "set -eu\nlast=$({PSQL} -c 'SELECT pg_walfile_name(pg_switch_wal())')\n\
         until [ \"$({PSQL} -c \"SELECT last_archived_wal >= '$last' FROM pg_stat_archiver\")\" = t ]; do sleep 0.01; done\n\
         echo \"$last\"\n"
    );
    let texts = [
        ("furnish.sh", furnish.concat()),
        ("initdb.sh", initdb.concat()),
        ("start.sh", start),
        ("before.sh", rows("DATO_A_NEL_BACKUP_S3", TABLE)),
        ("after.sh", rows("DATO_B_VOLATILE_MA_IMMORTALE_WAL", "")),
        ("archive.sh", archive),
        ("count.sh", format!("{PSQL} -c 'SELECT count(*) FROM memories'\n")),
    ];
    by_hand::write_files(files, &texts.each_ref().map(|(path, text)| (*path, text.as_str())))
}

fn pgbackrest_conf(name: &str, store: String, keys: &Credentials) -> Config {
    let repository = S3 {
        path: format!("/{name}"),
        bucket: "phoenix".to_owned(),
        host: store,
        port: 9000,
        region: "us-east-1".to_owned(),
        access_key: keys.access_key.clone(),
        secret_key: keys.secret_key.clone(),
        ca_file: format!("{CONF}/ca.pem"),
        connect_to: None,
    };
    Config {
        stanza: "castle".to_owned(),
        repositories: vec![Repository::S3(Box::new(repository), None)],
        data_directory: DATA.to_owned(),
        port: 5432,
        socket_directory: "/phoenix/socket".to_owned(),
        work_directory: "/phoenix/work".to_owned(),
        pace: Pace::Fast,
        shipped: None,
    }
}

/// Lines of shell that write a file for its owner alone.
fn file(path: &str, text: &str) -> String {
    format!("(umask 077; rm -f {path}; cat >{path} <<'END-OF-FILE'\n{}\nEND-OF-FILE\n)\n", text.trim_end())
}

/// Lines of shell that insert what the drill inserts: by four writers at once, a transaction a row, the WAL
/// switched on the way; then the row that a person wants to see again.
fn rows(last: &str, before: &str) -> String {
    let insert = |content: &str| {
        format!(
            "INSERT INTO memories (content, row_id, run_id) VALUES ('{content}', '{}', 'bare');\n",
            Uuid::new_v4()
        )
    };
    let mut text = format!("set -eu\n{PSQL} <<'END'\n{before}\nEND\nwriters=\n");
    for writer in 1..=WRITERS {
        // writing to a String cannot fail
        let _ = writeln!(text, "{PSQL} <<'END' >/dev/null &");
        for number in (writer..=ROWS).step_by(WRITERS as usize) {
            text.push_str(&insert(&format!(
                "01ARZ3NDEKTSV4RRFFQ69G5FAV row {number} by writer {writer} in life 0"
            )));
            if number % SWITCH_EVERY == 0 && number < ROWS {
                text.push_str("SELECT pg_switch_wal();\n");
            }
        }
        text.push_str("END\nwriters=\"$writers $!\"\n");
    }
    text.push_str("for writer in $writers; do wait $writer; done\n");
    let _ = write!(text, "{PSQL} <<'END'\n{}END\n", insert(last));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_rows_three_switches_and_the_row_to_see_again() {
        let text = rows("DATO", TABLE);
        let count = |what: &str| text.matches(what).count();
        assert_eq!((count("INSERT INTO"), count("pg_switch_wal"), count("CREATE TABLE")), (1001, 3, 1));
    }
}
