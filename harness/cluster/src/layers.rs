//! A castle rises as named layers. Those that do not depend on each other rise at the same time.

use futures::future::try_join_all;
use phoenix_core::layers::{LayerRecord, Need, Stage};
use phoenix_drill::{Error, Result, Scene, Span, Work};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::sync::watch;

/// A layer.
pub(crate) trait Layer: Send + Sync {
    /// Its name.
    fn name(&self) -> &str;
    /// What it needs before it begins.
    fn needs(&self) -> Vec<Need>;
    /// How long it may take from its beginning until it is ready.
    fn budget(&self) -> Option<Duration>;
    /// Asks for it, and comes back once others may build upon it.
    fn up<'a>(&'a self, span: &'a Span) -> Work<'a, ()>;
    /// Waits until it is ready.
    fn ready<'a>(&'a self, span: &'a Span) -> Work<'a, ()>;
}

/// Raises every layer, each as soon as what it needs is there, and writes down how long each took.
pub(crate) async fn rise(scene: &Scene, life: u32, layers: &[Box<dyn Layer>], span: &Span) -> Result<()> {
    let stages: BTreeMap<String, watch::Sender<Option<Stage>>> =
        layers.iter().map(|layer| (layer.name().to_owned(), watch::channel(None).0)).collect();
    check(layers)?;
    let stages = Arc::new(stages);
    let risen = layers.iter().map(|layer| {
        let stages = stages.clone();
        async move {
            for need in layer.needs() {
                let Some(stage) = stages.get(&need.layer) else { continue };
                // the sender is in `stages`, which lives as long as this
                let _ = stage.subscribe().wait_for(|stage| *stage >= Some(need.stage)).await;
            }
            let tell = |stage| {
                if let Some(told) = stages.get(layer.name()) {
                    told.send_replace(Some(stage));
                }
            };
            let start = scene.now();
            let up = span.run(layer.name(), async |span| {
                layer.up(span).await?;
                let up = scene.now();
                tell(Stage::Up);
                layer.ready(span).await?;
                Ok(up)
            });
            let up = up.await?;
            tell(Stage::Ready);
            let since = |then: phoenix_core::Moment, now: phoenix_core::Moment| {
                Duration::from_micros(now.0.saturating_sub(then.0))
            };
            let end = scene.now();
            scene.note_layer(LayerRecord {
                life,
                name: layer.name().to_owned(),
                needs: layer.needs(),
                start: Duration::from_micros(start.0),
                up: since(start, up),
                ready: since(start, end),
                budget: layer.budget(),
            });
            Ok(())
        }
    });
    try_join_all(risen).await.map(drop)
}

/// An error if a layer needs one that is not there, or itself in a circle.
pub(crate) fn check(layers: &[Box<dyn Layer>]) -> Result<()> {
    let mut waiting: BTreeMap<&str, Vec<Need>> =
        layers.iter().map(|layer| (layer.name(), layer.needs())).collect();
    if waiting.len() < layers.len() {
        return Err(Error::usage("two layers have the same name", "name each layer once"));
    }
    for (name, needs) in &waiting {
        if let Some(need) = needs.iter().find(|need| !waiting.contains_key(need.layer.as_str())) {
            let what = format!("the layer {name} needs {}, which is no layer", need.layer);
            let names: Vec<_> = waiting.keys().copied().collect();
            return Err(Error::usage(what, format!("name one of {}", names.join(", "))));
        }
    }
    while !waiting.is_empty() {
        let free: Vec<_> = waiting
            .iter()
            .filter(|(_, needs)| needs.iter().all(|need| !waiting.contains_key(need.layer.as_str())))
            .map(|(name, _)| *name)
            .collect();
        if free.is_empty() {
            let names: Vec<_> = waiting.keys().copied().collect();
            let what = format!("the layers {} need each other in a circle", names.join(", "));
            return Err(Error::usage(what, "take one of their needs away"));
        }
        waiting.retain(|name, _| !free.contains(name));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Named(&'static str, &'static [&'static str]);

    impl Layer for Named {
        fn name(&self) -> &str {
            self.0
        }
        fn needs(&self) -> Vec<Need> {
            self.1.iter().map(|name| Need::ready(*name)).collect()
        }
        fn budget(&self) -> Option<Duration> {
            None
        }
        fn up<'a>(&'a self, _span: &'a Span) -> Work<'a, ()> {
            Box::pin(async { Ok(()) })
        }
        fn ready<'a>(&'a self, _span: &'a Span) -> Work<'a, ()> {
            Box::pin(async { Ok(()) })
        }
    }

    fn layers(all: &[(&'static str, &'static [&'static str])]) -> Vec<Box<dyn Layer>> {
        all.iter().map(|(name, needs)| Box::new(Named(name, needs)) as Box<dyn Layer>).collect()
    }

    #[test]
    fn a_circle_and_a_name_that_is_no_layer_are_found() {
        check(&layers(&[("a", &[]), ("b", &["a"]), ("c", &["a", "b"])])).unwrap();
        let wrong = |all| check(&layers(all)).unwrap_err().to_string();
        assert_eq!(wrong(&[("a", &["d"])]), "the layer a needs d, which is no layer");
        assert_eq!(wrong(&[("a", &["b"]), ("b", &["a"])]), "the layers a, b need each other in a circle");
        assert_eq!(wrong(&[("a", &[]), ("a", &[])]), "two layers have the same name");
    }
}
