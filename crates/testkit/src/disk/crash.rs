//! What a power loss leaves.

use std::ops::Range;

use rand::RngExt;
use rand_pcg::Pcg64;

use super::inode::{Change, Inode, lengthen};
use super::state::{NameChange, Names, State};

/// How the disk loses what was not durable.
#[derive(Clone, Copy, Debug)]
pub struct CrashModel {
    /// The unit in which data reaches the disk whole or not at all: 512 or 4096 bytes.
    pub sector_bytes: usize,
    /// Whether a lost sector may hold rubbish instead of zeros.
    pub garble: bool,
}

impl CrashModel {
    /// Sectors of 512 bytes, which may hold rubbish: the worst that is simulated.
    pub const WORST: Self = Self { sector_bytes: 512, garble: true };
}

/// How one file fares in one crash.
#[derive(Clone, Copy)]
enum Fate {
    /// Nothing that was not durable is there.
    NothingLanded,
    /// Everything is there.
    EverythingLanded,
    /// The file ends somewhere in what was written.
    Torn,
    /// The length is there, and any of the sectors, in no order.
    Scattered,
}

impl State {
    /// Cuts the power and returns what a restart finds.
    pub(super) fn crash(&mut self, model: CrashModel) -> Self {
        self.is_off = true;
        let mut after = Self::new(self.rng.random());
        let names = self.surviving_names();
        for (name, id) in names {
            let image = surviving_bytes(&self.inodes[id.0], model, &mut self.rng);
            after.put(&name, image);
        }
        after
    }

    /// Returns the durable names with some of the changes since: each change may be lost, and
    /// with it all later ones of the same names, so that a rename leaves one name or the other.
    fn surviving_names(&mut self) -> Names {
        let mut names = self.durable_names.clone();
        let loss_ratio = [0.0, 0.5, 1.0][self.rng.random_range(0..3)];
        let mut lost: Vec<&str> = Vec::new();
        for change in &self.name_log {
            let (from, to) = match change {
                NameChange::Create(name, _) | NameChange::Remove(name) => (name, name),
                NameChange::Rename(from, to) => (from, to),
            };
            let depends_on_lost = lost.iter().any(|name| name == from || name == to);
            if depends_on_lost || self.rng.random_bool(loss_ratio) {
                lost.extend([from.as_str(), to.as_str()]);
                continue;
            }
            match change {
                NameChange::Create(name, id) => {
                    names.insert(name.clone(), *id);
                }
                NameChange::Remove(name) => {
                    names.remove(name);
                }
                NameChange::Rename(from, to) => {
                    if let Some(id) = names.remove(from) {
                        names.insert(to.clone(), id);
                    }
                }
            }
        }
        names
    }
}

/// Returns the bytes of a file after a crash.
fn surviving_bytes(inode: &Inode, model: CrashModel, rng: &mut Pcg64) -> Vec<u8> {
    let fates = [Fate::NothingLanded, Fate::EverythingLanded, Fate::Torn, Fate::Scattered];
    let fate = fates[rng.random_range(0..fates.len())];
    let landed = match fate {
        Fate::NothingLanded => 0,
        Fate::EverythingLanded => inode.log.len(),
        Fate::Torn | Fate::Scattered => rng.random_range(0..=inode.log.len()),
    };
    let mut image = inode.durable.clone();
    for change in &inode.log[..landed] {
        match (fate, change) {
            (Fate::Scattered, Change::Append { at, bytes }) => {
                scatter(&mut image, *at, bytes, model, rng);
            }
            _ => change.apply(&mut image),
        }
    }
    if let (Fate::Torn, Some(Change::Append { at, bytes })) = (fate, inode.log.get(landed)) {
        tear(&mut image, *at, bytes, model.sector_bytes, rng);
    }
    image
}

/// Lets any of the sectors of an append be there, and the others be zeros or rubbish.
fn scatter(image: &mut Vec<u8>, at: usize, bytes: &[u8], model: CrashModel, rng: &mut Pcg64) {
    lengthen(image, at + bytes.len());
    for sector in sectors(at, bytes.len(), model.sector_bytes) {
        let place = &mut image[at + sector.start..at + sector.end];
        if rng.random() {
            place.copy_from_slice(&bytes[sector]);
        } else if model.garble && rng.random() {
            rng.fill(place);
        }
    }
}

/// Lets the first sectors of an append be there, and the file end with them.
fn tear(image: &mut Vec<u8>, at: usize, bytes: &[u8], sector_bytes: usize, rng: &mut Pcg64) {
    let ends: Vec<usize> =
        sectors(at, bytes.len(), sector_bytes).map(|sector| sector.end).collect();
    if ends.is_empty() {
        return;
    }
    let end = ends[rng.random_range(0..ends.len())];
    lengthen(image, at + end);
    image[at..at + end].copy_from_slice(&bytes[..end]);
}

/// Cuts `length` bytes that lie at `at` of a file where its sectors meet.
fn sectors(at: usize, length: usize, sector_bytes: usize) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let end = (sector_bytes - (at + start) % sector_bytes + start).min(length);
        let sector = start..end;
        start = end;
        (!sector.is_empty()).then_some(sector)
    })
}
