//! A SIP role whose policy is a script, from start to stop: what the binaries of such roles share.

use crate::app::config::Loaded;
use crate::app::role::{Fault, Reload, Running, Start, StartFault};
use crate::app::sip::node::{self, SipNode};
use crate::app::sip::role::SipRole;
use crate::app::sip::scripting::{self, Scripted};
use crate::app::sip::settings::SipBlocks;
use crate::driver::EventSink;
use crate::engine::Node;
use crate::observe::Observers;
use crate::observe::log::EventLog;
use crate::script::{BindingWatcher, Script};
use std::marker::PhantomData;
use std::path::Path;
use std::sync::Arc;

/// Whether a reload takes this key over.
pub fn is_taken_over<R: SipRole>(key: &str, config: &R::Config) -> bool {
    // The first are taken by what stands around the node: log, drain, watch.
    ["log.level", "server.drain_secs", "script.reload"].contains(&key)
        || SipNode::is_taken_over(key, !R::blocks(config).auth.users.is_empty())
}

/// What `--check` says about the script.
pub fn check<R: SipRole>(loaded: &Loaded<R::Config>) -> Vec<Fault> {
    Scripted::of::<R>(&loaded.config, &|path| loaded.resolve(path)).check()
}

/// Binds, loads the script and starts the shards.
pub fn start<R: SipRole>(start: Start<'_, R::Config>) -> Result<Box<dyn Running<R::Config>>, StartFault> {
    let mut observers = Observers::default();
    observers.add(EventLog::new(start.logger.clone()));
    let bindings = BindingWatcher::default();
    let loaded = start.loaded;
    let blocks = R::blocks(&loaded.config);
    let mut loaded_script = None;
    let policy = |node: &Arc<Node>, events: &EventSink| {
        let (realm, metrics) = (blocks.realm.into(), start.series.script());
        let resolve = |path: &Path| loaded.resolve(path);
        let scripted = Scripted::of::<R>(&loaded.config, &resolve);
        let script = scripted.load(node, events, realm, start.logger.clone(), metrics, &bindings)?;
        scripting::source(&start.series, &script);
        let parts = scripting::policies(&script);
        loaded_script = Some(script);
        Ok(parts)
    };
    let watched = bindings.clone();
    let at_once = move |inline: &mut Observers| inline.add(watched.clone());
    let node = node::run(&blocks, policy, start.series.clone(), at_once, observers)?;
    start.health.ready();
    let own_realm = blocks.own_realm().to_owned();
    Ok(Box::new(Scripting::<R> { node: Some(node), script: loaded_script, own_realm, role: PhantomData }))
}

struct Scripting<R> {
    node: Option<SipNode>,
    script: Option<Arc<Script>>,
    /// The realm of a configuration that names none: domains stay as they were at the start.
    own_realm: String,
    role: PhantomData<R>,
}

impl<R: SipRole> Running<R::Config> for Scripting<R> {
    fn listening(&self) -> Vec<String> {
        self.node.as_ref().map(SipNode::listening).unwrap_or_default()
    }

    fn reload(&mut self, loaded: &Loaded<R::Config>, what: Reload) -> Result<String, String> {
        let mut done = Vec::new();
        if let (Some(script), true) = (&self.script, what.script) {
            let number = script.reload().map_err(|e| format!("the script stays as it was: {e}"))?;
            done.push(format!("script, generation {number}"));
        }
        if let (Some(node), true) = (&self.node, what.config) {
            let blocks = R::blocks(&loaded.config);
            let realm = blocks.auth.realm.as_deref().unwrap_or(&self.own_realm);
            done.push(node.reload(&SipBlocks { realm, ..blocks }));
        }
        Ok(done.join("; "))
    }

    fn drain(&mut self) {
        if let Some(node) = &mut self.node {
            node.drain();
        }
    }

    fn is_idle(&self) -> bool {
        self.node.as_ref().is_none_or(SipNode::is_idle)
    }

    fn stop(&mut self) {
        if let Some(node) = self.node.take() {
            node.stop();
        }
    }
}
