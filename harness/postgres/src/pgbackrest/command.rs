//! pgBackRest's argument vectors. No secret is ever in one.

use phoenix_core::{RecoveryTarget, recovery::timestamp};

/// How pgBackRest is called.
#[derive(Debug, Clone)]
pub struct PgBackRest {
    /// The program.
    pub program: String,
    /// Its configuration file, if it is not where pgBackRest looks by itself.
    pub config: Option<String>,
    /// The stanza's name.
    pub stanza: String,
}

impl PgBackRest {
    fn prefix(&self) -> Vec<String> {
        let mut argv = vec![self.program.clone()];
        argv.extend(self.config.as_ref().map(|config| format!("--config={config}")));
        argv.push(format!("--stanza={}", self.stanza));
        argv
    }

    fn call(&self, command: &str, options: &[String]) -> Vec<String> {
        let mut argv = self.prefix();
        argv.extend_from_slice(options);
        argv.push(command.to_owned());
        argv
    }

    /// The call as a person would type it, up to the options and the command.
    pub fn shell_prefix(&self) -> String {
        shell_line(&self.prefix())
    }

    /// Makes the stanza in every repository.
    pub fn stanza_create(&self) -> Vec<String> {
        self.call("stanza-create", &[])
    }

    /// Takes a backup of this type (`full`, `diff`, `incr`) into one repository.
    pub fn backup(&self, kind: &str, repository: u8) -> Vec<String> {
        self.call("backup", &[format!("--type={kind}"), format!("--repo={repository}")])
    }

    /// Lists one repository's backups as JSON.
    pub fn info(&self, repository: u8) -> Vec<String> {
        self.call(
            "info",
            &[
                "--output=json".to_owned(),
                "--log-level-console=off".to_owned(),
                format!("--repo={repository}"),
            ],
        )
    }

    /// Checks that a segment can be archived.
    pub fn check(&self) -> Vec<String> {
        self.call("check", &[])
    }

    /// Says what is in the repositories, for a person.
    pub fn tell(&self) -> Vec<String> {
        self.call("info", &[])
    }

    /// Verifies what is in the repositories, for a person: unasked it says nothing, and it always ends with 0.
    pub fn verify(&self) -> Vec<String> {
        self.call("verify", &["--output=text".to_owned(), "--verbose".to_owned()])
    }

    /// Fetches one segment from the archive into a file.
    pub fn archive_get(&self, segment: &str, file: &str) -> Vec<String> {
        let mut argv = self.call("archive-get", &[]);
        argv.extend([segment.to_owned(), file.to_owned()]);
        argv
    }

    /// PostgreSQL's `archive_command`.
    pub fn archive_command(&self) -> String {
        shell_line(&self.call("archive-push", &[])) + " \"%p\""
    }

    /// Restores to a target, from one repository if it is named, and promotes there. A sealed recovery
    /// takes `seal`, the path of [`seal_script`].
    pub fn restore(&self, target: &RecoveryTarget, repository: Option<u8>, seal: &str) -> Vec<String> {
        let mut options: Vec<String> =
            repository.map(|number| format!("--repo={number}")).into_iter().collect();
        let (kind, value) = target_options(target);
        options.push(format!("--type={kind}"));
        options.extend(value.map(|value| format!("--target={value}")));
        if kind != "default" {
            options.push("--target-action=promote".to_owned());
        }
        if let RecoveryTarget::Sealed(_) = target {
            let get = shell_line(&self.call("archive-get", &[]));
            options.push(format!("--recovery-option=restore_command={seal} {get} %f \"%p\""));
        }
        self.call("restore", &options)
    }

    /// The same restore over data that is already there: only what differs is fetched.
    pub fn restore_in_place(&self, target: &RecoveryTarget, repository: u8, seal: &str) -> Vec<String> {
        let mut argv = self.restore(target, Some(repository), seal);
        argv.insert(argv.len() - 1, "--delta".to_owned());
        argv
    }
}

/// A target as `--type` and `--target` of a restore.
pub fn target_options(target: &RecoveryTarget) -> (&'static str, Option<String>) {
    match target {
        RecoveryTarget::Latest => ("default", None),
        RecoveryTarget::Immediate => ("immediate", None),
        RecoveryTarget::Sealed(name) | RecoveryTarget::Name(name) => ("name", Some(name.clone())),
        RecoveryTarget::Time(time) => ("time", Some(timestamp(time))),
        RecoveryTarget::Lsn(lsn) => ("lsn", Some(lsn.to_string())),
        // PostgreSQL compares 32 bits: the epoch must go
        RecoveryTarget::Xid(xid) => ("xid", Some((xid.0 & 0xFFFF_FFFF).to_string())),
    }
}

/// A wrapper around `restore_command`: PostgreSQL takes any exit status up to 125 for the end of WAL,
/// so that an archive error would pass for it. Above 125 the server stops, loudly.
pub fn seal_script() -> &'static str {
    "#!/bin/sh\n\"$@\"\nstatus=$?\n[ $status -le 1 ] && exit $status\nexit 255\n"
}

/// An argument vector as a person would type it.
pub fn shell_line(argv: &[String]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,@%+".contains(c);
    let quoted = argv.iter().map(|word| match !word.is_empty() && word.chars().all(plain) {
        true => word.clone(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    });
    quoted.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use phoenix_core::{Lsn, Xid};

    fn pgbackrest() -> PgBackRest {
        PgBackRest { program: "pgbackrest".into(), config: Some("/c".into()), stanza: "castle".into() }
    }

    #[test]
    fn every_target_that_stops_early_promotes() {
        let restore = |target: RecoveryTarget| shell_line(&pgbackrest().restore(&target, Some(1), "/seal"));
        let head = "pgbackrest --config=/c --stanza=castle --repo=1";
        assert_eq!(restore(RecoveryTarget::Latest), format!("{head} --type=default restore"));
        let early = |kind: &str| format!("{head} {kind} --target-action=promote restore");
        assert_eq!(restore(RecoveryTarget::Immediate), early("--type=immediate"));
        assert_eq!(restore(RecoveryTarget::Lsn(Lsn(0x3000148))), early("--type=lsn --target=0/3000148"));
        assert_eq!(restore(RecoveryTarget::Xid(Xid(1 << 32 | 742))), early("--type=xid --target=742"));
    }

    #[test]
    fn a_sealed_recovery_is_wrapped() {
        let line = pgbackrest().restore(&RecoveryTarget::Sealed("p".into()), None, "/seal");
        let wrapped = "--recovery-option=restore_command=/seal pgbackrest --config=/c --stanza=castle archive-get %f \"%p\"";
        assert!(line.iter().any(|word| word == wrapped), "{line:?}");
    }
}
