//! A drill on Kubernetes that goes on by itself, and is followed to its end.

use crate::{
    outside::left,
    support::{folder, report, run},
};
use phoenix_core::Verdict;

#[tokio::test(flavor = "multi_thread")]
async fn a_detached_drill_is_followed_to_its_end() {
    let folder = folder();
    let begun =
        run(folder.path(), ["drill", "--environment", "cluster", "--rows", "100", "--detach", "--json"]);
    let begun = begun.await;
    begun.assert(0, "drill.log");
    let said: serde_json::Value = serde_json::from_str(&begun.out).unwrap();
    let (of, evidence) = (said["run"].as_str().unwrap(), said["evidence"].as_str().unwrap());
    run(folder.path(), ["attach", of]).await.assert(0, "VALID");
    assert_eq!(report(&folder.path().join(evidence)).verdict, Some(Verdict::Valid));
    assert_eq!(left(of), Vec::<String>::new());
}
