//! The live line on a terminal: rates, losses, level.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use weir_telemetry::Accounting;

use super::stats::Shared;
use crate::text::{bits_per_second, grouped, packets_per_second};

/// How often the line is drawn.
const REDRAW: Duration = Duration::from_millis(500);

/// The line. Where standard error is no terminal, nothing is drawn.
pub(crate) struct LiveLine {
    bar: ProgressBar,
    drawn_at: Instant,
    before: Accounting,
    started: Instant,
}

impl LiveLine {
    pub(crate) fn new() -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        bar.set_style(ProgressStyle::with_template("{msg}").unwrap_or_else(|_| {
            // The template is a constant that parses.
            ProgressStyle::default_spinner()
        }));
        let now = Instant::now();
        Self { bar, drawn_at: now, before: Accounting::default(), started: now }
    }

    /// Draws the line if it is time.
    pub(crate) fn show(&mut self, shared: &Shared) {
        let seconds = self.drawn_at.elapsed().as_secs_f64();
        if self.bar.is_hidden() || seconds < REDRAW.as_secs_f64() {
            return;
        }
        let now = shared.accounting();
        let rate = |of: fn(&Accounting) -> u64| (of(&now) - of(&self.before)) as f64 / seconds;
        self.bar.set_message(format!(
            "{:>6.1} s  received {} {}  stored {}  lost {}  level 0",
            self.started.elapsed().as_secs_f64(),
            packets_per_second(rate(|accounting| accounting.received.packets)),
            bits_per_second(rate(|accounting| accounting.received.bytes) * 8.0),
            grouped(now.stored.packets),
            grouped(now.lost().packets),
        ));
        self.bar.tick();
        self.before = now;
        self.drawn_at = Instant::now();
    }

    /// Takes the line off the terminal.
    pub(crate) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
