//! The catalogue of defects: each is planted for real, under each recovery that it can be played with, and must
//! end as it says. One test for each, so that each can be played by itself.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use libtest_mimic::{Arguments, Failed, Trial};
use phoenix_cli::{
    catalogue::defects,
    testing::{Place, assert_as_expected, play_defect},
};
use phoenix_core::RecoveryTarget;
use phoenix_drill::Target;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    for (defect, _) in defects::all() {
        trials.push(trial(&defect.name, "latest"));
        trials.extend(defect.sealed.as_ref().map(|_| trial(&defect.name, "sealed")));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trial(defect: &'static str, recovery: &'static str) -> Trial {
    Trial::test(format!("{defect}/{recovery}"), move || {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let target = match recovery {
            "sealed" => Target::Sealed,
            _ => Target::Given(RecoveryTarget::Latest),
        };
        let played = runtime.block_on(play_defect(Place::Local, defect, target));
        let played = played.map_err(|error| Failed::from(error.chain()))?;
        assert_as_expected(&played);
        Ok(())
    })
}
