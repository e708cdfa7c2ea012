//! Nobody asks the store before the restore: the operator's own fails without a word of the operator's, and the
//! first end of its container says why.

use crate::play;
use phoenix_cli::testing::assert_as_expected;
use rstest::rstest;

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn the_first_end_of_the_operators_restore_says_why(
    #[values("pitfalls-credentials", "pitfalls-repository")] scenario: &str,
) {
    assert_as_expected(&play(scenario, |config| config.probe_store = false).await.unwrap());
}
