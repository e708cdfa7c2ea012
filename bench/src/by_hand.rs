//! What scripts that type a drill by hand in an engine share: the files of their store, and how they are run.

use crate::{bare, drill::Unfinished, raw::Raw, rounds::Lap};
use miette::{IntoDiagnostic, Result, bail};
use phoenix_store::{Certificates, Credentials, Validity};
use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Stdio, time::Instant};
use tokio::process::Command;

const VERSIONING: &str = r#"<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Status>Enabled</Status></VersioningConfiguration>"#;

/// Writes a script beside its files, runs it once, and removes them all.
pub async fn run(name: &str, text: &str, files: &Path, variables: &[(&str, &str)]) -> Result<Lap> {
    let script = files.join(name);
    fs::write(&script, text).into_diagnostic()?;
    let mut command = Command::new("setpriv");
    // asked to end if this process does, so that it clears away what it made
    command.args(["--pdeathsig", "TERM", "--", "sh"]).arg(&script).process_group(0);
    command.env("FILES", files).env("LC_ALL", "C").envs(variables.iter().copied());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let start = Instant::now();
    let child = command.spawn().into_diagnostic()?;
    let unfinished = Unfinished::group_of(&child);
    let output = child.wait_with_output().await.into_diagnostic()?;
    let whole = start.elapsed().as_secs_f64();
    unfinished.over();
    if !output.status.success() {
        bail!("{name} failed ({}): {}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    fs::remove_dir_all(files).into_diagnostic()?;
    let mut lap = bare::read(&String::from_utf8_lossy(&output.stdout))?;
    lap.whole = whole;
    Ok(lap)
}

/// Writes what MinIO is started with, and what `curl` needs to ask it for a bucket that keeps versions.
pub fn write_store_files(files: &Path, host: &str) -> Result<(Certificates, Credentials)> {
    let names = [host, "localhost", "127.0.0.1"].map(str::to_owned);
    let certificates = Certificates::generate(&names, Validity::current()).into_diagnostic()?;
    let keys = Credentials::generate();
    let (access, secret) = (&keys.access_key, keys.secret_key.expose());
    let curl = format!(
        "cacert = {}/ca.pem\naws-sigv4 = \"aws:amz:us-east-1:s3\"\nuser = \"{access}:{secret}\"\n",
        files.display()
    );
    // curl signs with what the header says, and says nothing itself where a query follows
    let digest = Raw::digest(VERSIONING.as_bytes());
    let quoted = VERSIONING.replace('"', "\\\"");
    let versioning = format!("header = \"x-amz-content-sha256: {digest}\"\ndata = \"{quoted}\"\n");
    let store_env = format!("MINIO_ROOT_USER={access}\nMINIO_ROOT_PASSWORD={secret}\nMINIO_UPDATE=off\n");
    fs::create_dir(files.join("certs")).into_diagnostic()?;
    let texts = [
        ("certs/public.crt", certificates.certificate_pem.as_str()),
        ("certs/private.key", certificates.key_pem.expose()),
        ("ca.pem", &certificates.ca_pem),
        ("curl.conf", &curl),
        ("store.env", &store_env),
        ("versioning.conf", &versioning),
    ];
    write_files(files, &texts)?;
    Ok((certificates, keys))
}

/// Writes files that their owner alone may read.
pub fn write_files(directory: &Path, texts: &[(&str, &str)]) -> Result<()> {
    for (path, text) in texts {
        let path = directory.join(path);
        fs::write(&path, text).into_diagnostic()?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).into_diagnostic()?;
    }
    Ok(())
}
