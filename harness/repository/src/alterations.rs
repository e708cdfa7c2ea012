//! What a rebirth is asked for otherwise than it should be, on purpose.

use phoenix_drill::{Doing, Result};
use std::{
    collections::BTreeMap,
    net::TcpListener,
    sync::{Mutex, PoisonError},
};

/// What a rebirth is asked for otherwise than it should be, and all that was done on purpose.
#[derive(Debug, Default)]
pub(crate) struct Alterations(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    options: BTreeMap<String, String>,
    restore: Vec<String>,
    errands: Vec<Errand>,
    deeds: Vec<String>,
    faults: u32,
    port: Option<u16>,
}

/// A command that is run where the castle is to be restored.
#[derive(Debug, Clone)]
pub(crate) enum Errand {
    /// It ends before the restore begins.
    Before(Vec<String>),
    /// It goes on while the castle is restored.
    Beside(Vec<String>),
}

impl Alterations {
    fn inner<T>(&self, work: impl FnOnce(&mut Inner) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Options for the configuration of the rebirth; one that is empty is left out.
    pub fn configure(&self, options: &BTreeMap<String, String>) {
        self.inner(|inner| inner.options.extend(options.clone()));
    }

    /// Options for the restore.
    pub fn restore(&self, options: Vec<String>) {
        self.inner(|inner| inner.restore.extend(options));
    }

    /// A command for the place where the castle is to be restored.
    pub fn errand(&self, errand: Errand) {
        self.inner(|inner| inner.errands.push(errand));
    }

    /// The commands for the place where the castle is to be restored, in their order.
    pub fn errands(&self) -> Vec<Errand> {
        self.inner(|inner| inner.errands.clone())
    }

    /// A port on which nobody listens here, the same whenever it is asked for.
    pub fn port(&self) -> Result<u16> {
        let free = || TcpListener::bind("localhost:0").and_then(|listener| listener.local_addr());
        let port = match self.inner(|inner| inner.port) {
            Some(port) => port,
            None => free().doing("looking for a free port")?.port(),
        };
        self.inner(|inner| inner.port = Some(port));
        Ok(port)
    }

    /// Notes what was done, as evidence.
    pub fn note(&self, deed: String) {
        self.inner(|inner| inner.deeds.push(deed));
    }

    /// What was done.
    pub fn deeds(&self) -> Vec<String> {
        self.inner(|inner| inner.deeds.clone())
    }

    /// A number for a fault's label: no two may be the same.
    pub fn next_fault(&self) -> u32 {
        self.inner(|inner| {
            inner.faults += 1;
            inner.faults
        })
    }

    /// A `pgbackrest.conf`, altered.
    pub fn of_configuration(&self, text: &str) -> String {
        let options = self.inner(|inner| inner.options.clone());
        let name = |line: &str| line.split_once('=').map(|(name, _)| name.to_owned());
        let kept = text.lines().filter(|line| name(line).is_none_or(|name| !options.contains_key(&name)));
        let mut lines: Vec<String> = kept.map(str::to_owned).collect();
        let given = options.iter().filter(|(_, value)| !value.is_empty());
        let given = given.map(|(name, value)| format!("{name}={value}").replace("=EMPTY", "="));
        let at = lines.iter().position(|line| line == "[global]").map_or(0, |at| at + 1);
        lines.splice(at..at, given);
        lines.join("\n") + "\n"
    }

    /// The argument vector of a restore, altered: an option of the same name is replaced.
    pub fn of_restore(&self, argv: Vec<String>) -> Vec<String> {
        // a recovery option is one of many, by its own name
        let name = |option: &str| {
            let parts = if option.starts_with("--recovery-option=") { 2 } else { 1 };
            option.split('=').take(parts).collect::<Vec<_>>().join("=")
        };
        let options = self.inner(|inner| inner.restore.clone());
        let replaced = |word: &String| options.iter().any(|option| name(option) == name(word));
        let mut argv: Vec<String> = argv.into_iter().filter(|word| !replaced(word)).collect();
        // the command comes last; an option of no value takes another one away
        let given = options.into_iter().filter(|option| !option.ends_with("=NONE"));
        let at = argv.len().saturating_sub(1);
        argv.splice(at..at, given);
        argv
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_altered_unasked() {
        let (text, argv) =
            ("[global]\na=1\n\n[castle]\nb=2\n", vec!["pgbackrest".to_owned(), "restore".to_owned()]);
        let alterations = Alterations::default();
        assert_eq!(alterations.of_configuration(text), text);
        assert_eq!(alterations.of_restore(argv.clone()), argv);
    }

    #[test]
    fn options_are_replaced_added_emptied_and_left_out() {
        let alterations = Alterations::default();
        let option = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        alterations.configure(&[("a", "7"), ("b", ""), ("c", "EMPTY"), ("d", "4")].map(option).into());
        let text = "[global]\na=1\nb=2\nc=3\n\n[castle]\ne=5\n";
        assert_eq!(alterations.of_configuration(text), "[global]\na=7\nc=\nd=4\n\n[castle]\ne=5\n");
    }

    #[test]
    fn a_port_stays_the_same_and_nobody_listens_there() {
        let alterations = Alterations::default();
        let port = alterations.port().unwrap();
        assert_eq!(alterations.port().unwrap(), port);
        assert!(TcpListener::bind(("localhost", port)).is_ok());
    }

    #[test]
    fn an_option_of_the_restore_replaces_its_like() {
        let alterations = Alterations::default();
        alterations.restore(
            ["--type=immediate", "--recovery-option=x=2", "--target=NONE"].map(str::to_owned).into(),
        );
        let argv =
            ["pgbackrest", "--type=name", "--target=z", "--recovery-option=restore_command=a", "restore"];
        let altered = alterations.of_restore(argv.map(str::to_owned).into());
        let wanted = [
            "pgbackrest",
            "--recovery-option=restore_command=a",
            "--type=immediate",
            "--recovery-option=x=2",
            "restore",
        ];
        assert_eq!(altered, wanted);
    }
}
