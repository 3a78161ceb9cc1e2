//! The names of segments: `PREFIX-SEQUENCE-UTC.pcapng.zst`, with `.part` while open.
//!
//! The sequence number has ten digits, so that names sort in the order of writing whatever the
//! clock did; the time is for people.

use core::fmt;
use std::io;

use weir_model::{Storage, Timestamp};

/// The longest prefix, in bytes: with what follows, names stay far below the 255 bytes of a file
/// system.
pub const PREFIX_BYTES_MAX: usize = 128;

/// The highest sequence number: what ten digits say.
pub const SEQUENCE_MAX: u64 = 9_999_999_999;

/// What follows a segment's name while it is not sealed, and what recovery adds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileState {
    /// Nothing: the segment is sealed.
    Sealed,
    /// `.part`: it is open, or was when the process died.
    Part,
    /// `.damaged`: what recovery read from and set aside, as it was.
    Damaged,
    /// `.rewrite`: what recovery is writing; it is made anew if that was interrupted.
    Rewrite,
}

impl FileState {
    const ALL: [Self; 4] = [Self::Part, Self::Damaged, Self::Rewrite, Self::Sealed];

    /// Returns the suffix with its dot; none for a sealed segment.
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::Sealed => "",
            Self::Part => ".part",
            Self::Damaged => ".damaged",
            Self::Rewrite => ".rewrite",
        }
    }
}

const SEQUENCE_DIGITS: usize = 10;

/// Why a text is not a prefix of segment names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PrefixError {
    /// It is empty.
    #[error("the prefix is empty")]
    Empty,
    /// It has more than [`PREFIX_BYTES_MAX`] bytes.
    #[error("the prefix has {bytes} bytes, and at most {PREFIX_BYTES_MAX} are allowed")]
    TooLong {
        /// How many it has.
        bytes: usize,
    },
    /// It begins with a dot (a hidden file) or a dash (an option to every tool).
    #[error("the prefix begins with {0:?}")]
    Leading(char),
    /// It has a character other than ASCII letters, digits, `.`, `_` and `-`.
    #[error(
        "the prefix has the character {0:?}; only ASCII letters, digits, '.', '_' and '-' are allowed"
    )]
    Character(char),
}

/// What the names of one output's segments begin with.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NamePrefix(String);

impl NamePrefix {
    /// Checks a prefix.
    ///
    /// # Errors
    ///
    /// [`PrefixError`] if names that begin with it would not be plain file names.
    pub fn new(prefix: &str) -> Result<Self, PrefixError> {
        let first = prefix.chars().next().ok_or(PrefixError::Empty)?;
        if prefix.len() > PREFIX_BYTES_MAX {
            return Err(PrefixError::TooLong { bytes: prefix.len() });
        }
        if matches!(first, '.' | '-') {
            return Err(PrefixError::Leading(first));
        }
        let allowed = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        match prefix.chars().find(|c| !allowed(c)) {
            Some(c) => Err(PrefixError::Character(c)),
            None => Ok(Self(prefix.to_owned())),
        }
    }

    /// Returns the prefix.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// How the bytes of a segment are kept, as its name says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Extension {
    /// `.pcapng`: plain blocks.
    Pcapng,
    /// `.pcapng.zst`: blocks in zstd frames.
    PcapngZst,
}

impl Extension {
    /// Returns the extension with its dot.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pcapng => ".pcapng",
            Self::PcapngZst => ".pcapng.zst",
        }
    }
}

/// A segment's name in its parts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SegmentName {
    /// What the output's names begin with.
    pub prefix: NamePrefix,
    /// Its place among the output's segments, at most [`SEQUENCE_MAX`].
    pub sequence: u64,
    /// When it was opened, in whole seconds.
    pub opened_at: UtcSecond,
    /// How its bytes are kept.
    pub extension: Extension,
}

impl SegmentName {
    /// Returns the name under which the segment's file stands in `state`.
    pub fn file_name(&self, state: FileState) -> String {
        format!("{self}{}", state.suffix())
    }

    /// Returns the name under which the segment stands while it is open.
    pub fn part(&self) -> String {
        self.file_name(FileState::Part)
    }

    /// Reads a file's name back; `None` if it is not the name of a segment.
    pub fn parse(name: &str) -> Option<(Self, FileState)> {
        FileState::ALL.into_iter().find_map(|state| {
            Some((Self::parse_sealed(name.strip_suffix(state.suffix())?)?, state))
        })
    }

    fn parse_sealed(name: &str) -> Option<Self> {
        let (stem, extension) = [Extension::PcapngZst, Extension::Pcapng]
            .into_iter()
            .find_map(|extension| Some((name.strip_suffix(extension.as_str())?, extension)))?;
        let (rest, opened_at) = stem.rsplit_once('-')?;
        let (prefix, sequence) = rest.rsplit_once('-')?;
        Some(Self {
            prefix: NamePrefix::new(prefix).ok()?,
            sequence: parse_sequence(sequence)?,
            opened_at: UtcSecond::parse(opened_at)?,
            extension,
        })
    }
}

impl fmt::Display for SegmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (prefix, extension) = (&self.prefix.0, self.extension.as_str());
        write!(f, "{prefix}-{:010}-{}{extension}", self.sequence, self.opened_at)
    }
}

fn parse_sequence(digits: &str) -> Option<u64> {
    (digits.len() == SEQUENCE_DIGITS && digits.bytes().all(|b| b.is_ascii_digit()))
        .then(|| digits.parse().ok())
        .flatten()
}

/// A second of UTC in the proleptic Gregorian calendar, written as `YYYYMMDDTHHMMSSZ`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UtcSecond(u64);

impl UtcSecond {
    /// Returns the second that `timestamp` lies in.
    pub const fn of(timestamp: Timestamp) -> Self {
        Self(timestamp.as_ns() / NS_PER_SECOND)
    }

    /// Returns the beginning of the second.
    pub const fn timestamp(self) -> Timestamp {
        Timestamp::from_ns(self.0 * NS_PER_SECOND)
    }

    fn parse(text: &str) -> Option<Self> {
        let bytes: &[u8; 16] = text.as_bytes().try_into().ok()?;
        let number = |from: usize, to: usize| -> Option<u64> {
            let digits = &bytes[from..to];
            digits.iter().all(u8::is_ascii_digit).then(|| {
                digits.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0'))
            })
        };
        let (year, month, day) = (number(0, 4)?, number(4, 6)?, number(6, 8)?);
        let (hour, minute, second) = (number(9, 11)?, number(11, 13)?, number(13, 15)?);
        let days = days_from_civil(year, month, day)?;
        let parsed = Self(days * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second);
        // The one check for the letters and every field's range: it must write itself again.
        (parsed.0 <= u64::MAX / NS_PER_SECOND && parsed.to_string() == text).then_some(parsed)
    }
}

impl fmt::Display for UtcSecond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil_from_days(self.0 / SECONDS_PER_DAY);
        let second = self.0 % SECONDS_PER_DAY;
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(f, "{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
    }
}

const NS_PER_SECOND: u64 = 1_000_000_000;
const SECONDS_PER_DAY: u64 = 86_400;
/// Days of 400 years, after which the calendar repeats.
const DAYS_PER_ERA: u64 = 146_097;
/// Days from 0000-03-01, where the first era begins, to 1970-01-01.
const DAYS_TO_EPOCH: u64 = 719_468;

/// Returns year, month and day of a day since 1970-01-01, counting years from March so that the
/// leap day is a year's last.
fn civil_from_days(days: u64) -> (u64, u64, u64) {
    let days = days + DAYS_TO_EPOCH;
    let (era, day_of_era) = (days / DAYS_PER_ERA, days % DAYS_PER_ERA);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

/// The inverse of [`civil_from_days`], for fields that may be out of range: `None` before 1970.
fn days_from_civil(year: u64, month: u64, day: u64) -> Option<u64> {
    let year = year.checked_sub(u64::from(month <= 2))?;
    let (era, year_of_era) = (year / 400, year % 400);
    let month_from_march = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = ((153 * month_from_march + 2) / 5 + day).checked_sub(1)?;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    (era * DAYS_PER_ERA + day_of_era).checked_sub(DAYS_TO_EPOCH)
}

/// Gives each new segment of one output its name.
#[derive(Debug)]
pub struct SegmentNamer {
    prefix: NamePrefix,
    next_sequence: u64,
}

impl SegmentNamer {
    /// Lists the directory once; the first name will be one above the highest there,
    /// whatever state it is in and whatever its extension.
    ///
    /// # Errors
    ///
    /// What the file system said.
    pub fn scan<S: Storage>(storage: &S, prefix: NamePrefix) -> io::Result<Self> {
        let highest = storage
            .list()?
            .iter()
            .filter_map(|name| SegmentName::parse(name))
            .filter(|(name, _)| name.prefix == prefix)
            .map(|(name, _)| name.sequence)
            .max();
        Ok(Self { prefix, next_sequence: highest.map_or(0, |highest| highest + 1) })
    }

    /// Returns the next name, and counts on; `None` when the ten digits are used up.
    pub fn next(&mut self, opened_at: Timestamp, extension: Extension) -> Option<SegmentName> {
        let sequence = self.next_sequence;
        if sequence > SEQUENCE_MAX {
            return None;
        }
        self.next_sequence += 1;
        let prefix = self.prefix.clone();
        Some(SegmentName { prefix, sequence, opened_at: UtcSecond::of(opened_at), extension })
    }
}

#[cfg(test)]
mod tests;
