//! Following a drill from its evidence: what `events.jsonl` holds, and what is added to it, until the
//! drill's process has ended.

use crate::life::{Seen, look};
use phoenix_core::Event;
use phoenix_drill::{Doing, Reporter, Result, pause};
use std::{
    fs::File,
    io::{ErrorKind, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Between two looks.
const LOOK: Duration = Duration::from_millis(100);
/// How long a run may lack a process: a drill makes its evidence a moment before it begins.
const BEGINNING: Duration = Duration::from_secs(2);

/// How the following ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The drill ended with this exit status.
    Ended(u8),
    /// The drill never ended, and its process is gone.
    Killed,
    /// Whoever followed it has left; the drill goes on.
    Left,
}

/// Tells the reporter everything that happened and happens in a run, until its process has ended or
/// `leave` is ready.
pub async fn follow(
    directory: &Path,
    reporter: &mut dyn Reporter,
    leave: impl Future<Output = ()>,
) -> Result<Ending> {
    tokio::pin!(leave);
    let mut tail = Tail::new(directory.join("events.jsonl"));
    let (start, mut judged) = (Instant::now(), None);
    loop {
        // the look comes first: of a process that is gone, everything it ever wrote is read after it
        let seen = look(directory).doing("looking for the drill's process")?;
        for line in tail.read()? {
            let event = serde_json::from_str(&line).doing("reading events.jsonl")?;
            if let Event::DrillFinished(report) = &event {
                judged = Some(report.exit_status());
            }
            reporter.event(&event);
        }
        let status = match seen {
            Seen::Gone(status) => Some(status),
            Seen::Nobody if judged.is_some() || start.elapsed() >= BEGINNING => Some(None),
            Seen::Nobody | Seen::Alive { .. } => None,
        };
        if let Some(status) = status {
            return Ok(status.or(judged).map_or(Ending::Killed, Ending::Ended));
        }
        tokio::select! {
            () = pause(LOOK) => {}
            () = &mut leave => return Ok(Ending::Left),
        }
    }
}

/// A file of lines that somebody else is writing.
struct Tail {
    path: PathBuf,
    read_bytes: u64,
}

impl Tail {
    fn new(path: PathBuf) -> Self {
        Self { path, read_bytes: 0 }
    }

    /// The lines that are new. A line without its end is not there yet, nor is a file that is missing.
    fn read(&mut self) -> Result<Vec<String>> {
        let doing = || format!("reading {}", self.path.display());
        let mut file = match File::open(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            file => file.doing(doing())?,
        };
        let mut new = Vec::new();
        file.seek(SeekFrom::Start(self.read_bytes)).doing(doing())?;
        file.read_to_end(&mut new).doing(doing())?;
        let end = new.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        new.truncate(end);
        let text = String::from_utf8(new).doing(doing())?;
        self.read_bytes += u64::try_from(end).doing(doing())?;
        Ok(text.lines().map(str::to_owned).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::life::Life;
    use std::{fs, future::pending, io::Write};

    const SPAN: &str = r#"{"event":"span_started","id":1,"parent":null,"name":"birth · initdb"}"#;

    #[derive(Default)]
    struct Told(Vec<Event>);
    impl Reporter for Told {
        fn event(&mut self, event: &Event) {
            self.0.push(event.clone());
        }
    }

    #[test]
    fn a_half_written_line_waits_for_its_other_half() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines");
        let mut tail = Tail::new(path.clone());
        assert_eq!(tail.read().unwrap(), [""; 0]);
        let mut file = File::create(path).unwrap();
        let mut write = |bytes: &[u8]| file.write_all(bytes).unwrap();
        // cut off in the middle of a letter
        let cut = "birth ·".len() - 1;
        write(&"birth · initdb".as_bytes()[..cut]);
        assert_eq!(tail.read().unwrap(), [""; 0]);
        write(&"birth · initdb\nback".as_bytes()[cut..]);
        assert_eq!(tail.read().unwrap(), ["birth · initdb"]);
        assert_eq!(tail.read().unwrap(), [""; 0]);
        write(b"up\n\nwipe\n");
        assert_eq!(tail.read().unwrap(), ["backup", "", "wipe"]);
    }

    #[tokio::test]
    async fn what_a_killed_drill_wrote_is_told_but_for_its_last_half_line() {
        let folder = tempfile::tempdir().unwrap();
        drop(Life::begin(folder.path()).unwrap());
        fs::write(folder.path().join("events.jsonl"), format!("{SPAN}\n{}", &SPAN[..20])).unwrap();
        let mut told = Told::default();
        let ending = follow(folder.path(), &mut told, pending()).await.unwrap();
        assert_eq!((ending, told.0.len()), (Ending::Killed, 1));
    }

    #[tokio::test]
    async fn a_drill_ends_as_its_process_says() {
        let folder = tempfile::tempdir().unwrap();
        let life = Life::begin(folder.path()).unwrap();
        life.end(130).unwrap();
        let left = follow(folder.path(), &mut Told::default(), async {}).await;
        assert_eq!(left.unwrap(), Ending::Left);
        drop(life);
        let ended = follow(folder.path(), &mut Told::default(), pending()).await;
        assert_eq!(ended.unwrap(), Ending::Ended(130));
    }

    #[tokio::test]
    async fn a_line_that_is_no_event_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("events.jsonl"), "{\"event\":\"moon_rose\"}\n").unwrap();
        let error = follow(folder.path(), &mut Told::default(), pending()).await.unwrap_err();
        assert!(
            error.chain().starts_with("reading events.jsonl: unknown variant `moon_rose`"),
            "{}",
            error.chain()
        );
    }
}
