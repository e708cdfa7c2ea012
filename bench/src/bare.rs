//! The same steps as bare shell commands: `bare.sh`, and what it says.

use crate::{house::House, rounds::Lap};
use miette::{IntoDiagnostic, Result, bail, miette};
use std::{collections::BTreeMap, fs, process::Stdio, time::Instant};

const SCRIPT: &str = include_str!("../bare.sh");

/// With which settings.
#[derive(Debug, Clone, Copy)]
pub enum Pace {
    /// The drill's.
    Fast,
    /// PostgreSQL's and pgBackRest's own.
    Default,
}

/// Runs the script once, with a fresh directory and a fresh path in the store.
pub async fn run(house: &House, pace: Pace) -> Result<Lap> {
    let (name, store) = (format!("bare-{}", uuid::Uuid::new_v4().simple()), &house.store);
    let root = house.room(&name)?;
    let mut command = house.script(SCRIPT);
    let word = match pace {
        Pace::Fast => "fast",
        Pace::Default => "default",
    };
    command.env("PACE", word).env("ROOT", &root).env("PGBACKREST", &house.tools.pgbackrest_program);
    command.env("STORE_PORT", store.port.to_string()).env("STORE_CA", &store.ca_file);
    command.env("STORE_BUCKET", &store.bucket).env("STORE_REGION", &store.region);
    command.env("STORE_PATH", format!("/{name}")).env("STORE_KEY", &store.credentials.access_key);
    command.env("STORE_SECRET", store.secret().expose());
    let start = Instant::now();
    let output =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().into_diagnostic()?.wait_with_output();
    let output = output.await.into_diagnostic()?;
    let whole = start.elapsed().as_secs_f64();
    if !output.status.success() {
        bail!("bare.sh failed ({}): {}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    fs::remove_dir_all(&root).into_diagnostic()?;
    let mut lap = read(&String::from_utf8_lossy(&output.stdout))?;
    lap.whole = whole;
    Ok(lap)
}

/// Reads what the script prints: `<seconds> <step>` at the end of each step.
pub fn read(text: &str) -> Result<Lap> {
    let (mut lap, mut begin, mut last) = (Lap::default(), None, 0.0);
    let mut steps = BTreeMap::<String, f64>::new();
    for (first, second) in text.lines().filter_map(|line| line.split_once(' ')) {
        if first == "segment" {
            lap.last_segment = second.to_owned();
            continue;
        }
        let Ok(now) = first.parse::<f64>() else { continue };
        if begin.is_some() {
            *steps.entry(second.to_owned()).or_default() += now - last;
        }
        begin.get_or_insert(now);
        last = now;
    }
    let begin = begin.ok_or_else(|| miette!("bare.sh did not say when it began"))?;
    (lap.birth_to_query, lap.steps) = (last - begin, steps);
    Ok(lap)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_of_one_name_are_summed() {
        let lap = read("10.0 begin\n11.0 rows\n13.0 backup\n13.5 rows\n14.0 query\nsegment 07\n").unwrap();
        assert_eq!((lap.birth_to_query, lap.steps["rows"], lap.steps["backup"]), (4.0, 1.5, 2.0));
        assert_eq!(lap.last_segment, "07");
        read("nothing\n").unwrap_err();
    }
}
