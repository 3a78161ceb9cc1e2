//! Style rules that no lint knows: what a reader of the sources may rely on.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use toml::Table;

use crate::support::repository;

/// No file has more lines.
const LINES_MAX: usize = 700;

/// Folders that hold no sources of ours.
const NOT_OURS: [&str; 2] = ["target", ".git"];

/// Files beside `crates/dpdk-sys` and `crates/dpdk` that may hold `unsafe`, and what for.
const MAY_BE_UNSAFE: [(&str, &str); 3] = [
    ("crates/filter/src/native/code.rs", "calls the code that was generated"),
    ("crates/filter/tests/integration/reference.rs", "calls libpcap's own interpreter"),
    ("crates/segment/tests/allocation.rs", "counts allocations by a global allocator"),
];

fn files_with(extensions: &[&str]) -> Vec<(String, String)> {
    let mut paths = Vec::new();
    collect(repository(), &mut paths);
    paths
        .into_iter()
        .filter(|path| {
            path.extension().is_some_and(|own| extensions.iter().any(|wanted| own == *wanted))
        })
        // A file may go while others work in the same checkout.
        .filter_map(|path| {
            let text = std::fs::read_to_string(&path).ok()?;
            let name = path.strip_prefix(repository()).unwrap().to_str().unwrap().to_owned();
            Some((name, text))
        })
        .collect()
}

fn collect(directory: &Path, paths: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap().flatten() {
        let (name, path) = (entry.file_name(), entry.path());
        let name = name.to_str().unwrap();
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() && !NOT_OURS.iter().any(|folder| name.starts_with(folder)) {
            collect(&path, paths);
        } else if kind.is_file() {
            paths.push(path);
        }
    }
}

/// Returns what is wrong, so that everything is said at once.
fn assert_none(what: &str, found: &[String]) {
    assert!(found.is_empty(), "{what}:\n  {}", found.join("\n  "));
}

fn sources() -> Vec<(String, String)> {
    let sources = files_with(&["rs"]);
    assert!(sources.len() > 100, "{} sources", sources.len());
    sources
}

#[test]
fn files_are_short() {
    let long: Vec<String> = files_with(&["rs", "c", "h", "py", "sh"])
        .iter()
        .map(|(name, text)| (name, text.lines().count()))
        .filter(|(_, lines)| *lines > LINES_MAX)
        .map(|(name, lines)| format!("{name}: {lines} lines"))
        .collect();
    assert_none("files that do too much", &long);
}

/// The unit tests of a module in a file beside it are headed by the module.
#[test]
fn every_file_says_what_it_is_for() {
    let silent: Vec<String> = sources()
        .into_iter()
        .filter(|(name, text)| !text.starts_with("//!") && !name.ends_with("/tests.rs"))
        .map(|(name, _)| name)
        .collect();
    assert_none("files without `//!` in their first line", &silent);
}

#[test]
fn nothing_is_left_to_do() {
    // Put together, so that this file does not find itself.
    let words =
        ["todo".to_owned() + "!", "unimplemented".to_owned() + "!", "FIX".to_owned() + "ME"];
    let mut left = Vec::new();
    for (name, text) in files_with(&["rs", "toml", "md", "c", "h", "py", "sh"]) {
        for (number, line) in text.lines().enumerate() {
            let is_left = words.iter().any(|word| line.contains(word.as_str()))
                || line
                    .split(|c: char| !c.is_alphanumeric())
                    .any(|word| word == "XX".to_owned() + "X");
            if is_left {
                left.push(format!("{name}:{}: {line}", number + 1));
            }
        }
    }
    assert_none("things left to do", &left);
}

/// The lint `unsafe_code` is denied in the whole workspace; who allows it is listed here.
#[test]
fn unsafe_is_where_it_is_expected() {
    let allows = "unsafe_code";
    let unsafe_files: Vec<String> = sources()
        .into_iter()
        .filter(|(_, text)| text.contains(allows))
        .map(|(name, _)| name)
        .collect();
    for (name, why) in MAY_BE_UNSAFE {
        assert!(unsafe_files.iter().any(|own| own == name), "{name} ({why}) needs no place here");
    }
    let unexpected: Vec<String> = unsafe_files
        .into_iter()
        .filter(|name| !name.starts_with("crates/dpdk-sys/") && !name.starts_with("crates/dpdk/"))
        .filter(|name| name != "tests/it/tidy.rs")
        .filter(|name| !MAY_BE_UNSAFE.iter().any(|(allowed, _)| allowed == name))
        .collect();
    assert_none("files that allow unsafe code without being listed", &unexpected);
    let manifests = files_with(&["toml"]);
    let root: Table = text_of(&manifests, "Cargo.toml").parse().unwrap();
    assert_eq!(root["workspace"]["lints"]["rust"][allows].as_str(), Some("deny"));
    for (name, text) in manifests.iter().filter(|(name, _)| name.ends_with("Cargo.toml")) {
        let manifest: Table = text.parse().unwrap();
        // The fuzz targets are a workspace of their own.
        if manifest.contains_key("package") && !name.starts_with("fuzz/") {
            let inherits = manifest.get("lints").is_some_and(|lints| {
                lints.get("workspace").and_then(toml::Value::as_bool) == Some(true)
            });
            let is_bindings = name == "crates/dpdk-sys/Cargo.toml";
            assert!(inherits || is_bindings, "{name} does not take the workspace's lints");
        }
    }
}

fn text_of<'a>(files: &'a [(String, String)], name: &str) -> &'a str {
    &files.iter().find(|(own, _)| own == name).unwrap_or_else(|| panic!("no {name}")).1
}

#[test]
fn what_is_ignored_says_why() {
    let attribute = "#[ignore".to_owned() + "]";
    let silent: Vec<String> = sources()
        .into_iter()
        .filter(|(_, text)| text.contains(&attribute))
        .map(|(name, _)| name)
        .collect();
    assert_none("tests that are ignored for no reason", &silent);
}

#[test]
fn every_dependency_has_its_reason() {
    let documented = std::fs::read_to_string(repository().join("docs/dependencies.md")).unwrap();
    let manifest = std::fs::read_to_string(repository().join("Cargo.toml")).unwrap();
    let manifest: Table = manifest.parse().unwrap();
    let dependencies = manifest["workspace"]["dependencies"].as_table().unwrap();
    assert!(dependencies.len() > 20);
    let silent: Vec<String> = dependencies
        .keys()
        .filter(|name| !names(&documented, name))
        .map(|name| name.to_owned())
        .collect();
    assert_none("dependencies that docs/dependencies.md does not name", &silent);
}

/// Returns whether a text names a crate: in backticks, alone, or as an ending that follows the
/// first of its family.
fn names(text: &str, name: &str) -> bool {
    text.contains(&format!("`{name}`"))
        || name.split_once('-').is_some_and(|(family, ending)| {
            text.lines().any(|line| {
                line.contains(&format!("`{family}-")) && line.contains(&format!("`-{ending}`"))
            })
        })
}

/// Returns the keys of the configuration, by section, as `src/config/raw.rs` declares them.
fn keys() -> Vec<(String, BTreeSet<String>)> {
    let source = std::fs::read_to_string(repository().join("src/config/raw.rs")).unwrap();
    let mut sections: Vec<(String, BTreeSet<String>)> = Vec::new();
    let mut section = None;
    for line in source.lines() {
        if let Some(name) = line.strip_prefix("/// `[") {
            section =
                Some(name.trim_end_matches(['`', ']', '.']).trim_start_matches('[').to_owned());
        } else if line.starts_with("pub(crate) struct ") {
            if let Some(name) = section.take() {
                sections.push((name, BTreeSet::new()));
            } else {
                sections.push(("".to_owned(), BTreeSet::new()));
            }
        } else if let (Some(field), Some((_, keys))) =
            (line.strip_prefix("    pub(crate) "), sections.last_mut())
            && let Some((key, _)) = field.split_once(": ")
        {
            keys.insert(key.to_owned());
        }
    }
    sections.retain(|(name, _)| !name.is_empty());
    sections
}

#[test]
fn every_key_of_the_configuration_is_documented() {
    let text = std::fs::read_to_string(repository().join("docs/configuration.md")).unwrap();
    let sections = keys();
    let names: Vec<&str> = sections.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["capture", "ports", "topology", "buffers", "output", "eal", "stats"]);
    let mut silent = Vec::new();
    for (section, keys) in &sections {
        assert!(!keys.is_empty(), "{section}");
        let chapter = text
            .split("\n## ")
            .find(|chapter| chapter.starts_with('[') && chapter[..24].contains(section.as_str()))
            .unwrap_or_else(|| panic!("no chapter for [{section}]"));
        silent.extend(
            keys.iter()
                .filter(|key| !chapter.contains(&format!("| `{key}` |")))
                .map(|key| format!("{section}.{key}")),
        );
    }
    assert_none("keys that docs/configuration.md has no row for", &silent);
}
