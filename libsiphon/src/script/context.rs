//! What the namespaces need to know of the handler that calls them: which script, which shard, what time it is.
//!
//! One context per policy, lane thread and load, set for the time Python code runs. Calls from threads that
//! scripts start themselves fall back to the process's newest script.

use super::node_script::Script;
use super::services::{LogLevel, LogLine, NodeServices};
use crate::base::text::Text;
use crate::base::time::Instant;
use crate::policy::Want;
use crate::wire::sip::Message;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use std::cell::RefCell;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};

/// How the running Python code was entered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Mode {
    /// A script is being loaded.
    Load,
    /// A sync handler on the shard's own thread: waiting is not possible.
    Inline,
    /// A sync handler in the lane: waiting blocks the thread.
    Lane,
    /// An `async def` handler: waiting is an await.
    Async,
    /// A thread of the script's own.
    Outside,
}

/// What a handler is called about, as log lines name it.
#[derive(Clone, Default)]
pub(crate) struct Subject {
    /// The message.
    pub(crate) message: Option<Message>,
    /// Our id of the call it belongs to.
    pub(crate) call: Option<Text>,
}

/// The surroundings of running Python code.
pub(crate) struct Context {
    pub(crate) script: Arc<Script>,
    pub(crate) shard: u8,
    mode: AtomicU8,
    now: AtomicU64,
    /// What is being handled, for log lines.
    subject: Mutex<Subject>,
    /// Wishes of the running code that are no verdict.
    wants: Mutex<Vec<Want>>,
}

const MODES: [Mode; 5] = [Mode::Load, Mode::Inline, Mode::Lane, Mode::Async, Mode::Outside];

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Context {
    pub(crate) fn new(script: Arc<Script>, shard: u8, mode: Mode) -> Arc<Context> {
        Arc::new(Context {
            script,
            shard,
            mode: AtomicU8::new(mode as u8),
            now: AtomicU64::new(0),
            subject: Mutex::default(),
            wants: Mutex::new(Vec::new()),
        })
    }

    pub(crate) fn services(&self) -> &dyn NodeServices {
        self.script.services()
    }

    pub(crate) fn mode(&self) -> Mode {
        MODES.get(usize::from(self.mode.load(Ordering::Relaxed))).copied().unwrap_or(Mode::Outside)
    }

    pub(crate) fn set_mode(&self, mode: Mode) {
        self.mode.store(mode as u8, Ordering::Relaxed);
    }

    pub(crate) fn now(&self) -> Instant {
        Instant(self.now.load(Ordering::Relaxed))
    }

    pub(crate) fn set_now(&self, now: Instant) {
        self.now.store(now.0, Ordering::Relaxed);
    }

    pub(crate) fn set_subject(&self, subject: Subject) {
        *locked(&self.subject) = subject;
    }

    /// The message that was handled: the handler is done.
    pub(crate) fn take_message(&self) -> Option<Message> {
        locked(&self.subject).message.take()
    }

    /// Writes a line to the log, with the Call-ID of the message being handled, and with our id of its call.
    pub(crate) fn write(&self, level: LogLevel, text: &str, fields: &[(String, String)], script_line: &str) {
        // A clone, so that a log sink is not called under the lock.
        let subject = locked(&self.subject).clone();
        self.write_of(&subject, level, text, fields, script_line);
    }

    /// The same of another message of what is being handled.
    pub(crate) fn write_about(&self, message: &Message, level: LogLevel, text: &str, script_line: &str) {
        let call = locked(&self.subject).call.clone();
        let subject = Subject { message: Some(message.clone()), call };
        self.write_of(&subject, level, text, &[], script_line);
    }

    fn write_of(
        &self,
        Subject { message, call }: &Subject,
        level: LogLevel,
        text: &str,
        fields: &[(String, String)],
        script_line: &str,
    ) {
        let call_id = message.as_ref().map(|m| m.call_id());
        let named = call.as_ref().map(|id| [fields, &[("call".to_owned(), id.to_string())]].concat());
        let fields = named.as_deref().unwrap_or(fields);
        self.services().log(LogLine { level, text, fields, script_line, call_id });
    }

    pub(crate) fn want(&self, want: Want) {
        locked(&self.wants).push(want);
    }

    pub(crate) fn drain_wants(&self, into: &mut Vec<Want>) {
        into.append(&mut locked(&self.wants));
    }

    pub(crate) fn forget_wants(&self) {
        locked(&self.wants).clear();
    }
}

thread_local! {
    static CURRENT: RefCell<Option<Arc<Context>>> = const { RefCell::new(None) };
}

/// The script of the process when nothing else says which one is meant.
static NEWEST: RwLock<Weak<Script>> = RwLock::new(Weak::new());

/// Makes `script` the one that threads of scripts' own talk to.
pub(crate) fn set_newest(script: &Arc<Script>) {
    *NEWEST.write().unwrap_or_else(std::sync::PoisonError::into_inner) = Arc::downgrade(script);
}

/// Puts `context` in the place of the current one of this thread, which comes back.
pub(crate) fn swap(context: Option<Arc<Context>>) -> Option<Arc<Context>> {
    CURRENT.with(|current| current.replace(context))
}

/// Leaves the context when dropped.
pub(crate) struct Entered(Option<Arc<Context>>);

/// Makes `context` the current one of this thread.
pub(crate) fn enter(context: &Arc<Context>) -> Entered {
    Entered(swap(Some(context.clone())))
}

impl Drop for Entered {
    fn drop(&mut self) {
        swap(self.0.take());
    }
}

/// The context of the running code.
pub(crate) fn current() -> PyResult<Arc<Context>> {
    if let Some(context) = CURRENT.with(|current| current.borrow().clone()) {
        return Ok(context);
    }
    let newest = NEWEST.read().unwrap_or_else(std::sync::PoisonError::into_inner).upgrade();
    let script = newest.ok_or_else(|| PyRuntimeError::new_err("no siphon node runs in this process"))?;
    let context = Context::new(script, 0, Mode::Outside);
    context.set_now(context.script.clock());
    Ok(context)
}

/// The current context when there is one; log lines of foreign threads may find none.
pub(crate) fn try_current() -> Option<Arc<Context>> {
    current().ok()
}
