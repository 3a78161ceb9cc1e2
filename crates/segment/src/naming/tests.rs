use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn name(prefix: &str, sequence: u64, ns: u64) -> SegmentName {
    SegmentName {
        prefix: NamePrefix::new(prefix).unwrap(),
        sequence,
        opened_at: UtcSecond::of(Timestamp::from_ns(ns)),
        extension: Extension::PcapngZst,
    }
}

#[test]
fn a_name_is_as_documented() {
    let name = name("weir", 42, 1_714_566_896_123_456_789);
    assert_eq!(name.to_string(), "weir-0000000042-20240501T123456Z.pcapng.zst");
    assert_eq!(name.part(), "weir-0000000042-20240501T123456Z.pcapng.zst.part");
}

proptest! {
    #[test]
    fn names_are_read_back(
        prefix in "[A-Za-z0-9_][A-Za-z0-9._-]{0,20}",
        sequence in 0..=SEQUENCE_MAX,
        ns in any::<u64>(),
        is_plain in any::<bool>(),
    ) {
        let extension = if is_plain { Extension::Pcapng } else { Extension::PcapngZst };
        let name = SegmentName { extension, ..name(&prefix, sequence, ns) };
        for state in FileState::ALL {
            let read = SegmentName::parse(&name.file_name(state));
            prop_assert_eq!(read, Some((name.clone(), state)));
        }
    }

    #[test]
    fn names_sort_by_sequence(a in 0..=SEQUENCE_MAX, b in 0..=SEQUENCE_MAX, ns in any::<[u64; 2]>()) {
        let names = (name("weir", a, ns[0]).to_string(), name("weir", b, ns[1]).to_string());
        if a != b {
            prop_assert_eq!(names.0 < names.1, a < b);
        }
    }

    /// The calendar agrees with one that steps day by day.
    #[test]
    fn days_are_read_back(days in 0_u64..400_000) {
        let (year, month, day) = civil_from_days(days);
        prop_assert_eq!(days_from_civil(year, month, day), Some(days));
        let next = civil_from_days(days + 1);
        let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let february = if is_leap { 29 } else { 28 };
        let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        let last = lengths[month as usize - 1];
        let expected = if day < last {
            (year, month, day + 1)
        } else if month < 12 {
            (year, month + 1, 1)
        } else {
            (year + 1, 1, 1)
        };
        prop_assert_eq!(next, expected);
    }

    #[test]
    fn any_text_may_be_parsed(text in "\\PC{0,60}") {
        let _ = SegmentName::parse(&text);
    }
}

#[test]
fn the_calendar_begins_on_the_first_of_january_1970() {
    assert_eq!(civil_from_days(0), (1970, 1, 1));
    assert_eq!(UtcSecond::of(Timestamp::from_ns(u64::MAX)).to_string(), "25540721T233433Z");
}

#[test]
fn other_names_are_no_segments() {
    for other in [
        "",
        "weir",
        "weir-0000000042-20240501T123456Z",
        "weir-0000000042-20240501T123456Z.pcap",
        "weir-0000000042-20240501T123456Z.pcapng.zst.part.part",
        "weir-000000042-20240501T123456Z.pcapng",
        "weir-00000000042-20240501T123456Z.pcapng",
        "weir-+000000042-20240501T123456Z.pcapng",
        "weir-0000000042-20240501t123456Z.pcapng",
        "weir-0000000042-20240230T123456Z.pcapng",
        "weir-0000000042-20240501T243456Z.pcapng",
        "weir-0000000042-19691231T235959Z.pcapng",
        "weir-0000000042-99991231T235959Z.pcapng",
        "-0000000042-20240501T123456Z.pcapng",
        "a/b-0000000042-20240501T123456Z.pcapng",
    ] {
        assert_eq!(SegmentName::parse(other), None, "{other}");
    }
}

#[test]
fn prefixes_that_are_no_plain_names_are_refused() {
    assert_eq!(NamePrefix::new(""), Err(PrefixError::Empty));
    assert_eq!(NamePrefix::new(".weir"), Err(PrefixError::Leading('.')));
    assert_eq!(NamePrefix::new("-weir"), Err(PrefixError::Leading('-')));
    for c in ['/', '\0', ' ', '\n', '*', 'é'] {
        let refused = NamePrefix::new(&format!("a{c}b"));
        assert_eq!(refused, Err(PrefixError::Character(c)));
    }
    assert!(NamePrefix::new(&"x".repeat(128)).is_ok());
    assert_eq!(NamePrefix::new(&"x".repeat(129)), Err(PrefixError::TooLong { bytes: 129 }));
    let longest = name(&"x".repeat(128), 0, 0).file_name(FileState::Damaged);
    assert!(longest.len() <= 255, "a file system would refuse it");
}

/// A directory that only lists.
struct Listed(Vec<String>);

impl Storage for Listed {
    type File = NoFile;

    fn create(&mut self, _: &str) -> io::Result<NoFile> {
        unreachable!("names are given without creating anything")
    }

    fn rename(&mut self, _: &str, _: &str) -> io::Result<()> {
        unreachable!("names are given without renaming anything")
    }

    fn sync_directory(&mut self) -> io::Result<()> {
        unreachable!("names are given without syncing anything")
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.0.clone())
    }
}

enum NoFile {}

impl weir_model::StorageFile for NoFile {
    fn append(&mut self, _: &[u8]) -> io::Result<usize> {
        match *self {}
    }

    fn truncate(&mut self, _: u64) -> io::Result<()> {
        match *self {}
    }

    fn sync(&mut self) -> io::Result<()> {
        match *self {}
    }
}

#[test]
fn sequences_go_on_above_the_highest_of_the_prefix() {
    let files = [
        name("weir", 3, 0).to_string(),
        name("weir", 9, 0).part(),
        name("weir", 11, 0).file_name(FileState::Damaged),
        name("weird", 70, 0).to_string(),
        name("weir-2", 80, 0).to_string(),
        "weir-99.pcapng".to_owned(),
    ];
    let storage = Listed(files.to_vec());
    let prefix = NamePrefix::new("weir").unwrap();
    let mut namer = SegmentNamer::scan(&storage, prefix.clone()).unwrap();
    let given: BTreeSet<u64> =
        (0..3).map(|_| namer.next(Timestamp::EPOCH, Extension::Pcapng).unwrap().sequence).collect();
    assert_eq!(given, BTreeSet::from([12, 13, 14]));

    let mut fresh = SegmentNamer::scan(&Listed(Vec::new()), prefix).unwrap();
    assert_eq!(fresh.next(Timestamp::EPOCH, Extension::Pcapng).unwrap().sequence, 0);
}

#[test]
fn sequences_end_with_the_digits() {
    let storage = Listed(vec![name("weir", SEQUENCE_MAX - 1, 0).to_string()]);
    let mut namer = SegmentNamer::scan(&storage, NamePrefix::new("weir").unwrap()).unwrap();
    let last = namer.next(Timestamp::EPOCH, Extension::Pcapng).unwrap();
    assert_eq!(last.sequence, SEQUENCE_MAX);
    assert_eq!(namer.next(Timestamp::EPOCH, Extension::Pcapng), None);
}
