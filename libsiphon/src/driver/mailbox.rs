//! Bounded mailboxes between shards, and from background threads to shards.
//!
//! One queue per shard, so that everything posted by one poster arrives in that order. What may still be posted
//! as the queue fills depends on what it is: new work stops first, messages of running calls next, octets to be
//! sent last. The rest is never refused, and bounded elsewhere: answers of DNS, store and policy by the open tickets,
//! reports of sends by the transactions and kept ACKs, closed connections by the limit on connections, and signals, of
//! which a waker posts one for each thing it has done.

use crate::base::time::Instant;
use crate::driver::overload::OverloadSettings;
use crate::driver::priority::is_new_work;
use crate::engine::Mail;
use crate::policy::Ticket;
use crate::proto::locate::Records;
use crate::wire::ng::MediaResult;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// What can be posted to a shard.
#[derive(Debug)]
pub enum Post {
    /// From another shard.
    Mail(Mail),
    /// DNS answered.
    LookedUp {
        /// Whose question it was.
        ticket: Ticket,
        /// The answer.
        records: Records,
    },
    /// A media engine answered, or did not.
    MediaDone {
        /// Whose command it was.
        ticket: Ticket,
        /// What came of it.
        result: Box<MediaResult>,
    },
    /// A store answered.
    Committed {
        /// Whose commit it was.
        ticket: Ticket,
        /// False when the store refused or failed.
        stored: bool,
    },
    /// The policy has something to say: it is to be woken.
    WakePolicy,
    /// There is something in the control list of this shard.
    Control,
}

/// How full a mailbox may be for each kind of post.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MailLimits {
    /// New requests are accepted below this many waiting posts.
    pub new_work: usize,
    /// Messages of running calls are accepted below this many.
    pub running: usize,
    /// Octets to be sent are accepted below this many.
    pub sends: usize,
}

impl Default for MailLimits {
    fn default() -> Self {
        MailLimits { new_work: 4096, running: 8192, sends: 16_384 }
    }
}

impl MailLimits {
    fn of(&self, post: &Post) -> usize {
        match post {
            Post::Mail(Mail::Message { message, .. }) if is_new_work(message) => self.new_work,
            Post::Mail(Mail::Message { .. }) => self.running,
            Post::Mail(Mail::Send { .. }) => self.sends,
            _ => usize::MAX,
        }
    }
}

/// The mailbox of one shard.
#[derive(Debug)]
struct Mailbox {
    queue: Mutex<VecDeque<(Instant, Post)>>,
    /// Posts that the shard has taken out and not yet handled; they count as waiting.
    taken: AtomicUsize,
    /// When the oldest waiting post was posted, as far as posters are to know; [`NEVER`] when none waits.
    oldest: AtomicU64,
    /// Its shard has seen posts wait for too long for too long.
    overloaded: AtomicBool,
    /// Something was posted since the shard last looked.
    filled: AtomicBool,
    /// The shard waits, and does not look again by itself: whoever posts first wakes it.
    asleep: AtomicBool,
    waker: mio::Waker,
}

/// The mailboxes of a node's shards.
#[derive(Debug)]
pub struct Mailboxes {
    boxes: Vec<Mailbox>,
    limits: MailLimits,
}

impl Mailboxes {
    /// One mailbox per waker; the waker of a shard interrupts its wait.
    pub fn new(wakers: Vec<mio::Waker>, limits: MailLimits) -> Self {
        let mailbox = |waker| Mailbox {
            queue: Mutex::default(),
            taken: AtomicUsize::new(0),
            oldest: AtomicU64::new(NEVER),
            overloaded: AtomicBool::new(false),
            filled: AtomicBool::new(false),
            asleep: AtomicBool::new(true),
            waker,
        };
        Mailboxes { boxes: wakers.into_iter().map(mailbox).collect(), limits }
    }

    /// Posts all of `posts`, in order, with one lock and at most one wake-up. Those for which there is no room
    /// are moved to `refused`.
    pub fn post_all(&self, to: u8, at: Instant, posts: &mut Vec<Post>, refused: &mut Vec<Post>) {
        let Some(mailbox) = self.boxes.get(usize::from(to)) else {
            refused.append(posts);
            return;
        };
        {
            let mut queue = mailbox.queue.lock().unwrap_or_else(PoisonError::into_inner);
            let taken = mailbox.taken.load(Ordering::Relaxed);
            // Also behind signals, which bear no time, and where its shard took all the others.
            if mailbox.oldest.load(Ordering::Relaxed) == NEVER {
                mailbox.oldest.store(at.0, Ordering::Relaxed);
            }
            for post in posts.drain(..) {
                if queue.len() + taken < self.limits.of(&post) {
                    queue.push_back((at, post));
                } else {
                    refused.push(post);
                }
            }
        }
        mailbox.wake();
    }

    /// Posts something that is never refused.
    pub fn signal(&self, to: u8, post: Post) {
        let Some(mailbox) = self.boxes.get(usize::from(to)) else { return };
        mailbox.queue.lock().unwrap_or_else(PoisonError::into_inner).push_back((Instant::EPOCH, post));
        mailbox.wake();
    }

    /// Moves everything posted to `shard` to the end of `into`, and says so to posters: what is in `into` still
    /// counts as waiting until [`settle`](Self::settle).
    pub fn take(&self, shard: u8, into: &mut VecDeque<(Instant, Post)>) {
        let Some(mailbox) = self.boxes.get(usize::from(shard)) else { return };
        // Cleared before looking: what is posted after the look is seen at the next one.
        mailbox.filled.store(false, Ordering::SeqCst);
        let mut queue = mailbox.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if into.is_empty() {
            std::mem::swap(&mut *queue, into);
        } else {
            into.append(&mut queue);
        }
        mailbox.holds(into);
    }

    /// Whether something was posted to `shard` since it last took what was there.
    pub fn is_filled(&self, shard: u8) -> bool {
        self.boxes.get(usize::from(shard)).is_some_and(|mailbox| mailbox.filled.load(Ordering::SeqCst))
    }

    /// The shard is about to wait. False when something was posted meanwhile, and then it must not. A shard that is
    /// awake looks for mail once per turn, so a poster need not wake it.
    pub fn falls_asleep(&self, shard: u8) -> bool {
        let Some(mailbox) = self.boxes.get(usize::from(shard)) else { return true };
        mailbox.asleep.store(true, Ordering::SeqCst);
        // Here first sleep, then look; a poster first fills, then asks who sleeps: one of the two sees the other.
        let may = !mailbox.filled.load(Ordering::SeqCst);
        if !may {
            mailbox.asleep.store(false, Ordering::SeqCst);
        }
        may
    }

    /// The shard waits no more.
    pub fn wakes_up(&self, shard: u8) {
        if let Some(mailbox) = self.boxes.get(usize::from(shard)) {
            mailbox.asleep.store(false, Ordering::SeqCst);
        }
    }

    /// The shard has these posts left in hand.
    pub fn settle(&self, shard: u8, left: &VecDeque<(Instant, Post)>) {
        if let Some(mailbox) = self.boxes.get(usize::from(shard)) {
            mailbox.holds(left);
        }
    }

    /// The shard says whether it has more mail than it sustains.
    pub fn set_overloaded(&self, shard: u8, overloaded: bool) {
        if let Some(mailbox) = self.boxes.get(usize::from(shard)) {
            mailbox.overloaded.store(overloaded, Ordering::Relaxed);
        }
    }

    /// Whether new work for `shard` would wait too long: what posters ask before they post it, so that it is turned
    /// away where it came in. A shard that has taken nothing for a whole interval need not say so itself.
    pub fn is_late(&self, shard: u8, settings: &OverloadSettings, now: Instant) -> bool {
        let Some(mailbox) = self.boxes.get(usize::from(shard)) else { return false };
        let oldest = mailbox.oldest.load(Ordering::Relaxed);
        if oldest == NEVER {
            return false;
        }
        let waited = now.since(Instant(oldest));
        waited > settings.target && (mailbox.overloaded.load(Ordering::Relaxed) || waited > settings.interval)
    }

    /// How many shards there are.
    pub fn shards(&self) -> u8 {
        u8::try_from(self.boxes.len()).unwrap_or(u8::MAX)
    }
}

/// In place of the time of an oldest post.
const NEVER: u64 = u64::MAX;

impl Mailbox {
    /// What its shard has in hand, oldest first. A signal bears no time: what stands behind it does.
    fn holds(&self, posts: &VecDeque<(Instant, Post)>) {
        self.taken.store(posts.len(), Ordering::Relaxed);
        let oldest = posts.iter().take(8).map(|(at, _)| at.0).find(|at| *at != Instant::EPOCH.0);
        self.oldest.store(oldest.unwrap_or(NEVER), Ordering::Relaxed);
    }

    fn wake(&self) {
        self.filled.store(true, Ordering::SeqCst);
        if self.asleep.swap(false, Ordering::SeqCst) {
            // It fails only when the eventfd is gone, and then so is the shard.
            let _ = self.waker.wake();
        }
    }
}

/// Interrupts a shard's wait so that its policy is woken: how a lane or a background loop says that it has an
/// answer.
#[derive(Clone, Debug)]
pub struct PolicyWaker {
    mailboxes: std::sync::Arc<Mailboxes>,
    shard: u8,
}

impl PolicyWaker {
    pub(crate) fn new(mailboxes: std::sync::Arc<Mailboxes>, shard: u8) -> Self {
        PolicyWaker { mailboxes, shard }
    }

    /// [`Policy::wake`](crate::policy::Policy::wake) is called soon, on the shard's own thread.
    pub fn wake(&self) {
        self.mailboxes.signal(self.shard, Post::WakePolicy);
    }
}

#[cfg(test)]
#[path = "mailbox_tests.rs"]
mod tests;
