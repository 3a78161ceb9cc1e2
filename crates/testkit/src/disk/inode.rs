//! One file: what a reader sees, what is durable, and what lies between.

/// A file's place in the table of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct InodeId(pub(super) usize);

/// A file, whatever its name is.
#[derive(Clone, Debug, Default)]
pub(super) struct Inode {
    /// What a reader sees: the page cache.
    pub(super) contents: Vec<u8>,
    /// What is certain after a crash.
    pub(super) durable: Vec<u8>,
    /// What happened since the last sync, in order.
    pub(super) log: Vec<Change>,
}

/// A change that is not durable yet.
#[derive(Clone, Debug)]
pub(super) enum Change {
    /// Bytes were appended at `at`.
    Append { at: usize, bytes: Vec<u8> },
    /// As `Append`, and then a sync failed: a reader sees the bytes, and the disk never will. The
    /// file's length may reach it.
    Doomed { at: usize, length: usize },
    /// The file was cut, or lengthened by zeros, to this length.
    Truncate(usize),
}

impl Inode {
    pub(super) fn append(&mut self, bytes: &[u8]) {
        let at = self.contents.len();
        self.contents.extend_from_slice(bytes);
        self.log.push(Change::Append { at, bytes: bytes.to_vec() });
    }

    pub(super) fn truncate(&mut self, length: usize) {
        self.contents.resize(length, 0);
        self.log.push(Change::Truncate(length));
    }

    /// Makes the log durable; what an earlier sync lost stays lost.
    pub(super) fn sync(&mut self) {
        for change in std::mem::take(&mut self.log) {
            change.apply(&mut self.durable);
        }
    }

    /// Loses the data in the log, as a sync does that fails: the kernel marks the pages clean.
    pub(super) fn fail_sync(&mut self) {
        for change in &mut self.log {
            if let Change::Append { at, bytes } = change {
                *change = Change::Doomed { at: *at, length: bytes.len() };
            }
        }
    }
}

impl Change {
    /// Lets the change reach the disk whole.
    pub(super) fn apply(&self, image: &mut Vec<u8>) {
        match self {
            Self::Append { at, bytes } => {
                lengthen(image, at + bytes.len());
                image[*at..*at + bytes.len()].copy_from_slice(bytes);
            }
            Self::Doomed { at, length } => lengthen(image, at + length),
            Self::Truncate(length) => image.resize(*length, 0),
        }
    }
}

/// Lengthens `image` by zeros, if it is shorter than `length`.
pub(super) fn lengthen(image: &mut Vec<u8>, length: usize) {
    if image.len() < length {
        image.resize(length, 0);
    }
}
