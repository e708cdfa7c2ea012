//! Processes that cannot outlive the harness. This is the one place where any is started.
//!
//! Each command runs in a capsule: a PID namespace of its own, whose first process is killed by the
//! kernel when the harness dies, however it dies; with it dies everything inside, daemons included.
//! An IPC namespace takes PostgreSQL's shared memory with it.
//! Where PID namespaces are forbidden, a guardian does it: a shell that reads from a pipe which only
//! the harness holds open, and kills what bears the capsule's mark once the pipe is closed.

use nix::sys::signal::Signal::{self, SIGKILL, SIGTERM};
use phoenix_drill::{Command as Entry, Doing, Evidence, Result, Wait, wait_for};
use phoenix_postgres::pgbackrest::shell_line;
use phoenix_repository::Ran;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{ExitStatus, Output, Stdio},
    time::{Duration, Instant},
};
use tokio::process::{Child, Command};

/// The environment variable that marks every process of a capsule.
pub const MARK: &str = "PHOENIX_CAPSULE";

/// Kills a guardian's charge, and all that bears its mark, once the harness is gone.
const GUARDIAN: &str = r#"
exec 3<&0 0</dev/null
"$@" 3<&- &
charge=$!
(
    while read -r _ <&3; do :; done
    kill -KILL $charge
    for environ in /proc/[0-9]*/environ; do
        pid=${environ#/proc/}; pid=${pid%/environ}
        [ "$pid" = "$$" ] && continue
        if tr '\0' '\n' <"$environ" 2>/dev/null | grep -qx "PHOENIX_CAPSULE=$PHOENIX_CAPSULE"; then
            kill -KILL "$pid"
        fi
    done
    kill -KILL $$
) >/dev/null 2>&1 &
watch=$!
exec 3<&-
wait $charge
status=$?
kill -KILL $watch
exit $status
"#;

/// How processes are bound to the harness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CapsuleKind {
    /// A PID namespace, made as root.
    Namespace,
    /// A PID namespace within a user namespace, made as an ordinary user.
    UserNamespace,
    /// A guardian process, where namespaces are forbidden.
    Guardian,
}

impl CapsuleKind {
    /// The strongest kind that this machine allows. `PHOENIX_CAPSULE_KIND=guardian` asks for the weakest.
    pub async fn detect() -> Self {
        if std::env::var_os("PHOENIX_CAPSULE_KIND").is_some_and(|kind| kind == "guardian") {
            return Self::Guardian;
        }
        for kind in [Self::Namespace, Self::UserNamespace] {
            let mut argv = kind.prefix(SharedMemory::Forbidden, Path::new("/dev/shm"));
            argv.push("true".to_owned());
            let mut probe = Command::new(&argv[0]);
            probe.args(&argv[1..]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            if probe.status().await.is_ok_and(|status| status.success()) {
                return kind;
            }
        }
        Self::Guardian
    }

    /// Its name in the report.
    pub fn word(self) -> &'static str {
        match self {
            Self::Namespace => "pid namespace",
            Self::UserNamespace => "pid namespace in a user namespace",
            Self::Guardian => "guardian",
        }
    }

    fn prefix(self, shared_memory: SharedMemory, directory: &Path) -> Vec<String> {
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let bound = words("setpriv --pdeathsig KILL -- unshare");
        let own = match self {
            Self::Namespace => Vec::new(),
            Self::UserNamespace => words("--user --map-current-user --keep-caps"),
            Self::Guardian => return ["sh", "-c", GUARDIAN, "guardian"].map(str::to_owned).into(),
        };
        let mut prefix = [bound, own, words("--pid --ipc --fork --kill-child=SIGKILL")].concat();
        if shared_memory == SharedMemory::Forbidden {
            prefix.push("--mount".to_owned());
        }
        prefix.push("--".to_owned());
        if shared_memory == SharedMemory::Forbidden {
            prefix.extend(["sh", "-c", FORBID_SHARED_MEMORY].map(str::to_owned));
            prefix.push(directory.display().to_string());
        }
        if self == Self::UserNamespace {
            prefix.extend(words("setpriv --inh-caps=-all --ambient-caps=-all --bounding-set=-all --"));
        }
        prefix
    }
}

/// Whether a command may make POSIX shared memory, which no namespace takes with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SharedMemory {
    /// It may; PostgreSQL's own setting keeps it from doing so.
    Allowed,
    /// It may not: `initdb` tries it before any setting can be made, and takes System V's instead.
    Forbidden,
}

/// Makes /dev/shm read-only but for the capsule's own directory.
const FORBID_SHARED_MEMORY: &str =
    r#"mount --bind "$0" "$0" && mount -o remount,bind,ro /dev/shm && exec "$@""#;

/// Where and as whom commands of one run are started.
#[derive(Debug, Clone)]
pub struct Capsule {
    /// How processes are bound to the harness.
    pub kind: CapsuleKind,
    /// The run's mark in their environment.
    pub mark: String,
    /// The user they run as, if the harness is root.
    pub user: Option<String>,
    /// Their working directory.
    pub directory: PathBuf,
    /// What goes before the rest of PATH.
    pub bin: PathBuf,
    /// Whether they may make POSIX shared memory.
    pub shared_memory: SharedMemory,
}

impl Capsule {
    fn command(&self, argv: &[String]) -> Command {
        let mut words = self.kind.prefix(self.shared_memory, &self.directory);
        if let Some(user) = &self.user {
            let drop =
                ["setpriv", "--reuid", user, "--regid", user, "--init-groups", "--pdeathsig", "KILL", "--"];
            words.extend(drop.map(str::to_owned));
        }
        words.extend_from_slice(argv);
        let mut command = Command::new(&words[0]);
        let path =
            format!("{}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", self.bin.display());
        command.args(&words[1..]).current_dir(&self.directory).env_clear();
        command.env("PATH", path).env("LC_ALL", "C").env("TZ", "UTC").env(MARK, &self.mark);
        match self.kind {
            CapsuleKind::Guardian => command.stdin(Stdio::piped()),
            CapsuleKind::Namespace | CapsuleKind::UserNamespace => command.stdin(Stdio::null()),
        };
        command.kill_on_drop(true);
        command
    }

    /// Runs a command to its end and enters it into the runbook. A status other than 0 is no error here.
    pub async fn run(&self, evidence: &Evidence, purpose: &str, argv: &[String]) -> Result<Ran> {
        let start = Instant::now();
        let doing = || format!("running {purpose}: {}", argv.first().map_or("", String::as_str));
        let mut command = self.command(argv);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().doing(doing())?;
        // dropped while it runs, the child takes its namespace with it
        let output = output_of(child).await.doing(doing())?;
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let (status, ended) = (output.status.code(), ending(output.status));
        let ran = Ran { status, ended, stdout: text(output.stdout), stderr: text(output.stderr) };
        let (purpose, line) = (purpose.to_owned(), shell_line(argv));
        let (ended, elapsed, output) = (ran.ended.clone(), start.elapsed(), ran.stdout.clone() + &ran.stderr);
        evidence.command(&Entry { purpose, line, ended, elapsed, output })?;
        Ok(ran)
    }

    /// Starts a process that stays, with everything it prints going to a log.
    pub fn start(&self, evidence: &Evidence, purpose: &str, argv: &[String], log: &Path) -> Result<Member> {
        let doing = || format!("starting {purpose}");
        let out = fs::OpenOptions::new().create(true).append(true).open(log).doing(doing())?;
        let err = out.try_clone().doing(doing())?;
        let mut command = self.command(argv);
        let child = command.stdout(out).stderr(err).spawn().doing(doing())?;
        let (purpose, line) = (purpose.to_owned(), shell_line(argv));
        let (ended, elapsed, output) = ("started".to_owned(), Duration::ZERO, String::new());
        evidence.command(&Entry { purpose, line, ended, elapsed, output })?;
        Ok(Member { child })
    }
}

/// Keeps a guardian's pipe open while the command runs.
async fn output_of(mut child: Child) -> std::io::Result<Output> {
    let _pipe = child.stdin.take();
    child.wait_with_output().await
}

fn ending(status: ExitStatus) -> String {
    status.code().map_or_else(|| status.to_string(), |code| format!("exit {code}"))
}

/// A process that stays.
pub struct Member {
    child: Child,
}

impl Member {
    /// How it ended, if it did.
    pub fn ended(&mut self) -> Option<String> {
        self.child.try_wait().ok().flatten().map(ending)
    }

    /// Asks the process that has this number within the capsule to end in good order.
    pub fn ask_to_end(&self, inner: u32) {
        let members = self.child.id().map(members_of).unwrap_or_default();
        members.into_iter().filter(|&pid| innermost(pid) == Some(inner)).for_each(|pid| send(pid, SIGTERM));
    }

    /// Kills it and everything in its capsule with SIGKILL, and reaps it.
    pub async fn kill(&mut self) -> Result<()> {
        if let Some(pid) = self.child.id() {
            for member in members_of(pid) {
                kill(member);
            }
        }
        self.child.kill().await.doing("killing a process")
    }
}

/// Everything in the PID namespace that a capsule's outermost process made, or below the process itself.
fn members_of(outermost: u32) -> BTreeSet<u32> {
    let namespace = namespace_of(outermost, "pid_for_children");
    let own = namespace_of(std::process::id(), "pid");
    let mut members: BTreeSet<u32> = match namespace.filter(|namespace| Some(namespace) != own.as_ref()) {
        Some(inner) => pids().filter(|&pid| namespace_of(pid, "pid").as_ref() == Some(&inner)).collect(),
        None => BTreeSet::new(),
    };
    members.extend(descendants(outermost));
    members
}

/// The children of a process and theirs.
fn descendants(pid: u32) -> Vec<u32> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let children = children.split_whitespace().filter_map(|child| child.parse().ok());
    children.flat_map(|child| std::iter::once(child).chain(descendants(child))).collect()
}

fn namespace_of(pid: u32, kind: &str) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/ns/{kind}")).ok()
}

/// Every process that this one may see.
pub(crate) fn pids() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// The number of a process within the innermost namespace that it is in.
fn innermost(pid: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
    numbers.split_whitespace().next_back()?.parse().ok()
}

fn kill(pid: u32) {
    send(pid, SIGKILL);
}

/// A process that is gone already is no error.
fn send(pid: u32, signal: Signal) {
    if let Ok(pid) = i32::try_from(pid) {
        let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal);
    }
}

/// The processes that bear a capsule's mark, and everything in their namespaces and below them.
pub fn marked(mark: &str) -> BTreeSet<u32> {
    let leaders: Vec<u32> = pids().filter(|&pid| pid != std::process::id() && bears(pid, mark)).collect();
    leaders.iter().flat_map(|&pid| members_of(pid)).chain(leaders.iter().copied()).collect()
}

/// Whether a process bears a mark: in its environment or, where that is another user's and a container
/// forbids to read it, by a command line that names the victim's directory.
fn bears(pid: u32, mark: &str) -> bool {
    let wanted = format!("{MARK}={mark}");
    match fs::read(format!("/proc/{pid}/environ")) {
        Ok(environment) => environment.split(|&byte| byte == 0).any(|variable| variable == wanted.as_bytes()),
        Err(_) => {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains(&format!("/{}/victim/", mark.to_ascii_lowercase()))
        }
    }
}

/// The processes that bear a mark, and those that stand in a directory or hold something in it open.
pub fn found(mark: &str, directory: &Path) -> BTreeSet<u32> {
    let holds = |pid: &u32| {
        let links = ["cwd", "exe", "root"].map(|link| PathBuf::from(format!("/proc/{pid}/{link}")));
        let open =
            fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten().map(|entry| entry.path());
        links
            .into_iter()
            .chain(open)
            .any(|link| fs::read_link(link).is_ok_and(|path| path.starts_with(directory)))
    };
    let mut found = marked(mark);
    found.extend(pids().filter(|pid| *pid != std::process::id()).filter(holds));
    found
}

/// Kills processes until a look finds none.
pub async fn extinguish(look: impl Fn() -> BTreeSet<u32>) -> Result<()> {
    wait_for(
        "every process of the victim to be gone",
        Duration::from_secs(30),
        Duration::from_millis(2),
        || async {
            let found = look();
            found.iter().for_each(|&pid| kill(pid));
            Ok(if found.is_empty() {
                Wait::Ready(())
            } else {
                Wait::NotYet(format!("{} processes", found.len()))
            })
        },
    )
    .await
}
