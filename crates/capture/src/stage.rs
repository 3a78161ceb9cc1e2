//! What an lcore runs.

/// What one poll of a stage came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Poll {
    /// It did this many units of work (packets, or blocks); never 0.
    Worked(usize),
    /// There was nothing to do, or no room to do it.
    Idle,
    /// Its inputs have ended, everything was passed on, and it is not to be polled again.
    Finished,
}

impl Poll {
    /// Returns `Worked`, or `Idle` for no work.
    #[inline]
    pub fn worked(units: usize) -> Self {
        if units == 0 { Self::Idle } else { Self::Worked(units) }
    }
}

/// A part of the data path that one lcore polls, together with others or alone.
///
/// A stage never waits: it does a bounded piece of work, a burst or a block, and returns. It ends
/// by itself when what feeds it has ended and it has passed everything on.
pub trait Stage: Send {
    /// Does a bounded piece of work.
    fn poll(&mut self) -> Poll;
}
