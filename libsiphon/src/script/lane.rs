//! The lane: bounded threads for sync handlers that wait or take long, and one thread that waits for the
//! interpreter so that shards need not.
//!
//! While a handler runs in the lane it may hold the interpreter for as long as it likes (a regular expression of
//! `re`, a C extension). A shard that attached would wait for it, so inline handlers go to the express thread
//! until the lane is quiet.

use super::interpreter::wrap_thread;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};

/// Work for a lane thread.
pub(crate) type Job = Box<dyn FnOnce() + Send>;

/// Bounded threads with a bounded queue; threads start when there is work for them and stay.
struct Pool {
    name: &'static str,
    queue: Mutex<Queue>,
    filled: Condvar,
    most_threads: usize,
    most_queued: usize,
    /// Jobs queued or running.
    pending: AtomicUsize,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    threads: usize,
    idle: usize,
}

impl Pool {
    fn new(name: &'static str, most_threads: usize, most_queued: usize) -> Arc<Pool> {
        Arc::new(Pool {
            name,
            queue: Mutex::default(),
            filled: Condvar::new(),
            most_threads: most_threads.max(1),
            most_queued,
            pending: AtomicUsize::new(0),
        })
    }

    fn submit(self: &Arc<Self>, job: Job) -> Result<(), Job> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.jobs.len() >= self.most_queued.saturating_add(queue.idle) {
            return Err(job);
        }
        if queue.jobs.len() >= queue.idle && queue.threads < self.most_threads {
            let pool = Arc::downgrade(self);
            let started =
                std::thread::Builder::new().name(self.name.into()).spawn(move || wrap_thread(|| work(&pool)));
            match started {
                Ok(_) => queue.threads = queue.threads.saturating_add(1),
                Err(_) if queue.threads == 0 => return Err(job),
                Err(_) => {}
            }
        }
        self.pending.fetch_add(1, Ordering::AcqRel);
        queue.jobs.push_back(job);
        drop(queue);
        self.filled.notify_one();
        Ok(())
    }
}

/// One thread of a pool: ends when the pool is gone.
fn work(pool: &Weak<Pool>) {
    while let Some(pool) = pool.upgrade() {
        let mut queue = pool.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.jobs.is_empty() {
            queue.idle = queue.idle.saturating_add(1);
            // Looks up now and then, to see whether the pool is still wanted.
            let patience = std::time::Duration::from_secs(1);
            queue = pool.filled.wait_timeout(queue, patience).unwrap_or_else(PoisonError::into_inner).0;
            queue.idle = queue.idle.saturating_sub(1);
        }
        let Some(job) = queue.jobs.pop_front() else { continue };
        drop(queue);
        // A panic is a fault of ours in one call; the other calls of the lane go on. The panic hook has told it.
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job));
        pool.pending.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The lanes of a script.
pub(crate) struct Lanes {
    lane: Arc<Pool>,
    express: Arc<Pool>,
}

impl Lanes {
    pub(crate) fn new(threads: usize, queue: usize) -> Self {
        Lanes {
            lane: Pool::new("siphon-lane", threads, queue),
            express: Pool::new("siphon-express", 1, queue),
        }
    }

    /// A handler that waits or takes long. The job comes back when the queue is full.
    pub(crate) fn submit(&self, job: Job) -> Result<(), Job> {
        self.lane.submit(job)
    }

    /// A handler that would run inline if the interpreter were free.
    pub(crate) fn express(&self, job: Job) -> Result<(), Job> {
        self.express.submit(job)
    }

    /// Whether something runs apart that may hold the interpreter.
    pub(crate) fn is_busy(&self) -> bool {
        self.lane.pending.load(Ordering::Acquire) > 0
    }
}
