//! Time is spans: named stretches that nest and may run side by side.

use crate::Result;
use phoenix_core::{Event, Moment, SpanRecord, SpanStatus};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Somebody who is told what happens, as it happens.
pub trait Reporter: Send {
    /// Something happened.
    fn event(&mut self, event: &Event);
}

/// A drill's clock and its spans.
#[derive(Clone)]
pub struct Spans(Arc<Inner>);

struct Inner {
    origin: Instant,
    state: Mutex<State>,
}

struct State {
    next: u32,
    records: Vec<SpanRecord>,
    reporters: Vec<Box<dyn Reporter>>,
}

impl Spans {
    /// Starts the clock.
    pub fn start(reporters: Vec<Box<dyn Reporter>>) -> Self {
        let state = State { next: 1, records: Vec::new(), reporters };
        Self(Arc::new(Inner { origin: Instant::now(), state: Mutex::new(state) }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Now, on the drill's monotonic clock.
    pub fn now(&self) -> Moment {
        Moment(u64::try_from(self.0.origin.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    /// Tells the reporters.
    pub fn emit(&self, event: &Event) {
        for reporter in &mut self.state().reporters {
            reporter.event(event);
        }
    }

    /// The spans that have ended, in the order of their beginning.
    pub fn records(&self) -> Vec<SpanRecord> {
        let mut records = self.state().records.clone();
        records.sort_by_key(|span| span.id);
        records
    }

    /// Runs work as a span at the top.
    pub async fn run<T>(&self, name: &str, work: impl AsyncFnOnce(&Span) -> Result<T>) -> Result<T> {
        self.begin(None, name).watch(work).await
    }

    fn number(&self) -> u32 {
        let mut state = self.state();
        state.next += 1;
        state.next - 1
    }

    fn begin(&self, parent: Option<u32>, name: &str) -> Span {
        let id = self.number();
        self.emit(&Event::SpanStarted { id, parent, name: name.to_owned() });
        let (name, detail) = (name.to_owned(), Mutex::default());
        let start = self.0.origin.elapsed();
        Span { spans: self.clone(), id, parent, name, start, detail, status: SpanStatus::Interrupted }
    }
}

/// A span under way. What is dropped before its work ends was interrupted.
pub struct Span {
    spans: Spans,
    id: u32,
    parent: Option<u32>,
    name: String,
    start: Duration,
    detail: Mutex<String>,
    status: SpanStatus,
}

impl Span {
    /// Runs work as a span within this one.
    pub async fn run<T>(&self, name: &str, work: impl AsyncFnOnce(&Span) -> Result<T>) -> Result<T> {
        self.spans.begin(Some(self.id), name).watch(work).await
    }

    async fn watch<T>(mut self, work: impl AsyncFnOnce(&Span) -> Result<T>) -> Result<T> {
        let result = work(&self).await;
        self.status = match &result {
            Ok(_) => SpanStatus::Done,
            Err(error) => {
                self.detail(error.chain());
                SpanStatus::Failed
            }
        };
        result
    }

    /// Sets what to know about it.
    pub fn detail(&self, text: impl Into<String>) {
        *self.detail.lock().unwrap_or_else(PoisonError::into_inner) = text.into();
    }

    /// Tells how far it has come.
    pub fn progress(&self, text: impl Into<String>) {
        self.spans.emit(&Event::Progress { id: self.id, detail: text.into() });
    }

    /// Tells another drill as what happens within this span.
    pub fn teller(&self) -> Box<dyn Reporter> {
        let (spans, ids) = (self.spans.clone(), BTreeMap::new());
        Box::new(Teller { offset: spans.0.origin.elapsed(), spans, around: self.id, ids })
    }

    /// The time since it began.
    pub fn elapsed(&self) -> Duration {
        self.spans.0.origin.elapsed().saturating_sub(self.start)
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        let record = SpanRecord {
            id: self.id,
            parent: self.parent,
            name: std::mem::take(&mut self.name),
            start: self.start,
            elapsed: self.elapsed(),
            status: self.status,
            detail: std::mem::take(self.detail.get_mut().unwrap_or_else(PoisonError::into_inner)),
        };
        self.spans.emit(&Event::SpanFinished(record.clone()));
        self.spans.state().records.push(record);
    }
}

/// Tells another drill as what happens within a span of this one.
struct Teller {
    spans: Spans,
    around: u32,
    /// The numbers of its spans here.
    ids: BTreeMap<u32, u32>,
    /// When it began, on the clock of this drill.
    offset: Duration,
}

impl Teller {
    fn here(&self, id: Option<u32>) -> u32 {
        id.and_then(|id| self.ids.get(&id).copied()).unwrap_or(self.around)
    }
}

impl Reporter for Teller {
    fn event(&mut self, event: &Event) {
        let told = match event.clone() {
            Event::DrillStarted { .. } => {
                self.offset = self.spans.0.origin.elapsed();
                return;
            }
            Event::DrillFinished(_) => return,
            Event::SpanStarted { id, parent, name } => {
                let (there, id, parent) = (id, self.spans.number(), Some(self.here(parent)));
                self.ids.insert(there, id);
                Event::SpanStarted { id, parent, name }
            }
            Event::Progress { id, detail } => Event::Progress { id: self.here(Some(id)), detail },
            Event::SpanFinished(mut record) => {
                // what may fail there is that drill's own affair
                if record.status == SpanStatus::Failed {
                    record.status = SpanStatus::Done;
                    record.detail = format!("failed: {}", record.detail);
                }
                let (id, parent) = (self.here(Some(record.id)), Some(self.here(record.parent)));
                let record = SpanRecord { id, parent, start: record.start + self.offset, ..record };
                self.spans.state().records.push(record.clone());
                Event::SpanFinished(record)
            }
            notice @ Event::Notice { .. } => notice,
        };
        self.spans.emit(&told);
    }
}

/// The part of `total` that no span at the top covered.
pub fn uncovered(records: &[SpanRecord], total: Duration) -> Duration {
    let mut tops: Vec<_> = records.iter().filter(|span| span.parent.is_none()).collect();
    tops.sort_by_key(|span| span.start);
    let (mut covered, mut end) = (Duration::ZERO, Duration::ZERO);
    for span in tops {
        let (from, to) = (span.start.max(end), span.start + span.elapsed);
        covered += to.saturating_sub(from);
        end = end.max(to);
    }
    total.saturating_sub(covered)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;

    #[tokio::test]
    async fn spans_nest_and_say_how_they_ended() {
        let spans = Spans::start(Vec::new());
        let done = spans.run("birth", async |birth| birth.run("initdb", async |_| Ok(7)).await).await;
        assert_eq!(done.unwrap(), 7);
        let failed: Result<()> = spans.run("backup", async |_| Err(Error::Demand("x".into()))).await;
        failed.unwrap_err();
        let never = spans.run("wipe", async |_| std::future::pending::<Result<()>>().await);
        assert!(futures::FutureExt::now_or_never(never).is_none());
        let seen: Vec<_> = spans.records().into_iter().map(|s| (s.id, s.parent, s.name, s.status)).collect();
        assert_eq!(
            seen,
            [
                (1, None, "birth".into(), SpanStatus::Done),
                (2, Some(1), "initdb".into(), SpanStatus::Done),
                (3, None, "backup".into(), SpanStatus::Failed),
                (4, None, "wipe".into(), SpanStatus::Interrupted),
            ]
        );
    }

    /// Two drills at once: each has its own numbers, and the one within is told where it belongs.
    #[tokio::test]
    async fn another_drill_is_told_within_a_span() {
        let spans = Spans::start(Vec::new());
        let proof = spans.run("proof", async |span| {
            let other = Spans::start(vec![span.teller()]);
            let born = async |birth: &Span| {
                birth.progress("half");
                birth.run("initdb", async |_| Ok(())).await
            };
            other.run("birth", born).await?;
            other.run("rebirth", async |_| Err::<(), _>(Error::Demand("x".into()))).await.unwrap_err();
            span.run("own", async |_| Ok(())).await
        });
        proof.await.unwrap();
        let seen: Vec<_> = spans.records().into_iter().map(|s| (s.id, s.parent, s.name, s.detail)).collect();
        let wanted = [
            (1, None, "proof", ""),
            (2, Some(1), "birth", ""),
            (3, Some(2), "initdb", ""),
            (4, Some(1), "rebirth", "failed: the drill proves nothing: x"),
            (5, Some(1), "own", ""),
        ];
        assert_eq!(seen, wanted.map(|(id, parent, name, detail)| (id, parent, name.into(), detail.into())));
        assert!(spans.records().iter().all(|span| span.status == SpanStatus::Done));
    }

    #[test]
    fn what_no_span_covered_counts_overlaps_once() {
        let span = |start, elapsed| SpanRecord {
            id: 1,
            parent: None,
            name: String::new(),
            status: SpanStatus::Done,
            detail: String::new(),
            start: Duration::from_secs(start),
            elapsed: Duration::from_secs(elapsed),
        };
        let records = [span(1, 4), span(2, 1), span(4, 3), span(9, 1)];
        assert_eq!(uncovered(&records, Duration::from_secs(12)), Duration::from_secs(5));
    }
}
