//! The victim's container: how it is raised and furnished, and what is in it.

use crate::plant::Plant;
use phoenix_docker::{
    Deed, Role, generic, names,
    ports::{publish, published},
};
use phoenix_drill::{Error, KeyAfterFire, Repositories, Result};
use phoenix_postgres::{
    Version,
    pgbackrest::{self, Config},
};
use phoenix_repository::STANZA;
use std::{collections::BTreeSet, fmt::Write, sync::atomic::Ordering};
use testcontainers::{
    ImageExt,
    core::{IntoContainerPort, Mount},
};

/// Everything of ours in the container is below here.
pub(crate) const ROOT: &str = "/phoenix";
/// PGDATA, on a named volume.
pub(crate) const DATA: &str = "/phoenix/data/pg";
pub(crate) const REPOSITORY: &str = "/phoenix/repository";
pub(crate) const SOCKET: &str = "/phoenix/socket";
/// Logs, locks and spool: an anonymous volume in the victim's own image.
pub(crate) const WORK: &str = "/phoenix/work";
pub(crate) const CA_FILE: &str = "/phoenix/conf/ca.pem";
pub(crate) const PGBACKREST_CONF: &str = "/phoenix/conf/pgbackrest.conf";
pub(crate) const SEAL: &str = "/phoenix/conf/seal";
pub(crate) const PORT: u16 = 5432;

/// The container's first process: it waits to be told what to run, runs it as its child, and ends as
/// that ends. So the container is there before PostgreSQL is, and dies with it.
const KEEPER: &str = r#"mkfifo /tmp/.phoenix && read -r line </tmp/.phoenix && eval "$line"; exit $?"#;

/// Says where PostgreSQL is and which versions there are.
const PROBE: &str = r#"
for bin in /usr/lib/postgresql/*/bin /usr/pgsql-*/bin "$(dirname "$(command -v postgres || echo /none/postgres)")"; do
    [ -x "$bin/postgres" ] && [ -x "$bin/initdb" ] && found=$bin
done
echo "bin=${found-}"
[ -z "${found-}" ] || echo "postgres=$("$found/postgres" --version)"
echo "pgbackrest=$(pgbackrest version 2>&1 || true)"
"#;

/// A victim's container that was started.
#[derive(Debug, Clone)]
pub(crate) struct Container {
    pub name: String,
    pub image: String,
    /// The named volumes with PGDATA and with the local repository.
    pub volumes: [String; 2],
    /// All volumes, anonymous ones too.
    pub all_volumes: BTreeSet<String>,
    /// PostgreSQL's port on this machine.
    pub port: u16,
    /// The directory with `postgres` and `initdb`.
    pub bin: String,
    pub postgres: Version,
    pub pgbackrest: Version,
    pub furniture: Furniture,
}

/// What a container is furnished with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Furniture {
    pub repositories: Repositories,
    pub key: KeyAfterFire,
}

/// Raises a victim's container from an image, on these volumes or on new ones.
pub(crate) async fn raise(
    plant: &Plant,
    image: &str,
    volumes: Option<[String; 2]>,
    furniture: Furniture,
) -> Result<Container> {
    let number = plant.containers.fetch_add(1, Ordering::Relaxed) + 1;
    let run = &plant.yard.scene.run;
    let name = names::name(run, &format!("victim-{number}"));
    let volumes = match volumes {
        Some(volumes) => volumes,
        None => {
            let fresh = ["data", "repository"].map(|what| names::name(run, &format!("{what}-{number}")));
            for volume in &fresh {
                plant.yard.make_volume(volume, Role::Victim).await?;
            }
            fresh
        }
    };
    start(plant, image, &name, &volumes).await?;
    let found = plant.yard.engine.container(&name).await?;
    let found = found.ok_or_else(|| Error::unverified("starting the victim", "its container is gone"))?;
    let mounts = found.mounts.into_iter().flatten();
    let all_volumes = mounts.filter_map(|mount| mount.name).collect();
    let port = published(found.network_settings.as_ref(), PORT);
    if let Some(died) = plant.yard.died(&name).await? {
        return Err(died);
    }
    let port = port.ok_or_else(|| Error::unverified("starting the victim", "its port is not published"))?;
    let (bin, postgres, pgbackrest) = match furnish(plant, image, &name, furniture).await {
        Ok(found) => found,
        // one that dies at its start may die only now, and then that is why
        Err(error) => return Err(plant.yard.died(&name).await?.unwrap_or(error)),
    };
    let image = image.to_owned();
    Ok(Container { name, image, volumes, all_volumes, port, bin, postgres, pgbackrest, furniture })
}

async fn start(plant: &Plant, image: &str, name: &str, volumes: &[String; 2]) -> Result<()> {
    let user = plant.config.victim_user.as_str();
    let ([data, repository], network) = (volumes, &plant.network);
    let on = plant.yard.engine.publishes_on();
    let deed = Deed::begin(
        "victim",
        &[
            "run",
            "--detach",
            "--name",
            name,
            "--network",
            network,
            "--user",
            user,
            "--volume",
            &format!("{data}:{ROOT}/data"),
            "--volume",
            &format!("{repository}:{REPOSITORY}"),
            "--publish",
            &format!("{on}::{PORT}"),
            "--entrypoint",
            "sh",
            image,
            "-c",
            KEEPER,
        ],
    );
    let request = generic(image)
        .with_exposed_port(PORT.tcp())
        .with_entrypoint("sh")
        .with_cmd(["-c", KEEPER])
        .with_network(network)
        .with_user(user)
        .with_mount(Mount::volume_mount(data, format!("{ROOT}/data")))
        .with_mount(Mount::volume_mount(repository, REPOSITORY))
        .with_host(crate::plant::PROXY_HOST, plant.proxy_reach.host())
        .with_host_config_modifier(move |host| publish(host, on, PORT));
    plant.yard.make_container(name, Role::Victim, deed, request).await.map_err(|error| {
        let why = error.chain();
        let what = format!("a container of the image {image} does not start: {}", why.trim_start_matches(": "));
        let advice = "the image needs `sh`, `mkfifo` and the user that victim-user names; try `docker run --rm -it --entrypoint sh` with it";
        Error::missing(what, advice)
    })
}

/// Writes pgBackRest's configuration anew.
pub(crate) async fn configure(plant: &Plant, name: &str, furniture: Furniture) -> Result<()> {
    let user = &plant.config.victim_user;
    let text = pgbackrest_conf(plant, furniture).text();
    let script = format!("{}chown {user} {PGBACKREST_CONF}\n", write_file(PGBACKREST_CONF, &text, "600"));
    plant.script(name, "0", "configure pgBackRest", &script).await.map(drop)
}

/// Makes directories and files in a container as root, and looks what it has.
async fn furnish(
    plant: &Plant,
    image: &str,
    name: &str,
    furniture: Furniture,
) -> Result<(String, Version, Version)> {
    let config = pgbackrest_conf(plant, furniture);
    let shown = format!("`{PGBACKREST_CONF}`:\n```ini\n{}```", plant.vault.altered(&config.redacted()));
    plant.yard.scene.evidence.remark(&shown)?;
    let user = &plant.config.victim_user;
    let mut script = format!(
        "set -eu\numask 022\nmkdir -p {DATA} {ROOT}/conf {SOCKET} {WORK}/log {WORK}/lock {WORK}/spool {REPOSITORY}\n\
         chmod 700 {DATA}\n"
    );
    for (path, text, mode) in [
        (PGBACKREST_CONF, plant.vault.altered(&config.text()), "600"),
        (CA_FILE, plant.ca_pem.clone(), "644"),
        (SEAL, pgbackrest::seal_script().to_owned(), "755"),
    ] {
        script.push_str(&write_file(path, &text, mode));
    }
    // writing to a String cannot fail
    let _ = writeln!(
        script,
        "chown {user} {ROOT}/data {DATA} {ROOT}/conf {ROOT}/conf/* {SOCKET} {WORK} {WORK}/* {REPOSITORY}"
    );
    script.push_str("set +eu\n");
    script.push_str(PROBE);
    let printed = plant.script(name, "0", "furnish", &script).await?;
    let line = |key: &str| printed.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default();
    let lacks = |what: &str, said: &str| {
        let said = if said.is_empty() { String::new() } else { format!(": {said}") };
        Error::missing(
            format!("the image {image} has no {what}{said}"),
            "install it in the image, or leave victim-image and rebirth-image out of castle.toml for the victim's own",
        )
    };
    let postgres = Version::find(line("postgres=")).ok_or_else(|| lacks("PostgreSQL", ""))?;
    let says = line("pgbackrest=");
    let pgbackrest = Version::find(says).filter(|_| says.starts_with("pgBackRest"));
    Ok((line("bin=").to_owned(), postgres, pgbackrest.ok_or_else(|| lacks("pgBackRest", says))?))
}

/// A line of shell that writes a file. No secret is in an argument vector: the script is piped.
pub(crate) fn write_file(path: &str, text: &str, mode: &str) -> String {
    let end = format!("END-{}", uuid::Uuid::new_v4().simple());
    format!(
        "rm -f {path}\n(umask 077; cat >{path} <<'{end}'\n{}\n{end}\n)\nchmod {mode} {path}\n",
        text.trim_end()
    )
}

fn pgbackrest_conf(plant: &Plant, furniture: Furniture) -> Config {
    let mut repositories = plant.vault.in_store(plant.repository(furniture.key));
    if furniture.repositories == Repositories::StoreAndLocal {
        repositories.push(pgbackrest::Repository::Directory(REPOSITORY.to_owned()));
    }
    Config {
        stanza: STANZA.to_owned(),
        repositories,
        data_directory: DATA.to_owned(),
        port: PORT,
        socket_directory: SOCKET.to_owned(),
        work_directory: WORK.to_owned(),
        pace: plant.config.shipped.pace(),
        shipped: plant.config.shipped.pgbackrest.clone(),
    }
}
