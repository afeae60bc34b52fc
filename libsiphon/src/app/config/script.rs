//! The `script` block: which Python file decides, and how it is run and reloaded.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::unit::Seconds;

/// The Python script.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Script {
    /// The script file, relative to this YAML file. Default: the script embedded in the binary.
    pub path: Option<PathBuf>,
    /// When a changed script is loaded.
    pub reload: Reload,
    /// Where plain `def` handlers run.
    pub sync: Sync,
    /// How long a handler, parked at an await or not, may take over one request; then the request is answered
    /// 500 and a reply goes up as it is. Default 60 s.
    #[schemars(extend("x-min" = "10ms", "x-max" = "1h"))]
    pub deadline_secs: Seconds,
    /// More directories, relative to this YAML file, whose modules belong to the script and reload with it.
    pub include_paths: Vec<PathBuf>,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            path: None,
            reload: Reload::default(),
            sync: Sync::default(),
            deadline_secs: Seconds::of(60),
            include_paths: Vec::new(),
        }
    }
}

/// When a changed script is loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Reload {
    /// When a file of the script changes, and on SIGHUP.
    #[default]
    Auto,
    /// On SIGHUP only.
    Sighup,
}

/// Where plain `def` handlers run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Sync {
    /// On the shard's thread, unless the handler can reach a call that waits or was slow once.
    #[default]
    Auto,
    /// Always on the shard's thread: a slow handler delays its shard.
    Inline,
    /// Always on a thread of the lane.
    Lane,
}
