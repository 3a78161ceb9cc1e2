//! `weir stats` and `weir ctl`: asking a running capture.

use weir_telemetry::Stats;

use crate::cli::{CtlArgs, CtlOrder, StatsArgs};
use crate::exit::Exit;
use crate::socket::{SocketError, Verb, ask, find};
use crate::table;
use crate::text::say;

/// Runs `weir stats`.
pub(crate) fn stats(arguments: &StatsArgs) -> Result<Exit, SocketError> {
    let path = find(arguments.socket.as_deref())?;
    let answer = ask(&path, Verb::Stats)?.unwrap_or_default();
    if arguments.json {
        say!("{answer:#}");
        return Ok(Exit::Done);
    }
    let stats: Stats =
        serde_json::from_value(answer).map_err(|cause| SocketError::Answer { path, cause })?;
    table::print(&stats);
    Ok(Exit::Done)
}

/// Runs `weir ctl`.
pub(crate) fn ctl(arguments: &CtlArgs) -> Result<Exit, SocketError> {
    let path = find(arguments.socket.as_deref())?;
    let verb = match arguments.order {
        CtlOrder::Rotate => Verb::Rotate,
        CtlOrder::Stop => Verb::Stop,
    };
    ask(&path, verb)?;
    Ok(Exit::Done)
}
