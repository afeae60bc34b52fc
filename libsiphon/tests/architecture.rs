//! Guards of the tree: which layer may use which, how long a file may be, who may own a clock.

use std::fs;
use std::path::{Path, PathBuf};

/// Bottom first, as `lib.rs` declares them.
const LAYERS: &[&str] = &[
    "base", "wire", "policy", "event", "proto", "engine", "net", "driver", "sim", "observe", "script", "app",
];

/// The modules allowed clocks, spawns, randomness and randomly seeded maps, because they are drivers or talk
/// to the world. Each says so with an `allow(clippy::disallowed_…)`.
const MAY_TOUCH_THE_WORLD: &[&str] = &["net", "driver", "script", "app", "observe"];

/// Only here may `pyo3` be named.
const PYTHON: &str = "script";

/// One named module per need: invariant above, test below.
const UNSAFE_HOMES: &[&str] = &["net/mmsg.rs", "script/"];

const LONGEST_FILE: usize = 800;

struct Source {
    layer: String,
    path: PathBuf,
    text: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf()
}

fn files_below(dir: &Path, endings: &[&str], found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            files_below(&path, endings, found);
        } else if path.extension().is_some_and(|e| endings.iter().any(|known| e == *known)) {
            found.push(path);
        }
    }
}

fn is_test(path: &Path) -> bool {
    let stem = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    stem == "tests" || stem.ends_with("_tests") || path.components().any(|c| c.as_os_str() == "tests")
}

fn sources() -> Vec<Source> {
    let src = root().join("src");
    let mut paths = Vec::new();
    files_below(&src, &["rs"], &mut paths);
    paths.sort();
    assert!(paths.len() > 20, "the guard must see the sources");
    paths
        .into_iter()
        .map(|path| {
            let inside = path.strip_prefix(&src).expect("found below src");
            let first = inside.components().next().expect("has a name").as_os_str().to_string_lossy();
            let layer = first.trim_end_matches(".rs").to_owned();
            let text = fs::read_to_string(&path).expect("a source is readable text");
            Source { layer, path, text }
        })
        .collect()
}

fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(n, l)| (n + 1, l)).filter(|(_, l)| !l.trim_start().starts_with("//"))
}

#[test]
fn a_layer_uses_only_layers_below_it() {
    let rank = |layer: &str| LAYERS.iter().position(|l| *l == layer);
    let mut upward = Vec::new();
    for source in sources().iter().filter(|s| s.layer != "lib" && !is_test(&s.path)) {
        let own = rank(&source.layer).unwrap_or_else(|| panic!("{} is in no layer", source.path.display()));
        for (number, line) in code_lines(&source.text) {
            for piece in line.split("crate::").skip(1) {
                let used: String = piece.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                if rank(&used).is_some_and(|r| r > own) {
                    upward.push(format!("{}:{number}: {} uses {used}", source.path.display(), source.layer));
                }
            }
        }
    }
    assert!(upward.is_empty(), "upward uses:\n{}", upward.join("\n"));
}

#[test]
fn no_file_outgrows_its_room() {
    let mut files: Vec<PathBuf> = sources().into_iter().map(|s| s.path).collect();
    let top = root().join("..");
    for dir in ["bin", "benches", "python", "examples", "scripts"] {
        files_below(&top.join(dir), &["rs", "py"], &mut files);
    }
    files_below(&top.join("tests/src"), &["rs"], &mut files);
    let long: Vec<String> = files
        .iter()
        .filter(|p| !is_test(p.strip_prefix(&top).unwrap_or(p)))
        .filter_map(|p| {
            let lines = fs::read_to_string(p).ok()?.lines().count();
            (lines > LONGEST_FILE).then(|| format!("{}: {lines} lines", p.display()))
        })
        .collect();
    assert!(long.is_empty(), "files over {LONGEST_FILE} lines:\n{}", long.join("\n"));
}

#[test]
fn only_listed_modules_opt_out_of_the_ban_on_clocks_and_spawns() {
    for source in sources().iter().filter(|s| !is_test(&s.path)) {
        let opts_out = source.text.contains("allow(clippy::disallowed");
        let listed = MAY_TOUCH_THE_WORLD.contains(&source.layer.as_str());
        assert!(!opts_out || listed, "{} opts out and is not listed", source.path.display());
    }
}

#[test]
fn python_is_named_in_script_alone() {
    for source in sources().iter().filter(|s| s.layer != PYTHON && s.layer != "lib") {
        for (number, line) in code_lines(&source.text) {
            assert!(!line.contains("pyo3"), "{}:{number} names pyo3", source.path.display());
        }
    }
}

#[test]
fn unsafe_code_lives_in_modules_named_for_it() {
    const FORMS: &[&str] = &["unsafe {", "unsafe fn", "unsafe impl", "unsafe extern", "unsafe trait"];
    for source in sources().iter().filter(|s| !is_test(&s.path)) {
        let path = source.path.to_string_lossy();
        if UNSAFE_HOMES.iter().any(|home| path.contains(&format!("/src/{home}"))) {
            continue;
        }
        for (number, line) in code_lines(&source.text) {
            assert!(!FORMS.iter().any(|form| line.contains(form)), "{path}:{number} is unsafe");
        }
    }
}

#[test]
fn every_file_says_what_it_is_for() {
    for source in sources().iter().filter(|s| !is_test(&s.path)) {
        assert!(source.text.starts_with("//!"), "{} has no //! header", source.path.display());
    }
}
