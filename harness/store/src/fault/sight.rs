//! What a request seems to find under a key, whoever keeps the versions: the latest, or what the
//! armed faults of storage make of it.

use super::armed::{Fit, StorageView};
use super::plan::{Operation, StorageFault};

/// The MD5 of nothing, which is the ETag of an empty object.
pub(crate) const EMPTY_ETAG: &str = "d41d8cd98f00b204e9800998ecf8427e";

/// The two versions of a key that matter to a fault.
#[derive(Clone, Debug)]
pub(crate) struct Held<T> {
    /// `None` if the key was never put, or is deleted.
    pub(crate) latest: Option<T>,
    /// The newest object before the latest version, or before the delete marker.
    pub(crate) before: Option<T>,
}

impl<T> Held<T> {
    pub(crate) fn as_ref(&self) -> Held<&T> {
        Held { latest: self.latest.as_ref(), before: self.before.as_ref() }
    }
}

/// What is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen<T> {
    /// The truth, which may be that there is nothing.
    Latest(Option<T>),
    /// Nothing, though there is something.
    Lost,
    /// The version before.
    Before(T),
    /// The latest without its bytes.
    Emptied(T),
}

/// Looks at one key.
pub(crate) fn see<T>(view: &mut StorageView<'_>, key: &str, held: Held<T>) -> Seen<T> {
    let operation = view.operation();
    let (latest, before) = (held.latest.is_some(), held.before.is_some());
    let fault = view.see(key, |fault| {
        Fit::from(match fault {
            StorageFault::Lost => latest,
            StorageFault::Old => before && operation != Operation::ListVersions,
            // A listing is emptied by its prefix, not by the keys in it.
            StorageFault::Empty => latest && !matches!(operation, Operation::List | Operation::ListVersions),
        })
    });
    match (fault, held) {
        (Some(StorageFault::Lost), _) => Seen::Lost,
        (Some(StorageFault::Old), Held { before: Some(before), .. }) => Seen::Before(before),
        (Some(StorageFault::Empty), Held { latest: Some(latest), .. }) => Seen::Emptied(latest),
        (_, held) => Seen::Latest(held.latest),
    }
}

/// Whether a listing of this prefix shall find nothing.
pub(crate) fn is_emptied(view: &mut StorageView<'_>, prefix: &str) -> bool {
    view.see(prefix, |fault| Fit::from(fault == StorageFault::Empty)).is_some()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::{Fault, Faults};
    use super::*;

    const NOTHING: Held<u8> = Held { latest: None, before: None };
    const DELETED: Held<u8> = Held { latest: None, before: Some(1) };
    const ONE: Held<u8> = Held { latest: Some(2), before: None };
    const TWO: Held<u8> = Held { latest: Some(2), before: Some(1) };

    #[rstest]
    #[case(StorageFault::Lost, Operation::Get, ONE, Some(Seen::Lost))]
    #[case(StorageFault::Lost, Operation::Get, DELETED, None)]
    #[case(StorageFault::Lost, Operation::ListVersions, TWO, Some(Seen::Lost))]
    #[case(StorageFault::Old, Operation::Get, TWO, Some(Seen::Before(1)))]
    #[case(StorageFault::Old, Operation::List, DELETED, Some(Seen::Before(1)))]
    #[case(StorageFault::Old, Operation::Get, ONE, None)]
    #[case(StorageFault::Old, Operation::ListVersions, TWO, None)]
    #[case(StorageFault::Empty, Operation::Head, ONE, Some(Seen::Emptied(2)))]
    #[case(StorageFault::Empty, Operation::Head, NOTHING, None)]
    #[case(StorageFault::Empty, Operation::List, TWO, None)]
    fn a_fault_happens_where_it_can(
        #[case] fault: StorageFault,
        #[case] operation: Operation,
        #[case] held: Held<u8>,
        #[case] expected: Option<Seen<u8>>,
    ) {
        let faults = Faults::default();
        faults.arm(Fault::new("fault", fault)).unwrap();
        let truth = Seen::Latest(held.latest);
        let mut view = faults.storage(operation);
        let seen = see(&mut view, "key", held);
        view.finish();
        let fired = u64::from(expected.is_some());
        assert_eq!(seen, expected.unwrap_or(truth));
        assert_eq!((faults.counts()[0].matched, faults.counts()[0].fired), (fired, fired));
    }
}
