//! Each fault does what it says, leaves evidence, and nothing like it happens without it.

use std::time::{Duration, Instant};

use aws_sdk_s3::error::SdkError;
use phoenix_store::{
    AnswerFault, Fault, FaultPlan, InspectError, KeyMatch, Operation, ResetMoment, StorageFault, WireFault,
};
use rstest::rstest;

use crate::common::{BUCKET, Front, Store, bytes, code};

const KEY: &str = "archive/demo/000000010000000000000002.zst";
const BYTES: usize = 700_000;

async fn store(front: Front) -> Store {
    let store = Store::start_behind(front).await;
    store.inspector().put(KEY, bytes(BYTES)).await.unwrap();
    store.inspector().put("untouched", "untouched").await.unwrap();
    store
}

fn on_wal(fault: Fault) -> Fault {
    fault.on_keys(KeyMatch::Suffix(".zst".to_owned()))
}

/// What a client without retries gets for the key.
async fn get(store: &Store) -> Result<Vec<u8>, String> {
    let answer =
        store.client().get_object().bucket(BUCKET).key(KEY).send().await.map_err(|error| match error {
            SdkError::ServiceError(_) => code(error),
            _ => "no answer".to_owned(),
        })?;
    answer.body.collect().await.map(|body| body.to_vec()).map_err(|_| "no whole body".to_owned())
}

/// The control: the other key is untouched, and once disarmed the faulty one is as it was.
async fn control(store: &Store) {
    assert_eq!(store.inspector().get("untouched").await.unwrap(), "untouched");
    store.faults().disarm_all();
    assert!(get(store).await.unwrap() == bytes(BYTES), "disarmed, all is as it was");
    assert_eq!(store.faults().unfired(), []);
}

#[rstest]
#[case(AnswerFault::AccessDenied, "AccessDenied")]
#[case(AnswerFault::NoSuchKey, "NoSuchKey")]
#[case(AnswerFault::SlowDown, "SlowDown")]
#[tokio::test]
async fn an_answer_is_replaced(
    #[case] fault: AnswerFault,
    #[case] expected: &str,
    #[values(Front::Store, Front::Proxy)] front: Front,
) {
    let store = store(front).await;
    store.faults().arm(on_wal(Fault::new("answer", fault).times(2))).unwrap();
    assert_eq!(get(&store).await.unwrap_err(), expected);
    let head = store.client().head_object().bucket(BUCKET).key("untouched").send().await;
    assert!(head.is_ok(), "another key");
    let put = store.client().put_object().bucket(BUCKET).key(KEY).body(bytes(2_000_000).into()).send().await;
    assert_eq!(code(put.unwrap_err()), expected, "though the body was still being sent");
    assert!(get(&store).await.unwrap() == bytes(BYTES), "the third time it passes, and nothing was put");
    let fired: Vec<Operation> = store.faults().evidence().iter().map(|fired| fired.operation).collect();
    assert_eq!(fired, [Operation::Get, Operation::Put]);
    control(&store).await;
}

#[rstest]
#[tokio::test]
async fn a_delayed_answer_is_late_but_right(#[values(Front::Store, Front::Proxy)] front: Front) {
    let store = store(front).await;
    let delay = Duration::from_millis(300);
    store.faults().arm(on_wal(Fault::new("slow", AnswerFault::Delay { delay }))).unwrap();
    let asked = Instant::now();
    assert!(get(&store).await.unwrap() == bytes(BYTES));
    assert!(asked.elapsed() >= delay);
    assert_eq!(store.faults().evidence()[0].detail, "held for 300 ms");
    control(&store).await;
}

#[rstest]
#[tokio::test]
async fn a_delay_without_end_ends_with_the_server(#[values(Front::Store, Front::Proxy)] front: Front) {
    let store = store(front).await;
    let delay = Duration::from_secs(86_400);
    store.faults().arm(on_wal(Fault::new("hang", AnswerFault::Delay { delay }))).unwrap();
    let hanging = store.inspector();
    let hanging = tokio::spawn(async move { hanging.get(KEY).await });
    while store.faults().evidence().is_empty() {
        tokio::task::yield_now().await;
    }
    store.shutdown().await;
    // The answer may have come once the delay was cut short, or the connection may have ended.
    let _ = hanging.await.unwrap();
}

#[rstest]
#[case(0)]
#[case(1)]
#[case(300_000)]
#[case(BYTES as u64 - 1)]
#[tokio::test]
async fn a_truncated_body_ends_where_it_was_told_to(
    #[case] after_bytes: u64,
    #[values(Front::Store, Front::Proxy)] front: Front,
) {
    let store = store(front).await;
    store.faults().arm(on_wal(Fault::new("cut", WireFault::Truncate { after_bytes }))).unwrap();
    let mut answer = store.client().get_object().bucket(BUCKET).key(KEY).send().await.unwrap();
    assert_eq!(answer.content_length(), Some(BYTES as i64), "the whole is promised");
    let mut received = Vec::new();
    let end = loop {
        match answer.body.next().await {
            Some(Ok(data)) => received.extend_from_slice(&data),
            end => break end,
        }
    };
    assert!(matches!(end, Some(Err(_))), "the connection ends before the body");
    assert!(received == bytes(BYTES)[..usize::try_from(after_bytes).unwrap()], "{} bytes", received.len());
    control(&store).await;
}

#[rstest]
#[tokio::test]
async fn a_flipped_bit_is_the_only_difference(#[values(Front::Store, Front::Proxy)] front: Front) {
    let store = store(front).await;
    let flip = WireFault::FlipBit { at_byte: 500_000, bit: 3 };
    store.faults().arm(on_wal(Fault::new("flip", flip))).unwrap();
    let mut expected = bytes(BYTES);
    expected[500_000] ^= 8;
    assert!(get(&store).await.unwrap() == expected);
    let far = Fault::new("too far", WireFault::Truncate { after_bytes: BYTES as u64 });
    store.faults().arm(on_wal(far)).unwrap();
    assert!(get(&store).await.unwrap() == expected, "a body that is too short passes");
    assert_eq!(store.faults().unfired().len(), 1, "and the fault says that it never fired");
}

#[rstest]
#[case(ResetMoment::BeforeHandling, false)]
#[case(ResetMoment::AfterHandling, true)]
#[tokio::test]
async fn a_reset_leaves_the_write_undone_or_unacknowledged(
    #[case] moment: ResetMoment,
    #[case] stored: bool,
    #[values(Front::Store, Front::Proxy)] front: Front,
) {
    let store = store(front).await;
    store.faults().arm(on_wal(Fault::new("reset", WireFault::Reset { moment })).times(1)).unwrap();
    let put = store.client().put_object().bucket(BUCKET).key("new.zst").body(bytes(10).into()).send().await;
    let error = put.unwrap_err();
    assert!(matches!(error, SdkError::DispatchFailure(_)), "{error:?}");
    let text = format!("{:?}", error.into_source().unwrap());
    assert!(text.contains("ConnectionReset"), "{text}");
    assert_eq!(store.inspector().head("new.zst").await.is_ok(), stored);
    control(&store).await;
}

#[rstest]
#[tokio::test]
async fn a_lost_object_was_never_there_for_anyone(#[values(Front::Store, Front::Proxy)] front: Front) {
    let store = store(front).await;
    let (inspector, faults) = (store.inspector(), store.faults());
    faults.arm(on_wal(Fault::new("lost", StorageFault::Lost))).unwrap();
    assert_eq!(get(&store).await.unwrap_err(), "NoSuchKey");
    assert!(matches!(inspector.head(KEY).await, Err(InspectError::NoSuchKey { .. })));
    let keys: Vec<String> = inspector.list("").await.unwrap().into_iter().map(|object| object.key).collect();
    assert_eq!(keys, ["untouched"]);
    let versions = inspector.versions("").await.unwrap();
    assert!(versions.iter().all(|version| version.key == "untouched"), "{versions:?}");
    let operations: Vec<Operation> = faults.evidence().iter().map(|fired| fired.operation).collect();
    assert_eq!(operations, [Operation::Get, Operation::Head, Operation::List, Operation::ListVersions]);
    assert!(faults.evidence().iter().all(|fired| fired.key == KEY));
    control(&store).await;
}

#[rstest]
#[tokio::test]
async fn an_old_object_is_the_version_before_even_if_it_was_deleted(
    #[values(Front::Store, Front::Proxy)] front: Front,
) {
    let store = Store::start_behind(front).await;
    let (inspector, faults) = (store.inspector(), store.faults());
    faults.arm(Fault::new("old", StorageFault::Old)).unwrap();
    inspector.put("key", "first").await.unwrap();
    assert_eq!(inspector.get("key").await.unwrap(), "first", "there is no version before");
    assert_eq!(faults.unfired().len(), 1);
    inspector.put("key", "the second").await.unwrap();
    assert_eq!(inspector.get("key").await.unwrap(), "first");
    assert_eq!(inspector.head("key").await.unwrap().bytes, 5);
    assert_eq!(inspector.list("").await.unwrap()[0].bytes, 5);
    inspector.delete("key").await.unwrap();
    assert_eq!(inspector.get("key").await.unwrap(), "the second");
    faults.disarm("old");
    assert!(matches!(inspector.get("key").await, Err(InspectError::NoSuchKey { .. })));
}

#[rstest]
#[tokio::test]
async fn an_empty_object_has_no_bytes_and_an_empty_listing_no_keys(
    #[values(Front::Store, Front::Proxy)] front: Front,
) {
    let store = store(front).await;
    let (inspector, faults) = (store.inspector(), store.faults());
    faults.arm(on_wal(Fault::new("empty object", StorageFault::Empty))).unwrap();
    let below = KeyMatch::Prefix("archive/".to_owned());
    faults.arm(Fault::new("empty list", StorageFault::Empty).on_keys(below).on(Operation::List)).unwrap();
    assert_eq!(get(&store).await.unwrap(), b"");
    assert_eq!(inspector.head(KEY).await.unwrap().bytes, 0);
    assert_eq!(inspector.list("archive/demo").await.unwrap(), []);
    assert_eq!(inspector.list("").await.unwrap().len(), 2, "another prefix is listed");
    assert_eq!(inspector.versions("archive/").await.unwrap().len(), 1, "another operation");
    control(&store).await;
}

#[rstest]
#[tokio::test]
async fn an_answer_to_head_has_no_body_and_the_connection_goes_on(
    #[values(Front::Store, Front::Proxy)] front: Front,
) {
    let store = store(front).await;
    store.faults().arm(on_wal(Fault::new("denied", AnswerFault::AccessDenied)).times(1)).unwrap();
    let inspector = store.inspector();
    assert!(matches!(inspector.head(KEY).await, Err(InspectError::Denied { .. })));
    assert_eq!(inspector.head(KEY).await.unwrap().bytes, BYTES as u64);
    control(&store).await;
}

#[rstest]
#[tokio::test]
async fn a_transient_fault_is_absorbed_by_a_client_that_retries(
    #[values(Front::Store, Front::Proxy)] front: Front,
) {
    let store = store(front).await;
    store.faults().arm(on_wal(Fault::new("busy", AnswerFault::SlowDown).times(1))).unwrap();
    assert!(store.inspector().get(KEY).await.unwrap() == bytes(BYTES));
    assert_eq!(store.faults().counts()[0].fired, 1);
    control(&store).await;
}

#[rstest]
#[tokio::test]
async fn a_plan_from_json_is_armed_while_the_server_runs(#[values(Front::Store, Front::Proxy)] front: Front) {
    let store = store(front).await;
    let plan: FaultPlan = serde_json::from_str(
        r#"{"faults": [
            {"label": "third read", "effect": {"layer": "answer", "kind": "access_denied"},
             "key": {"glob": "archive/*.zst"}, "operation": "get", "occurrences": {"skip": 2, "times": 1}},
            {"label": "uploads", "effect": {"layer": "answer", "kind": "slow_down"}, "operation": "multipart"}
        ]}"#,
    )
    .unwrap();
    store.faults().arm_plan(plan).unwrap();
    let mut answers = Vec::new();
    for _ in 0..4 {
        answers.push(get(&store).await.err());
    }
    assert_eq!(answers, [None, None, Some("AccessDenied".to_owned()), None]);
    let unfired: Vec<String> = store.faults().unfired().into_iter().map(|fault| fault.label).collect();
    assert_eq!(unfired, ["uploads"]);
    let begun = store.client().create_multipart_upload().bucket(BUCKET).key("key").send().await;
    assert_eq!(code(begun.unwrap_err()), "SlowDown");
    control(&store).await;
}
