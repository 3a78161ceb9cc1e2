//! What ships beside the program says what the program does: tests only.

use std::path::{Path, PathBuf};

use super::load::parse;
use super::raw::RawConfig;
use super::validate::validate;

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Every key of the file format has its row in the section of its table, and no row names another.
#[test]
fn the_documentation_names_every_key() {
    let text = std::fs::read_to_string(project("docs/configuration.md")).unwrap();
    let schema = serde_json::to_value(schemars::schema_for!(RawConfig)).unwrap();
    let sections = schema["properties"].as_object().unwrap();
    assert_eq!(sections.len(), 7);
    for (section, at) in sections {
        let (heading, reference) = match at["items"]["$ref"].as_str() {
            Some(reference) => (format!("\n## [[{section}]]\n"), reference),
            None => (format!("\n## [{section}]\n"), at["$ref"].as_str().unwrap()),
        };
        let definition = &schema["$defs"][reference.rsplit('/').next().unwrap()];
        let properties = definition["properties"].as_object().unwrap();
        let mut keys: Vec<&str> = properties.keys().map(String::as_str).collect();
        let (_, rest) = text.split_once(&heading).unwrap_or_else(|| panic!("no {heading}"));
        let mut rows: Vec<&str> = rest
            .lines()
            .skip_while(|line| !line.starts_with("| key |"))
            .skip(2)
            .map_while(|line| line.strip_prefix("| `")?.split('`').next())
            .collect();
        rows.sort_unstable();
        keys.sort_unstable();
        assert_eq!(rows, keys, "{section}");
    }
}

/// Every profile can be run, as far as that can be said without its devices.
#[test]
fn every_profile_is_valid() {
    let mut profiles = 0;
    for entry in std::fs::read_dir(project("dpdk-config")).unwrap() {
        let path = entry.unwrap().path();
        let raw = parse(&path, &std::fs::read(&path).unwrap())
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        if let Err(error) = validate(raw) {
            panic!("{}: {error}", path.display());
        }
        profiles += 1;
    }
    assert!(profiles >= 7, "{profiles} profiles");
}
