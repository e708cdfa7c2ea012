//! What says, long before the operator does, that a castle will not come up: a restore container's end, an
//! event, a line in a log. `None` of these is a condition: the operator's own comes after 643 seconds.

use crate::{logs::begun, lookout::View, postgrescluster::label};
use k8s_openapi::api::core::v1::{ContainerStateTerminated, Event, Pod};
use kube::ResourceExt;
use phoenix_core::{Certainty, Finding};
use phoenix_postgres::diagnosis::{self, Symptoms};

/// The container that restores.
pub(crate) const RESTORE: &str = "pgbackrest-restore";
/// For how long somebody is asked for a volume before nobody will ever answer, in seconds: a provisioner that
/// runs says within one that it begins, and one of a cluster that is just rising on a busy machine may need
/// twenty to run. The cluster asks again every 15.
const ASKED_IN_VAIN_S: i64 = 40;
/// For how long a volume that is there is tried in vain, in seconds: Longhorn says so for a moment of one that
/// comes up.
const ATTACHED_IN_VAIN_S: i64 = 60;
/// For how long an image is not pulled, in seconds, or a provisioner fails: both are tried again.
const TRIED_IN_VAIN_S: i64 = 20;
/// What Longhorn says of such a volume.
const NOT_READY: &str = "is not ready for workloads";

/// Why a castle does not come up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Sign {
    /// The restore ended with this status.
    RestoreFailed { pod: String, status: i32 },
    /// The restore's log says so, and the restore goes on.
    Said(String),
    /// Patroni gave up a database that did not start, and moved its data away.
    GaveUp { pod: String, line: String },
    /// An event says so.
    Event { reason: String, about: String, message: String },
}

/// The first sign in a view that a castle will not come up, which needs this Secret.
pub(crate) fn sign(view: &View, secret: &str) -> Option<Sign> {
    let label = label("pgbackrest-restore");
    let failed = view.pods_with(&label).find_map(|pod| {
        let ended = terminated(pod, RESTORE)?;
        // above that it was killed from outside, and is tried again
        (1..128)
            .contains(&ended.exit_code)
            .then(|| Sign::RestoreFailed { pod: pod.name_any(), status: ended.exit_code })
    });
    let event = |event: &Event| Sign::Event {
        reason: event.reason.clone().unwrap_or_default(),
        about: format!(
            "{}/{}",
            event.involved_object.kind.as_deref().unwrap_or_default(),
            event.involved_object.name.as_deref().unwrap_or_default()
        ),
        message: event.message.clone().unwrap_or_default(),
    };
    let warned = |kind: &'static str, reason: &str, decisive: &dyn Fn(&str, i64) -> bool| {
        let is_it = |event: &&Event| {
            event.reason.as_deref() == Some(reason)
                && decisive(event.message.as_deref().unwrap_or_default(), lasted_s(event))
        };
        view.warnings(kind).find(is_it).map(event)
    };
    let gone = format!("secret \"{secret}\" not found");
    failed
        .or_else(|| view.signs.first().cloned())
        .or_else(|| warned("PostgresCluster", "InvalidDataSource", &|_, _| true))
        .or_else(|| {
            // a class that is not there does not come, and a provisioner that fails is asked again
            let decisive = |message: &str, lasted| message.contains("not found") || lasted >= TRIED_IN_VAIN_S;
            warned("PersistentVolumeClaim", "ProvisioningFailed", &decisive)
        })
        .or_else(|| never_provisioned(view).map(event))
        .or_else(|| {
            let decisive =
                |message: &str, lasted| message.contains(NOT_READY) && lasted >= ATTACHED_IN_VAIN_S;
            warned("Pod", "FailedAttachVolume", &decisive)
        })
        // a healthy start says FailedMount too, of what is a second late
        .or_else(|| warned("Pod", "FailedMount", &|message, _| message.contains(&gone)))
        .or_else(|| {
            let decisive =
                |message: &str, lasted| message.contains("Failed to pull image") && lasted >= TRIED_IN_VAIN_S;
            warned("Pod", "Failed", &decisive)
        })
}

/// A claim that somebody was asked to provision, again and again, and nobody said that he began to.
fn never_provisioned(view: &View) -> Option<&Event> {
    let begun = |name: &str| {
        let mut about = view.about("PersistentVolumeClaim");
        about.any(|event| {
            event.reason.as_deref() == Some("Provisioning")
                && event.involved_object.name.as_deref() == Some(name)
        })
    };
    let pending = |name: &str| {
        let claim = view.claims.get(name);
        let phase = claim.and_then(|claim| claim.status.as_ref()).and_then(|status| status.phase.as_deref());
        phase == Some("Pending")
    };
    view.about("PersistentVolumeClaim").find(|event| {
        event.reason.as_deref() == Some("ExternalProvisioning")
            && lasted_s(event) >= ASKED_IN_VAIN_S
            && event.involved_object.name.as_deref().is_some_and(|name| pending(name) && !begun(name))
    })
}

/// The time between an event's first and its last happening, in seconds.
fn lasted_s(event: &Event) -> i64 {
    let (first, last) = (event.first_timestamp.as_ref(), event.last_timestamp.as_ref());
    first.zip(last).map_or(0, |(first, last)| last.0.as_second() - first.0.as_second())
}

/// The pod whose container restores now.
pub(crate) fn restoring(view: &View) -> Option<String> {
    let label = label("pgbackrest-restore");
    let running = |pod: &&Pod| begun(pod, RESTORE).is_some() && terminated(pod, RESTORE).is_none();
    view.pods_with(&label).find(running).map(ResourceExt::name_any)
}

/// How a container of a pod ended, if it did.
pub(crate) fn terminated<'a>(pod: &'a Pod, container: &str) -> Option<&'a ContainerStateTerminated> {
    let statuses = pod.status.as_ref()?.container_statuses.as_ref()?;
    let found = statuses.iter().find(|status| status.name == container)?;
    let state = found.state.as_ref()?;
    state.terminated.as_ref().or_else(|| found.last_state.as_ref()?.terminated.as_ref())
}

/// Whether a container ended before anything of its own ran: its node could not start it.
pub(crate) fn never_started(ended: &ContainerStateTerminated) -> bool {
    matches!(ended.reason.as_deref(), Some("StartError" | "ContainerCannotRun"))
}

/// What a sign means that says enough by itself.
pub(crate) fn finding(sign: &Sign) -> Finding {
    match sign {
        Sign::RestoreFailed { status, .. } => {
            diagnosis::not_reborn(&Symptoms { restore_status: Some(*status), ..Symptoms::default() })
        }
        Sign::Said(line) => {
            let symptoms = Symptoms { server_log: line.clone(), ..Symptoms::default() };
            diagnosis::not_reborn(&symptoms)
                .with_evidence(["the operator begins this recovery again for ever".to_owned()])
        }
        Sign::GaveUp { pod, line } => Finding::certain(
            "primary-not-started",
            "PostgreSQL did not start on what was restored, and Patroni moved that away: no later attempt can succeed",
            "correct what the FATAL line names, if there is one, delete the PostgresCluster with its volumes, and \
             restore again; without one a node that is short of CPU, memory or disk was enough",
        )
        .with_evidence([format!("pod {pod}: {line}")]),
        Sign::Event { reason, about, message } => {
            event_finding(reason, message).with_evidence([format!("event {reason} on {about}: {message}")])
        }
    }
}

fn event_finding(reason: &str, message: &str) -> Finding {
    match reason {
        "InvalidDataSource" => Finding::certain(
            "option-refused",
            "the operator refuses an option of the restore, and says so in an event alone",
            "take the option out of dataSource.pgbackrest.options: the operator sets it, or another field does",
        ),
        "ProvisioningFailed" | "ExternalProvisioning" => Finding::certain(
            "volume-not-provisioned",
            "the volume for the data cannot be provisioned",
            "name a StorageClass that this cluster has and that can provision: `kubectl get storageclass`",
        ),
        "FailedAttachVolume" => Finding::certain(
            "volume-not-ready",
            "the volume for the data is there and never becomes ready",
            "look at the volume where its storage does: with Longhorn `kubectl -n longhorn-system get \
             volumes.longhorn.io`, whose replicas need nodes with free disk",
        ),
        "FailedMount" => Finding::certain(
            "secret-missing",
            "a Secret that the restore needs is not there",
            "create the Secret before the PostgresCluster: what it holds must be kept outside the fire",
        ),
        "Failed" => Finding::certain(
            "image-not-pulled",
            "an image cannot be pulled",
            "check the image's name, and whether the nodes reach its registry",
        ),
        _ => Finding::certain("not-reborn", message, "read the events in the evidence")
            .with_certainty(Certainty::Unsure),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn view(event: serde_json::Value) -> View {
        let event: Event = serde_json::from_value(event).unwrap();
        View { events: [("e".to_owned(), event)].into(), ..View::default() }
    }

    fn warning(kind: &str, reason: &str, message: &str) -> serde_json::Value {
        json!({ "metadata": {}, "type": "Warning", "reason": reason, "message": message,
            "involvedObject": { "kind": kind, "name": "tazlab-db" } })
    }

    fn code(event: serde_json::Value) -> Option<String> {
        sign(&view(event), "s3-backrest-creds").map(|sign| finding(&sign).code)
    }

    #[test]
    fn an_event_that_decides_has_its_code_and_one_that_passes_has_none() {
        let refused = "Option '--repo' is not allowed: please use the 'repoName' field instead.";
        let found = code(warning("PostgresCluster", "InvalidDataSource", refused));
        assert_eq!(found.as_deref(), Some("option-refused"));
        let class = "storageclass.storage.k8s.io \"longhorn-nope\" not found";
        let found = code(warning("PersistentVolumeClaim", "ProvisioningFailed", class));
        assert_eq!(found.as_deref(), Some("volume-not-provisioned"));
        let secret = "MountVolume.SetUp failed for volume \"pgbackrest-config\" : secret \"s3-backrest-creds\" not found";
        assert_eq!(code(warning("Pod", "FailedMount", secret)).as_deref(), Some("secret-missing"));
        let late = "MountVolume.SetUp failed for volume \"x\" : failed to sync configmap cache: timed out";
        assert_eq!(code(warning("Pod", "FailedMount", late)), None);
        let stanzas = "command terminated with exit code 50: ";
        assert_eq!(code(warning("PostgresCluster", "UnableToCreateStanzas", stanzas)), None);
    }

    /// Recorded in the field, and not planted by any drill: longhorn/longhorn#6776.
    #[test]
    fn what_longhorn_says_of_a_volume_is_recognised_once_it_lasts() {
        let recorded = include_str!("../../../fixtures/recorded/longhorn-not-ready.json");
        let mut event: serde_json::Value = serde_json::from_str(recorded).unwrap();
        assert_eq!(code(event.clone()).as_deref(), Some("volume-not-ready"));
        event["lastTimestamp"] = event["firstTimestamp"].clone();
        assert_eq!(code(event), None);
    }

    #[test]
    fn a_volume_is_waited_for_once_somebody_began_to_provision_it() {
        let event = |reason: &str, last: &str| {
            let event = json!({ "metadata": { "name": reason }, "type": "Normal", "reason": reason, "count": 2,
                "firstTimestamp": "2026-11-21T15:30:22Z", "lastTimestamp": last,
                "involvedObject": { "kind": "PersistentVolumeClaim", "name": "data" } });
            (reason.to_owned(), serde_json::from_value::<Event>(event).unwrap())
        };
        let claim = json!({ "metadata": { "name": "data" }, "status": { "phase": "Pending" } });
        let claims = [("data".to_owned(), serde_json::from_value(claim).unwrap())];
        // it is counted up within a second too, when a claim changes
        let (once, again) = ("2026-11-21T15:30:52Z", "2026-11-21T15:31:07Z");
        let asked = |last| event("ExternalProvisioning", last);
        let seen = |events: Vec<(String, Event)>| {
            let view = View {
                claims: claims.clone().into(),
                events: events.into_iter().collect(),
                ..View::default()
            };
            sign(&view, "").map(|sign| finding(&sign).code)
        };
        assert_eq!(seen(vec![asked(once)]), None);
        assert_eq!(seen(vec![asked(again)]).as_deref(), Some("volume-not-provisioned"));
        assert_eq!(seen(vec![asked(again), event("Provisioning", once)]), None);
    }

    #[test]
    fn a_target_that_is_never_reached_ends_it() {
        let line = format!("FATAL:  {}", diagnosis::TARGET_MISSED);
        let view = View { signs: vec![Sign::Said(line)], ..View::default() };
        assert_eq!(finding(&sign(&view, "").unwrap()).code, "target-not-reached");
    }

    #[test]
    fn a_database_that_is_given_up_ends_it_with_what_was_said() {
        let line = "INFO: removing initialize key after failed attempt to bootstrap the cluster".to_owned();
        let view = View { signs: vec![Sign::GaveUp { pod: "db-0".into(), line }], ..View::default() };
        let found = finding(&sign(&view, "").unwrap());
        assert_eq!(found.code, "primary-not-started");
        assert!(found.evidence[0].contains("db-0: INFO: removing initialize key"), "{:?}", found.evidence);
    }

    #[test]
    fn a_container_that_its_node_could_not_start_said_nothing() {
        let ended = |reason: &str| ContainerStateTerminated {
            exit_code: 128,
            reason: Some(reason.to_owned()),
            ..Default::default()
        };
        assert!(never_started(&ended("StartError")) && !never_started(&ended("Error")));
    }

    #[test]
    fn the_first_end_of_the_restore_decides() {
        let pod: Pod = serde_json::from_value(json!({
            "metadata": { "name": "r-1", "labels": { "postgres-operator.crunchydata.com/pgbackrest-restore": "" } },
            "status": { "containerStatuses": [{ "name": RESTORE, "image": "", "imageID": "", "ready": false,
                "restartCount": 0, "state": { "terminated": { "exitCode": 37 } } }] },
        }))
        .unwrap();
        let view = View { pods: [("r-1".to_owned(), pod)].into(), ..View::default() };
        let found = sign(&view, "").unwrap();
        assert_eq!(found, Sign::RestoreFailed { pod: "r-1".into(), status: 37 });
        assert_eq!(finding(&found).code, "option-missing");
    }
}
