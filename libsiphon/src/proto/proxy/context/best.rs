//! The best final response (RFC 3261 16.7 step 6) and the challenges that go with it (step 7).

use crate::wire::sip::{HeaderId, Limits, Message, Splice};

/// The best final response when no branch succeeded.
#[derive(Clone, Debug, PartialEq)]
pub enum Best {
    /// This one came from below. A 401 or 407 holds the challenges of all branches.
    Received(Message),
    /// None came that is better than this one of our own: 408, 480, 487, 503.
    Local {
        /// Status code.
        code: u16,
    },
}

/// What the client is to get.
#[derive(Clone, Debug, PartialEq)]
pub enum Upward {
    /// This response, forwarded.
    Forward(Message),
    /// A response made here.
    Answer(u16),
    /// Nothing at all.
    Nothing,
}

impl Best {
    /// Status code.
    pub fn status(&self) -> u16 {
        match self {
            Best::Received(response) => response.status(),
            Best::Local { code } => *code,
        }
    }

    /// What becomes of it when policy leaves it alone.
    ///
    /// A 503 says that the one who sends it cannot serve any request, which is not for us to say of ourselves because a
    /// server below said so: it goes up as 500 (16.7 step 6). A request other than INVITE gets no 408, for it would come
    /// when the client has given up already and only adds to its load (RFC 4320 4.2).
    pub fn upward(self, invite: bool) -> Upward {
        match (self.status(), self) {
            (503, _) => Upward::Answer(500),
            (408, _) if !invite => Upward::Nothing,
            (_, Best::Received(response)) => Upward::Forward(response),
            (code, Best::Local { .. }) => Upward::Answer(code),
        }
    }
}

/// The final responses so far, as much of them as may still be needed.
#[derive(Clone, Debug, Default)]
pub(super) struct Candidates {
    best: Option<Best>,
    /// 401 and 407 responses, while one of them may be chosen.
    challenges: Vec<Message>,
}

impl Candidates {
    pub(super) fn add(&mut self, response: Message) {
        if is_challenge(response.status()) {
            self.challenges.push(response.clone());
        }
        self.offer(Best::Received(response));
    }

    pub(super) fn add_local(&mut self, code: u16) {
        self.offer(Best::Local { code });
    }

    /// The first among equals stays.
    fn offer(&mut self, response: Best) {
        if self.best.as_ref().is_none_or(|best| rank(response.status()) < rank(best.status())) {
            self.best = Some(response);
        }
    }

    /// A 6xx came.
    pub(super) fn has_global_failure(&self) -> bool {
        self.best.as_ref().is_some_and(|best| best.status() >= 600)
    }

    /// The best response. What it was chosen from stays for the case that policy tries further targets.
    pub(super) fn best(&self) -> Best {
        match &self.best {
            Some(Best::Received(best)) if is_challenge(best.status()) => {
                Best::Received(self.with_challenges(best))
            }
            Some(best) => best.clone(),
            // Targets there were, but none could be opened.
            None => Best::Local { code: 480 },
        }
    }

    /// 16.7 step 7: the challenges of all other 401 and 407 responses are added as they are.
    fn with_challenges(&self, best: &Message) -> Message {
        let mut splice = Splice::of(best);
        let mut added = false;
        for other in self.challenges.iter().filter(|other| *other != best) {
            for id in [HeaderId::WwwAuthenticate, HeaderId::ProxyAuthenticate] {
                for value in other.values(id) {
                    added |= splice.append(id, &value).is_ok();
                }
            }
        }
        if !added {
            return best.clone();
        }
        // Each was within the limits when it came; should they be too much together, the best alone goes up.
        let limits =
            Limits { message: usize::MAX, headers: usize::MAX, body: usize::MAX, ..Limits::default() };
        splice.into_message(&limits).unwrap_or_else(|_| best.clone())
    }
}

fn is_challenge(status: u16) -> bool {
    matches!(status, 401 | 407)
}

/// Lower is better: 6xx, then the lowest class; within 4xx first what tells how to ask again, last what says only that
/// nothing came of it.
fn rank(status: u16) -> u8 {
    match status {
        600.. => 0,
        300..=399 => 1,
        401 | 407 | 415 | 420 | 484 => 2,
        408 | 487 => 4,
        400..=499 => 3,
        503 => 6,
        _ => 5,
    }
}

#[cfg(test)]
#[path = "best_tests.rs"]
mod tests;
