//! A packet's bytes on the way through its headers: what can be read, what was claimed, and the
//! first thing that was wrong.

use crate::issue::{Issue, IssueKind, Layer};

/// The end that no header has claimed yet.
const UNCLAIMED: usize = usize::MAX;

/// The state of one walk from the first header inwards. Offsets always count from the packet's
/// first byte.
pub(crate) struct Walk<'a> {
    /// The packet's bytes up to the end that was claimed, or up to where it was cut.
    pub(crate) bytes: &'a [u8],
    /// Where the headers so far say that the packet ends.
    claimed_end: usize,
    /// Whether some header claimed more bytes than are here.
    cut: bool,
    issue: Option<Issue>,
}

impl<'a> Walk<'a> {
    #[inline(always)]
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, claimed_end: UNCLAIMED, cut: false, issue: None }
    }

    /// Returns the `N` bytes at `at`, if they are here.
    #[inline(always)]
    pub(crate) fn peek<const N: usize>(&self, at: usize) -> Option<&'a [u8; N]> {
        self.bytes.get(at..)?.first_chunk()
    }

    /// Returns the `N` bytes at `at`, or takes down that they are missing.
    #[inline(always)]
    pub(crate) fn need<const N: usize>(&mut self, at: usize, layer: Layer) -> Option<&'a [u8; N]> {
        let found = self.peek(at);
        if found.is_none() {
            self.missing(at.saturating_add(N), layer);
        }
        found
    }

    /// Returns the big-endian 16-bit field at `at`, or takes down that it is missing.
    #[inline(always)]
    pub(crate) fn need_be16(&mut self, at: usize, layer: Layer) -> Option<u16> {
        self.need(at, layer).map(|field| u16::from_be_bytes(*field))
    }

    /// Returns what it means that bytes up to `end` are not here: that the packet was cut, or
    /// that it contradicts the length that a header outside claimed.
    #[inline]
    pub(crate) fn shortfall(&self, end: usize) -> IssueKind {
        if end > self.claimed_end { IssueKind::Length } else { IssueKind::Truncated }
    }

    /// Takes down that bytes up to `end` should be here and are not.
    #[cold]
    pub(crate) fn missing(&mut self, end: usize, layer: Layer) {
        self.fault(self.shortfall(end), layer);
    }

    /// Takes down an issue, unless there was one before.
    #[inline]
    pub(crate) fn fault(&mut self, kind: IssueKind, layer: Layer) {
        self.issue.get_or_insert(Issue::new(kind, layer));
    }

    /// Ends the packet at `end`, as the header at `layer` claims. A header cannot claim more
    /// than the one outside it.
    #[inline(always)]
    pub(crate) fn claim(&mut self, end: usize, layer: Layer) {
        if end > self.claimed_end {
            self.fault(IssueKind::Length, layer);
            return;
        }
        self.claimed_end = end;
        match self.bytes.get(..end) {
            Some(within) => self.bytes = within,
            None => self.cut = true,
        }
    }

    /// Returns whether some header has claimed an end.
    #[inline]
    pub(crate) fn is_claimed(&self) -> bool {
        self.claimed_end != UNCLAIMED
    }

    /// Returns where the packet ends by what was claimed, or else where its bytes do.
    pub(crate) fn end_claimed(&self) -> usize {
        if self.is_claimed() { self.claimed_end } else { self.bytes.len() }
    }

    /// Forgets the claimed end, and keeps only the bytes before `end`: what follows is the
    /// beginning of something longer (a first fragment).
    pub(crate) fn reopen(&mut self, end: usize) {
        self.bytes = self.bytes.get(..end).unwrap_or(self.bytes);
        self.claimed_end = UNCLAIMED;
    }

    /// Returns the first issue; bytes missing from the payload count last.
    #[inline(always)]
    pub(crate) fn into_issue(self) -> Option<Issue> {
        match self.issue {
            None if self.cut => Some(Issue::new(IssueKind::Truncated, Layer::Payload)),
            issue => issue,
        }
    }
}
