use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Jobs of many producers, taken in batches by worker threads. The producers bound its length: each job
/// carries its permit.
pub(crate) struct Queue<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

struct State<T> {
    jobs: VecDeque<(Instant, T)>,
    closed: bool,
}

impl<T> Queue<T> {
    pub(crate) fn new() -> Self {
        Self { state: Mutex::new(State { jobs: VecDeque::new(), closed: false }), changed: Condvar::new() }
    }

    /// The queue stays usable after a panic with the lock held: no change to it is left half done.
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a job; returns it when the queue is closed.
    pub(crate) fn push(&self, job: T) -> Result<(), T> {
        let mut state = self.state();
        if state.closed {
            return Err(job);
        }
        state.jobs.push_back((Instant::now(), job));
        drop(state);
        self.changed.notify_one();
        Ok(())
    }

    /// Refuses new jobs; those waiting can still be taken.
    pub(crate) fn close(&self) {
        self.state().closed = true;
        self.changed.notify_all();
    }

    /// Closes it and drops the waiting jobs.
    pub(crate) fn abandon(&self) {
        let mut state = self.state();
        state.closed = true;
        let dropped = std::mem::take(&mut state.jobs);
        drop(state);
        drop(dropped);
        self.changed.notify_all();
    }

    pub(crate) fn len(&self) -> usize {
        self.state().jobs.len()
    }

    /// Waits for a job, then until there are `most` or the first has waited `patience`. Empty once closed and drained.
    pub(crate) fn take(&self, most: usize, patience: Duration) -> Vec<(Instant, T)> {
        let mut state = self.state();
        loop {
            let Some((since, _)) = state.jobs.front() else {
                if state.closed {
                    return Vec::new();
                }
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = patience.saturating_sub(since.elapsed());
            if state.jobs.len() >= most || state.closed || left.is_zero() {
                let count = state.jobs.len().min(most);
                return state.jobs.drain(..count).collect();
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    fn jobs<T>(taken: Vec<(Instant, T)>) -> Vec<T> {
        taken.into_iter().map(|(_, job)| job).collect()
    }

    #[test]
    fn full_batches_go_at_once_in_order() {
        let queue = Queue::new();
        (0..5).for_each(|job| queue.push(job).unwrap());
        assert_eq!(jobs(queue.take(2, LONG)), [0, 1]);
        assert_eq!(jobs(queue.take(3, LONG)), [2, 3, 4]);
    }

    #[test]
    fn what_is_there_goes_when_patience_ends() {
        let queue = Queue::new();
        queue.push(1).unwrap();
        assert_eq!(jobs(queue.take(8, Duration::from_millis(1))), [1]);
    }

    #[test]
    fn closing_drains_and_then_ends() {
        let queue = Queue::new();
        queue.push(1).unwrap();
        queue.close();
        assert_eq!(queue.push(2), Err(2));
        assert_eq!(jobs(queue.take(8, LONG)), [1]);
        assert!(queue.take(8, LONG).is_empty());
    }
}
