//! What tcpdump counted, what libpcap refused, and what it compiled to.

use std::collections::HashMap;
use std::path::Path;

use weir_filter::{Chain, CompileError, Engine, Matcher, Program};
use weir_model::{LinkType, SNAPLEN_BYTES_MAX};

use crate::captures::{self, CapturedFile};
use crate::rounds;

/// Returns the rows of a table, without its head, each cut at tabs.
fn rows(folder: &Path, table: &str) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(folder.join(table)).unwrap();
    let rows = text.lines().skip(1).map(|row| row.split('\t').map(str::to_owned).collect());
    rows.collect()
}

/// Reads each file once, for all its rows.
#[derive(Default)]
struct Files(HashMap<String, CapturedFile>);

impl Files {
    fn get(&mut self, folder: &Path, name: &str) -> &CapturedFile {
        self.0.entry(name.to_owned()).or_insert_with(|| {
            captures::read(&folder.join(name)).unwrap_or_else(|| panic!("{name} does not open"))
        })
    }
}

fn count(matcher: &Matcher, file: &CapturedFile) -> usize {
    let matches =
        |packet: &&captures::CapturedPacket| matcher.run(&packet.bytes, packet.wire_bytes) != 0;
    file.packets.iter().filter(matches).count()
}

/// A filter by both engines. The same few filters are counted on many files, and without
/// optimisation Cranelift is slow, so each is compiled once.
#[derive(Default)]
struct Engines(HashMap<(LinkType, String), Result<[Matcher; 2], String>>);

impl Engines {
    fn get(&mut self, expression: &str, link_type: LinkType) -> &Result<[Matcher; 2], String> {
        self.0.entry((link_type, expression.to_owned())).or_insert_with(|| {
            let program = Program::compile(expression, link_type, SNAPLEN_BYTES_MAX);
            let program = program.map_err(|error| error.to_string())?;
            let native = Matcher::of_program(&program);
            assert_eq!(native.engine(), Engine::Native);
            Ok([native, Matcher::interpreting_program(&program)])
        })
    }
}

fn assert_counts(table: &str, rows_min: usize) {
    let Some(folder) = captures::folder() else { return };
    let mut files = Files::default();
    let rows = rows(&folder, table);
    assert!(rows.len() >= rows_min, "{table} has only {} rows", rows.len());
    let mut engines = Engines::default();
    let mut wrong = Vec::new();
    for row in &rows {
        let [name, expression, expected] = &row[..] else { panic!("a row of {table}: {row:?}") };
        let file = files.get(&folder, name);
        match engines.get(expression, file.link_type) {
            Ok(matchers) => {
                for matcher in matchers {
                    let counted = count(matcher, file).to_string();
                    if counted != *expected {
                        let engine = matcher.engine().as_str();
                        wrong.push(format!(
                            "{name}: {expression}: {counted}, {engine}, not {expected}"
                        ));
                    }
                }
            }
            Err(error) => wrong.push(format!("{name}: {expression}: {error}")),
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}

#[test]
fn counts_on_ethernet_are_tcpdumps() {
    assert_counts("bpf_expected.tsv", 4_500);
}

#[test]
fn counts_on_other_link_types_are_tcpdumps() {
    assert_counts("bpf_expected_nonethernet.tsv", 500);
}

#[test]
fn counts_on_malformed_files_are_tcpdumps() {
    assert_counts("bpf_expected_malformed.tsv", 3_000);
}

/// Chains of all filters of each file, in the table's order: the first to match a packet is the
/// same whether they run in turn, as a chain, or as a native chain.
#[test]
fn chains_say_which_is_the_first() {
    let Some(folder) = captures::folder() else { return };
    let mut files = Files::default();
    let (mut matched, mut chains) = (0u64, 0u64);
    for table in ["bpf_expected.tsv", "bpf_expected_nonethernet.tsv"] {
        let rows = rows(&folder, table);
        for rows in rows.chunk_by(|row, next| row[0] == next[0]) {
            let file = files.get(&folder, &rows[0][0]);
            // Rare filters first, or the first would match nearly every packet.
            let mut rows: Vec<_> = rows.iter().collect();
            rows.sort_by_key(|row| row[2].parse::<u64>().unwrap());
            let compile = |row: &&Vec<String>| {
                Program::compile(&row[1], file.link_type, SNAPLEN_BYTES_MAX).unwrap()
            };
            let programs: Vec<_> = rows.iter().map(compile).collect();
            let chain = Chain::new(&programs).unwrap();
            // Without optimisation, Cranelift is slow: not for every file in an ordinary run.
            chains += 1;
            let native = if chains % rounds(5, 1) == 0 {
                Matcher::of_chain(&chain)
            } else {
                Matcher::interpreting_chain(&chain)
            };
            for (index, packet) in file.packets.iter().enumerate() {
                let accepts =
                    |program: &Program| program.run(&packet.bytes, packet.wire_bytes) != 0;
                let expected = programs.iter().position(accepts).map_or(0, |first| first + 1);
                let answers = (
                    chain.run(&packet.bytes, packet.wire_bytes) as usize,
                    native.run(&packet.bytes, packet.wire_bytes) as usize,
                );
                assert_eq!(answers, (expected, expected), "{} packet {index}", rows[0][0]);
                matched += u64::from(expected != 0);
            }
        }
    }
    assert!(matched > 10_000, "only {matched} packets match");
}

#[test]
fn refuses_what_libpcap_refuses() {
    let Some(folder) = captures::folder() else { return };
    let mut files = Files::default();
    let rows = rows(&folder, "bpf_compile_errors.tsv");
    assert!(rows.len() >= 250);
    for row in &rows {
        let [name, expression, expected] = &row[..] else { panic!("a row: {row:?}") };
        let link_type = files.get(&folder, name).link_type;
        match Program::compile(expression, link_type, SNAPLEN_BYTES_MAX) {
            Err(CompileError::Refused { message, .. }) => assert_eq!(message, *expected, "{name}"),
            Err(CompileError::RejectsAll { .. }) => {
                assert_eq!("expression rejects all packets", *expected, "{name}: {expression}");
            }
            other => panic!("{name}: {expression}: {other:?}, not {expected}"),
        }
    }
}

#[test]
fn programs_are_tcpdumps() {
    let Some(folder) = captures::folder() else { return };
    let rows = rows(&folder, "bpf_programs_en10mb.tsv");
    assert!(rows.len() >= 32);
    for row in &rows {
        let [expression, expected] = &row[..] else { panic!("a row: {row:?}") };
        let program = Program::compile(expression, LinkType::ETHERNET, SNAPLEN_BYTES_MAX).unwrap();
        let instructions: Vec<_> = program.instructions().iter().map(ToString::to_string).collect();
        let written = format!("{};{}", instructions.len(), instructions.join(";"));
        assert_eq!(written, *expected, "{expression}");
    }
}
