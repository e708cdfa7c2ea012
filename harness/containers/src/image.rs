//! The images: pulled if they are not here, and the victim's own built if its content changed.

use crate::{ContainersConfig, Images};
use futures::StreamExt;
use phoenix_docker::{Engine, Yard, names::RUN};
use phoenix_drill::{Doing, Error, Resource, Result, Scene, Span, register};
use sha2::{Digest, Sha256};
use std::{collections::HashMap, fs::File, io::Write};
use testcontainers::bollard::{
    body_full,
    models::BuildInfo,
    query_parameters::{BuildImageOptionsBuilder, TagImageOptionsBuilder},
};

const DOCKERFILE: &str = include_str!("../../../fixtures/images/postgres/Dockerfile");
/// The victim's own image; the tag follows from its content.
const VICTIM: &str = "phoenix-postgres";
/// Where `castle.toml` names the images.
pub(crate) const SECTION: &str = "[containers]";

/// The images of one drill, all of them in the engine.
#[derive(Debug, Clone)]
pub(crate) struct Ready {
    pub store: String,
    pub victim: String,
    pub rebirth: String,
}

/// Makes sure that every image is in the engine; the store's is not needed where there is a store already.
pub(crate) async fn ready(yard: &Yard, config: &ContainersConfig, span: &Span) -> Result<Ready> {
    let images = &config.images;
    if config.store.is_none() {
        yard.have(&images.store, "store-image (PHOENIX_STORE_IMAGE)", SECTION, span).await?;
    }
    let given =
        async |image: &str, setting| yard.have(image, setting, SECTION, span).await.map(|_| image.to_owned());
    let victim = match &images.victim {
        Some(image) => given(image, "victim-image (PHOENIX_VICTIM_IMAGE)").await,
        None => own(yard, images, span).await,
    }?;
    let rebirth = match &images.rebirth {
        Some(image) => given(image, "rebirth-image (PHOENIX_REBIRTH_IMAGE)").await,
        None => Ok(victim.clone()),
    }?;
    Ok(Ready { store: images.store.clone(), victim, rebirth })
}

/// The victim's own image. Its tag is a digest of everything that it is made of, so that it is built
/// anew when any of that changed and only then.
async fn own(yard: &Yard, images: &Images, span: &Span) -> Result<String> {
    let (engine, scene) = (&yard.engine, &*yard.scene);
    let base = yard.have(&images.base, "base-image (PHOENIX_BASE_IMAGE)", SECTION, span).await?;
    let tag = content_tag(images, &base);
    let wanted = format!("{VICTIM}:{tag}");
    if engine.image(&wanted).await?.is_some() {
        return Ok(wanted);
    }
    let _lock = building().await?;
    if engine.image(&wanted).await?.is_some() {
        return Ok(wanted);
    }
    let temporary = format!("{VICTIM}:building-{}", scene.run.slug());
    scene.register.record(&Resource::Image { reference: temporary.clone() })?;
    span.progress(format!("building {wanted} on {}", images.base));
    let [postgresql, pgbackrest] = versions(images);
    let (base, run) = (images.base.as_str(), scene.run.as_str());
    let arguments = [("BASE", base), ("POSTGRESQL", postgresql), ("PGBACKREST", pgbackrest), ("RUN", run)];
    build(engine, scene, &temporary, &arguments, span).await?;
    let tag = TagImageOptionsBuilder::new().repo(VICTIM).tag(&tag).build();
    engine.docker.tag_image(&temporary, Some(tag)).await.doing(format!("naming the image {wanted}"))?;
    engine.remove_image(&temporary).await?;
    Ok(wanted)
}

fn versions(images: &Images) -> [&str; 2] {
    [&images.postgresql, &images.pgbackrest].map(|version| version.as_deref().unwrap_or_default())
}

/// A digest of the Dockerfile, the base as it is now, and the versions.
fn content_tag(images: &Images, base_id: &str) -> String {
    let [postgresql, pgbackrest] = versions(images);
    let content = [DOCKERFILE, &images.base, base_id, postgresql, pgbackrest].join("\n");
    Sha256::digest(content).iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

async fn build(
    engine: &Engine,
    scene: &Scene,
    tag: &str,
    arguments: &[(&str, &str)],
    span: &Span,
) -> Result<()> {
    let mut context = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(DOCKERFILE.len() as u64);
    header.set_mode(0o644);
    let added = context.append_data(&mut header, "Dockerfile", DOCKERFILE.as_bytes());
    added.doing("packing the Dockerfile")?;
    let context = context.into_inner().doing("packing the Dockerfile")?;
    let arguments: HashMap<String, String> =
        arguments.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let labels = HashMap::from([(RUN.to_owned(), scene.run.to_string())]);
    let options = BuildImageOptionsBuilder::new()
        .dockerfile("Dockerfile")
        .t(tag)
        .buildargs(&arguments)
        .labels(&labels)
        .rm(true)
        .forcerm(true)
        .build();
    let path = scene.evidence.log("image-build.log");
    let doing = || format!("writing {}", path.display());
    let mut log = File::create(&path).doing(doing())?;
    let mut steps = engine.docker.build_image(options, None, Some(body_full(context.into())));
    let mut last = String::new();
    while let Some(step) = steps.next().await {
        let failed = match step {
            Ok(BuildInfo { stream: Some(text), .. }) => {
                log.write_all(text.as_bytes()).doing(doing())?;
                for line in text.lines().filter(|line| !line.trim().is_empty()) {
                    span.progress(line.to_owned());
                    if line.starts_with("E: ") || last.is_empty() || !last.starts_with("E: ") {
                        line.clone_into(&mut last);
                    }
                }
                continue;
            }
            Ok(_) => continue,
            Err(error) => phoenix_drill::error::chain(&error),
        };
        let what = format!("the victim's image cannot be built: {last}: {failed}");
        let advice = format!(
            "read {}, and check base-image, postgresql and pgbackrest in [containers] of castle.toml",
            path.display()
        );
        return Err(Error::missing(what, advice));
    }
    Ok(())
}

/// Held while an image of ours is under construction, by whichever process builds it.
async fn building() -> Result<File> {
    let path = register::home()?.join("images.lock");
    let open = move || File::create(path).and_then(|file| file.lock().map(|()| file));
    tokio::task::spawn_blocking(open)
        .await
        .doing("waiting to build an image")?
        .doing("waiting to build an image")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_changes_with_the_content_and_only_with_it() {
        let tag = |change: fn(&mut Images), base_id: &str| {
            let mut images = Images::default();
            change(&mut images);
            content_tag(&images, base_id)
        };
        let tags = [
            tag(|_| {}, "one"),
            tag(|_| {}, "two"),
            tag(|images| images.base = "ubuntu".into(), "one"),
            tag(|images| images.postgresql = Some("17".into()), "one"),
            tag(|images| images.pgbackrest = Some("17".into()), "one"),
        ];
        assert_eq!(std::collections::BTreeSet::from(tags.clone()).len(), tags.len(), "{tags:?}");
        assert_eq!(tag(|images| images.store = "another".into(), "one"), tags[0]);
    }
}
