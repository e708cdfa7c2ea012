//! Waiting: always for something named, never longer than said, and never blind.

use crate::{Error, Result};
use std::time::{Duration, Instant};

/// A look that takes longer than this, and longer than the whole wait may, is given up.
const LOOK_LIMIT: Duration = Duration::from_secs(60);

/// What one look found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wait<T> {
    /// It is there.
    Ready(T),
    /// It is not there yet; what was seen instead.
    NotYet(String),
}

/// Lets time pass between two looks. Nothing else may sleep.
#[expect(clippy::disallowed_methods, reason = "the one place that sleeps: whoever waits says for what")]
pub async fn pause(duration: Duration) {
    tokio::time::sleep(duration).await;
}

/// Looks every `interval` until it is there or `deadline` has passed; then says what was last seen.
pub async fn wait_for<T, Look: Future<Output = Result<Wait<T>>>>(
    what: &str,
    deadline: Duration,
    interval: Duration,
    mut look: impl FnMut() -> Look,
) -> Result<T> {
    let start = Instant::now();
    let mut last = "nothing".to_owned();
    loop {
        match tokio::time::timeout(deadline.max(LOOK_LIMIT), look()).await {
            Ok(looked) => match looked? {
                Wait::Ready(value) => return Ok(value),
                Wait::NotYet(seen) => last = seen,
            },
            Err(_) => last.push_str("; then a look did not end"),
        }
        if start.elapsed() >= deadline {
            return Err(Error::Timeout { what: what.to_owned(), last, after: deadline });
        }
        pause(interval).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn says_what_it_last_saw() {
        let mut looks = 0;
        let tick = Duration::from_millis(1);
        let waited = wait_for("the third look", Duration::from_secs(60), tick, || {
            looks += 1;
            let seen = if looks == 3 { Wait::Ready(looks) } else { Wait::NotYet(format!("look {looks}")) };
            async { Ok(seen) }
        });
        assert_eq!(waited.await.unwrap(), 3);
        let never = wait_for("nothing", Duration::ZERO, tick, async || Ok(Wait::<()>::NotYet("dark".into())));
        let error = never.await.unwrap_err();
        assert_eq!(error.to_string(), "waited 0ns in vain for nothing; last seen: dark");
    }
}
