//! A layer of the user's rises with the others in each life, and one over its budget is exit 4, not loss.

use crate::play;
use phoenix_cluster::{CommandLayer, WipeKind};
use phoenix_core::{Verdict, layers::Need};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn a_layer_by_command_rises_in_each_life_and_may_be_too_slow() {
    let played = play("protocol", |config| {
        config.wipe = Some(WipeKind::Database);
        config.layers.push(CommandLayer {
            name: "marker".to_owned(),
            needs: vec![Need::up("platform")],
            up: "kubectl create configmap marker --from-literal=run=$PHOENIX_RUN --dry-run=client -o yaml | kubectl apply -f -".to_owned(),
            ready: Some("kubectl get configmap marker".to_owned()),
            down: Some("kubectl delete configmap marker".to_owned()),
        });
        config.budgets.insert("marker".to_owned(), Duration::from_millis(1));
    });
    let played = played.await.unwrap();
    let report = &played.report;
    assert_eq!(
        (report.verdict.as_ref(), played.exit_status),
        (Some(&Verdict::Valid), 4),
        "{:?}",
        played.error
    );
    let lives: Vec<_> =
        report.layers.iter().filter(|layer| layer.name == "marker").map(|layer| layer.life).collect();
    assert_eq!(lives, [0, 1]);
    assert_eq!(report.over_budget.len(), 2, "{:?}", report.over_budget);
    assert!(
        report.over_budget.iter().all(|line| line.starts_with("layer marker took")),
        "{:?}",
        report.over_budget
    );
    let runbook = std::fs::read_to_string(played.directory.join("runbook.md")).unwrap();
    assert!(runbook.contains("layer marker down · exit status: 0"), "{runbook}");
}
