//! Watches the configuration file and the script's directories.
//!
//! Directories are watched, not files: editors replace a file by renaming another over it, and a Kubernetes
//! ConfigMap swaps the symlink `..data` that its files point through; a watch on the file itself would be left
//! on the old inode. A burst of changes counts once, when it is over. What counts as changed is the content.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::event::{EventKind, ModifyKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;

use super::config::fingerprint;
use super::lifecycle::QUIET;
use super::role::Reload;

/// Changes that may wait to be looked at; more of them mean no more than one.
const PENDING: usize = 64;
/// Files of a script directory that are looked at.
const FILES: usize = 4096;

/// What to watch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watched {
    /// The configuration file.
    pub config: Option<PathBuf>,
    /// The script file; `*.py` beside it belongs to it.
    pub script: Option<PathBuf>,
    /// Directories whose `*.py` belongs to the script.
    pub modules: Vec<PathBuf>,
}

/// What the files held when they were looked at last.
#[derive(Clone, Debug)]
pub struct Seen {
    watched: Watched,
    config: BTreeMap<PathBuf, u64>,
    script: BTreeMap<PathBuf, u64>,
}

impl Seen {
    /// Looks at the files now.
    pub fn now(watched: Watched) -> Self {
        let (config, script) = (config_state(&watched), script_state(&watched));
        Self { watched, config, script }
    }

    /// The configuration was read before, with this [`fingerprint`].
    pub fn with_config(mut self, read: u64) -> Self {
        self.config.values_mut().for_each(|content| *content = read);
        self
    }
}

/// A running watch.
pub struct Watch {
    seen: Seen,
    changes: mpsc::Receiver<()>,
    /// Something changed and was not compared yet; survives a wait that was given up.
    dirty: bool,
    // Held for its drop, which ends the watch.
    _watcher: RecommendedWatcher,
}

impl Watch {
    /// Starts watching. What changed since `before` is noticed at once, where both look at the same files. A directory
    /// that is not there is an error with its name.
    pub fn since(before: Seen, watched: Watched) -> Result<Self, String> {
        let (tell, changes) = mpsc::channel(PENDING);
        let on_event = move |event: notify::Result<notify::Event>| {
            let matters = event.is_ok_and(|e| {
                !matches!(e.kind, EventKind::Access(_) | EventKind::Modify(ModifyKind::Metadata(_)))
            });
            if matters {
                // Full means that a change waits to be seen already.
                let _ = tell.try_send(());
            }
        };
        let mut watcher = notify::recommended_watcher(on_event).map_err(|e| e.to_string())?;
        for directory in directories(&watched) {
            watcher
                .watch(&directory, RecursiveMode::NonRecursive)
                .map_err(|e| format!("cannot watch {}: {e}", directory.display()))?;
        }
        let seen = match before.watched == watched {
            true => before,
            false => {
                let mut seen = Seen::now(watched);
                for (states, known) in [(&mut seen.config, before.config), (&mut seen.script, before.script)]
                {
                    for (path, content) in known {
                        states.entry(path).and_modify(|state| *state = content);
                    }
                }
                seen
            }
        };
        Ok(Self { seen, changes, dirty: true, _watcher: watcher })
    }

    /// Goes on as `running` did, or watches other files. What changed since `running` looked last is still noticed.
    pub fn renew(running: Self, watched: Watched) -> Result<Self, String> {
        match running.seen.watched == watched {
            true => Ok(running),
            false => Self::since(running.seen, watched),
        }
    }

    /// Waits until something watched has other content than before; cancel-safe.
    pub async fn changed(&mut self) -> Reload {
        loop {
            if !self.dirty && self.changes.recv().await.is_none() {
                std::future::pending::<()>().await;
            }
            self.dirty = true;
            self.settle(QUIET).await;
            self.dirty = false;
            let now = Seen::now(self.seen.watched.clone());
            let what =
                Reload { config: now.config != self.seen.config, script: now.script != self.seen.script };
            self.seen = now;
            if what.config || what.script {
                return what;
            }
        }
    }

    async fn settle(&mut self, quiet: Duration) {
        while let Ok(Some(())) = tokio::time::timeout(quiet, self.changes.recv()).await {}
    }
}

fn directories(watched: &Watched) -> BTreeSet<PathBuf> {
    let parent = |file: &PathBuf| match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    watched.config.iter().chain(&watched.script).map(parent).chain(watched.modules.iter().cloned()).collect()
}

fn config_state(watched: &Watched) -> BTreeMap<PathBuf, u64> {
    watched.config.iter().map(|file| (file.clone(), content(file))).collect()
}

fn script_state(watched: &Watched) -> BTreeMap<PathBuf, u64> {
    let Some(script) = &watched.script else { return BTreeMap::new() };
    let beside = script.parent().map(Path::to_owned);
    let listed = beside.iter().chain(&watched.modules).filter_map(|d| std::fs::read_dir(d).ok()).flatten();
    let modules = listed
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "py"))
        .take(FILES);
    modules.chain([script.clone()]).map(|path| (path.clone(), content(&path))).collect()
}

/// A hash of the file's content; 0 when it cannot be read, so that vanishing is a change.
fn content(file: &Path) -> u64 {
    std::fs::read(file).map_or(0, |bytes| fingerprint(&bytes))
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
