use std::path::Path;

use super::load::parse;
use super::validate::validate;
use super::*;

/// Every problem that a text has, as the user reads them.
fn problems(text: &str) -> Vec<String> {
    let raw = match parse(Path::new("test.toml"), text.as_bytes()) {
        Ok(raw) => raw,
        Err(cause) => return vec![cause.to_string()],
    };
    match validate(raw) {
        Ok(_) => Vec::new(),
        Err(ConfigError::Invalid(problems)) => problems.iter().map(ToString::to_string).collect(),
        Err(other) => vec![other.to_string()],
    }
}

const GOOD: &str = r#"
[output]
directory = "out"
[[ports]]
vdev = "net_null0"
"#;

#[test]
fn a_short_configuration_is_enough() {
    assert_eq!(problems(GOOD), Vec::<String>::new());
    let config = validate(parse(Path::new("x"), GOOD.as_bytes()).unwrap()).unwrap();
    assert_eq!(config.capture.snaplen_bytes, 262_144);
    assert_eq!(config.output.compression, Compression::Zstd { level: -1 });
    assert_eq!(config.ports[0].device.name(), "net_null0");
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let text = r#"
        [capture]
        filter = "tcp port"
        snaplen_bytes = 0
        duration_seconds = -1.0
        [[ports]]
        vdev = "net null"
        [[ports]]
        pci = "3:0.0"
        [[ports]]
        [buffers]
        ring_packets = 1000
        [output]
        prefix = "../x"
        compression = "none"
        compression_level = 3
    "#;
    let found = problems(text).join("\n");
    for expected in [
        "filter \"tcp port\"",
        "capture.snaplen_bytes is 0",
        "capture.duration_seconds is -1",
        "ports[0]: \"net null\"",
        "ports[1]: \"3:0.0\"",
        "ports[2] names no device",
        "buffers.ring_packets is 1000: it must be a power of two, for example 1024",
        "output.prefix",
        "output.compression_level is given",
        "no output directory",
    ] {
        assert!(found.contains(expected), "{expected:?} is not in:\n{found}");
    }
}

#[test]
fn an_unknown_key_is_named_with_its_line() {
    let found = problems("[output]\ndirectory = \"x\"\ncompresion = \"zstd\"\n").join("\n");
    assert!(found.contains("line 3") && found.contains("compresion"), "{found}");
}

#[test]
fn the_same_device_twice_is_refused() {
    let text = format!("{GOOD}[[ports]]\nvdev = \"net_null0,size=64\"\n");
    assert!(problems(&text).join("").contains("same device, \"net_null0\""));
}

#[test]
fn a_pci_address_has_its_form() {
    let with = |address: &str| {
        problems(&format!("[output]\ndirectory = \"o\"\n[[ports]]\npci = \"{address}\"\n"))
    };
    assert_eq!(with("0000:03:00.0"), Vec::<String>::new());
    for address in
        ["", "0000:03:00:0", "0000.03:00.0", "000:03:00.0", "0000:03:00.00", "g000:03:00.0"]
    {
        assert_eq!(with(address).len(), 1, "{address}");
    }
}

#[test]
fn hostile_text_is_refused_and_no_more() {
    for text in ["\0", "[[[[", "a = ", "\u{feff}[x", "ports = 3", "[capture]\nsnaplen_bytes = 1e99"]
    {
        assert_eq!(problems(text).len(), 1, "{text:?}");
    }
    let deep = format!("a = {}", "[".repeat(100_000));
    assert_eq!(problems(&deep).len(), 1);
    let not_utf8 = parse(Path::new("x"), b"[output]\n# \xff\n").err().unwrap();
    assert!(matches!(not_utf8, ConfigError::NotUtf8 { offset: 11, .. }));
}
