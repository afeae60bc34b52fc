//! The ways files are changed by editors and by Kubernetes, each noticed once.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Reload, Seen, Watch, Watched};

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("siphon-watch-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("a temporary folder");
        Self(path)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).expect("a file in our folder");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A folder left behind in the temporary directory harms nobody.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Starts a watch, makes the change, and says what was noticed within a while.
fn noticed(watched: Watched, change: impl FnOnce()) -> Option<Reload> {
    noticed_within(Duration::from_secs(5), watched, change)
}

fn noticed_within(patience: Duration, watched: Watched, change: impl FnOnce()) -> Option<Reload> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut watch = begin(watched).expect("the folder is there");
        change();
        tokio::time::timeout(patience, watch.changed()).await.ok()
    })
}

/// A watch of files that were looked at just now.
fn begin(watched: Watched) -> Result<Watch, String> {
    Watch::since(Seen::now(watched.clone()), watched)
}

const SCRIPT: Option<Reload> = Some(Reload { config: false, script: true });

fn script(path: &Path) -> Watched {
    Watched { script: Some(path.to_owned()), ..Watched::default() }
}

#[test]
fn a_script_written_in_place_is_noticed() {
    let folder = Folder::new("place");
    let path = folder.write("a.py", "1");
    assert_eq!(noticed(script(&path), || drop(folder.write("a.py", "2"))), SCRIPT);
}

#[test]
fn a_script_replaced_by_a_rename_is_noticed() {
    let folder = Folder::new("rename");
    let path = folder.write("a.py", "1");
    let new = folder.write(".a.py.swp", "2");
    assert_eq!(noticed(script(&path), || fs::rename(&new, &path).expect("a rename")), SCRIPT);
}

#[test]
fn the_symlink_swap_of_a_config_map_is_noticed() {
    let folder = Folder::new("configmap");
    for (version, text) in [("v1", "1"), ("v2", "2")] {
        fs::create_dir_all(folder.0.join(version)).expect("a folder");
        folder.write(&format!("{version}/a.py"), text);
    }
    let (data, next) = (folder.0.join("..data"), folder.0.join("..next"));
    symlink("v1", &data).expect("a symlink");
    let path = folder.0.join("a.py");
    symlink("..data/a.py", &path).expect("a symlink");
    let swap = || {
        symlink("v2", &next).expect("a symlink");
        fs::rename(&next, &data).expect("a rename");
    };
    assert_eq!(noticed(script(&path), swap), SCRIPT);
}

#[test]
fn a_module_beside_the_script_or_in_an_include_path_belongs_to_it() {
    let (folder, more) = (Folder::new("beside"), Folder::new("include"));
    let path = folder.write("a.py", "1");
    assert_eq!(noticed(script(&path), || drop(folder.write("helper.py", "x"))), SCRIPT);
    let watched = Watched { modules: vec![more.0.clone()], ..script(&path) };
    assert_eq!(noticed(watched, || drop(more.write("other.py", "x"))), SCRIPT);
}

#[test]
fn configuration_and_script_changed_together_are_one_reload() {
    let folder = Folder::new("both");
    let (path, config) = (folder.write("a.py", "1"), folder.write("a.yaml", "1"));
    let watched = Watched { config: Some(config), ..script(&path) };
    let change = || {
        folder.write("a.yaml", "2");
        folder.write("a.py", "2");
    };
    assert_eq!(noticed(watched, change), Some(Reload { config: true, script: true }));
}

#[test]
fn what_leaves_the_content_as_it_was_or_is_none_of_ours_is_not_noticed() {
    let folder = Folder::new("same");
    let path = folder.write("a.py", "1");
    let change = || {
        folder.write("a.py", "1");
        folder.write("notes.txt", "x");
        folder.write("a.pyc", "x");
    };
    assert_eq!(noticed_within(3 * super::QUIET, script(&path), change), None);
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let told = begin(script(Path::new("/nonexistent/siphon/a.py"))).map(|_| ()).expect_err("no folder");
    assert!(told.contains("/nonexistent/siphon"), "{told}");
}

#[test]
fn what_changes_while_a_reload_runs_is_noticed_afterwards() {
    let folder = Folder::new("during");
    let (path, config) = (folder.write("a.py", "1"), folder.write("a.yaml", "1"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut watch = begin(script(&path)).expect("a watch");
        folder.write("a.py", "2");
        assert_eq!(watch.changed().await, SCRIPT.expect("a reload"));
        // Whether the reload leaves the files to watch as they were, or asks for others.
        for (text, watched) in
            [("3", script(&path)), ("4", Watched { config: Some(config), ..script(&path) })]
        {
            folder.write("a.py", text);
            watch = Watch::renew(watch, watched).expect("a watch");
            let noticed = tokio::time::timeout(Duration::from_secs(5), watch.changed()).await;
            assert_eq!(noticed.ok(), SCRIPT);
        }
    });
}

#[test]
fn what_changes_between_reading_and_watching_is_noticed() {
    let folder = Folder::new("between");
    let (path, config) = (folder.write("a.py", "1"), folder.write("a.yaml", "1"));
    let watched = Watched { config: Some(config), ..script(&path) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let noticed = |before: Seen| {
        runtime.block_on(async {
            let mut watch = Watch::since(before, watched.clone()).expect("a watch");
            tokio::time::timeout(Duration::from_secs(5), watch.changed()).await.ok()
        })
    };
    let read = Seen::now(watched.clone()).with_config(crate::app::config::fingerprint(b"0"));
    assert_eq!(noticed(read), Some(Reload { config: true, script: false }), "the file holds 1");
    let before = Seen::now(watched.clone());
    folder.write("a.py", "2");
    folder.write("helper.py", "x");
    assert_eq!(noticed(before), SCRIPT);
}
