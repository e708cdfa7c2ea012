//! How a drill proves that a wipe took nothing from the store.

use phoenix_store::difference;

use crate::common::{BUCKET, Store};

#[tokio::test]
async fn additions_are_listed_and_a_loss_is_noticed() {
    let store = Store::start().await;
    let inspector = store.inspector();
    inspector.put("a", "one").await.unwrap();
    inspector.put("b", "two").await.unwrap();
    let before = inspector.versions("").await.unwrap();

    inspector.put("c", "archived while it burned").await.unwrap();
    inspector.delete("a").await.unwrap();
    let after = inspector.versions("").await.unwrap();
    let found = difference(&before, &after);
    assert!(found.keeps_everything(), "a delete marker takes nothing away: {found:?}");
    let added: Vec<&str> = found.added.iter().map(|version| version.key.as_str()).collect();
    assert_eq!(added, ["a", "c"]);

    let lost = before.iter().find(|version| version.key == "b").unwrap();
    let removal = store.client().delete_object().bucket(BUCKET).key("b");
    removal.version_id(&lost.version_id).send().await.unwrap();
    let found = difference(&before, &inspector.versions("").await.unwrap());
    assert_eq!(found.missing, std::slice::from_ref(lost));
    assert!(!found.keeps_everything());
}
