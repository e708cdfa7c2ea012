//! What a rebirth is asked for otherwise than it should be, on purpose.

use phoenix_core::defect::Setting;
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
    options: BTreeMap<String, Setting>,
    restore: BTreeMap<String, Setting>,
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

    /// Options for the configuration of the rebirth.
    pub fn configure(&self, options: BTreeMap<String, Setting>) {
        self.inner(|inner| inner.options.extend(options));
    }

    /// Options for the restore.
    pub fn restore(&self, options: BTreeMap<String, Setting>) {
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
        let given = options.iter().filter_map(|(name, setting)| setting.line(name));
        let at = lines.iter().position(|line| line == "[global]").map_or(0, |at| at + 1);
        lines.splice(at..at, given);
        lines.join("\n") + "\n"
    }

    /// The argument vector of a restore, altered: an option of the same name is replaced.
    pub fn of_restore(&self, argv: Vec<String>) -> Vec<String> {
        let options = self.inner(|inner| inner.restore.clone());
        let replaced = |word: &String| {
            options.iter().any(|(name, setting)| match setting {
                // one of many, by its own name
                Setting::Value(value) if name == "recovery-option" => {
                    let own = value.split('=').next().unwrap_or_default();
                    word.starts_with(&format!("--{name}={own}="))
                }
                _ => word.split('=').next() == Some(&format!("--{name}")),
            })
        };
        let mut argv: Vec<String> = argv.into_iter().filter(|word| !replaced(word)).collect();
        // the command comes last
        let given = options.iter().filter_map(|(name, setting)| setting.word(name));
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

    fn value(name: &str, value: &str) -> (String, Setting) {
        (name.to_owned(), Setting::Value(value.to_owned()))
    }

    #[test]
    fn options_are_replaced_added_emptied_and_left_out() {
        let alterations = Alterations::default();
        let absent = ("b".to_owned(), Setting::Absent);
        alterations.configure([value("a", "7"), absent, value("c", ""), value("d", "4")].into());
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
        let absent = ("target".to_owned(), Setting::Absent);
        let delta = ("delta".to_owned(), Setting::Given);
        alterations
            .restore([value("type", "immediate"), value("recovery-option", "x=2"), absent, delta].into());
        let argv =
            ["pgbackrest", "--type=name", "--target=z", "--recovery-option=restore_command=a", "restore"];
        let altered = alterations.of_restore(argv.map(str::to_owned).into());
        let wanted = [
            "pgbackrest",
            "--recovery-option=restore_command=a",
            "--delta",
            "--recovery-option=x=2",
            "--type=immediate",
            "restore",
        ];
        assert_eq!(altered, wanted);
        alterations.restore([value("recovery-option", "restore_command=b")].into());
        let altered = alterations.of_restore(argv.map(str::to_owned).into());
        assert_eq!(
            altered,
            ["pgbackrest", "--delta", "--recovery-option=restore_command=b", "--type=immediate", "restore"]
        );
    }
}
