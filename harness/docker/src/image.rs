//! Images: found in the engine or pulled, and removed.

use crate::{Engine, engine::present};
use phoenix_drill::{Doing, Error, Result, Span};
use std::collections::HashMap;
use testcontainers::{
    GenericImage,
    bollard::query_parameters::{PruneImagesOptionsBuilder, RemoveImageOptions},
    runners::AsyncRunner,
};

impl Engine {
    /// The id of an image; `None` if the engine does not hold it.
    pub async fn image(&self, reference: &str) -> Result<Option<String>> {
        let found = present(self.docker.inspect_image(reference).await);
        Ok(found.doing(format!("inspecting the image {reference}"))?.and_then(|image| image.id))
    }

    /// An image and whether the engine holds it, for a person.
    pub async fn told(&self, reference: &str) -> String {
        match self.image(reference).await {
            Ok(Some(_)) => format!("{reference}, here"),
            Ok(None) => format!("{reference}, not here yet: a drill pulls it"),
            Err(error) => format!("{reference}: {}", error.chain()),
        }
    }

    /// Removes an image's name, and the image if it has no other.
    pub async fn remove_image(&self, reference: &str) -> Result<()> {
        let removed = self.docker.remove_image(reference, None::<RemoveImageOptions>, None).await;
        present(removed).map(drop).doing(format!("removing the image {reference}"))
    }

    /// Removes what a run's build left if it was cut off: layers without a name.
    pub(crate) async fn prune_build(&self, run: &str) -> Result<()> {
        let filters = HashMap::from([
            ("dangling", vec!["true".to_owned()]),
            ("label", vec![format!("phoenix.building={run}")]),
        ]);
        let options = PruneImagesOptionsBuilder::new().filters(&filters).build();
        let pruned = self.docker.prune_images(Some(options)).await;
        pruned.map(drop).doing("removing layers of a cut-off build")
    }
}

/// The id of an image, which is pulled if it is not here. `setting` in this `section` of `castle.toml` is
/// what names it.
pub(crate) async fn have(
    engine: &Engine,
    reference: &str,
    setting: &str,
    section: &str,
    span: &Span,
) -> Result<String> {
    let why = match found_or_pulled(engine, reference, span).await {
        Ok(id) => return Ok(id),
        Err(error) => error.chain(),
    };
    let advice = format!(
        "check the name and `docker pull {reference}`, or name another as {setting} in {section} of castle.toml"
    );
    Err(Error::missing(format!("the image {reference} cannot be had: {why}"), advice))
}

async fn found_or_pulled(engine: &Engine, reference: &str, span: &Span) -> Result<String> {
    if let Some(id) = engine.image(reference).await? {
        return Ok(id);
    }
    span.progress(format!("pulling {reference}"));
    generic(reference).pull_image().await.map(drop).doing("pulling it")?;
    engine
        .image(reference)
        .await?
        .ok_or_else(|| Error::unverified("pulling it", "it is not there after that"))
}

/// An image as testcontainers names it: what is after the last colon is the tag, or part of the digest.
pub fn generic(reference: &str) -> GenericImage {
    match reference.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')) {
        Some((name, tag)) => GenericImage::new(name, tag),
        None => GenericImage::new(reference, "latest"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use testcontainers::Image;

    #[test]
    fn references_keep_their_tag_or_digest() {
        for (reference, name, tag) in [
            ("debian:trixie-slim", "debian", "trixie-slim"),
            ("registry:5000/team/postgres", "registry:5000/team/postgres", "latest"),
            ("registry:5000/team/postgres:17", "registry:5000/team/postgres", "17"),
            ("debian@sha256:00ff", "debian@sha256", "00ff"),
        ] {
            let image = generic(reference);
            assert_eq!((image.name(), image.tag()), (name, tag));
        }
    }
}
