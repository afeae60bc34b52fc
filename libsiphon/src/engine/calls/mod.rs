//! Calls of two legs: hosting the machine of `proto::b2bua` on the transactions of a shard.

use crate::base::slab::Key;
use crate::base::text::Text;
use crate::engine::contract::Effects;
use crate::engine::shard::Shard;
use crate::policy::CallAction;

/// What policy did with a call, in the words of the event stream.
pub(crate) fn named(actions: &[CallAction]) -> Text {
    let word = |action: &CallAction| match action {
        CallAction::Progress(spec) => Some(format!("progress {}", spec.code)),
        CallAction::Answer(spec) => Some(format!("answer {}", spec.code)),
        CallAction::Reject(spec) => Some(format!("reject {}", spec.code)),
        CallAction::Dial(dial) => Some(format!("dial {}", dial.targets.len())),
        CallAction::Terminate(_) => Some("terminate".into()),
        CallAction::AcceptRefer { .. } => Some("accept refer".into()),
        CallAction::RejectRefer(spec) => Some(format!("reject refer {}", spec.code)),
        CallAction::Refer { .. } => Some("refer".into()),
        _ => None,
    };
    let words: Vec<String> = actions.iter().filter_map(word).collect();
    words.join(", ").into()
}

impl Shard {
    pub(crate) fn decide_call(&mut self, server: Key, _actions: Vec<CallAction>, out: &mut Effects) {
        self.reply_code(server, 501, &[], out);
    }
}
