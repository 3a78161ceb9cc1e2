//! Lcores set going, and waited for.

use std::io;
use std::sync::mpsc;
use std::thread::JoinHandle;

use weir_capture::{Lcore, PlannedLcore, TscClock};
use weir_dpdk::{Eal, LcoreJoin};
use weir_model::LcoreId;

use super::RunError;

/// An lcore that runs: one of EAL's, or a thread of our own.
enum Runner {
    Eal(LcoreJoin<()>),
    Own(JoinHandle<()>),
}

/// Every lcore that runs.
pub(crate) struct Running(Vec<(LcoreId, Runner)>);

impl Running {
    /// Returns whether every lcore has ended.
    pub(crate) fn have_ended(&self) -> bool {
        self.0.iter().all(|(_, runner)| match runner {
            Runner::Eal(join) => join.is_finished(),
            Runner::Own(thread) => thread.is_finished(),
        })
    }

    /// Returns whether some lcore has ended.
    pub(crate) fn has_one_ended(&self) -> bool {
        self.0.iter().any(|(_, runner)| match runner {
            Runner::Eal(join) => join.is_finished(),
            Runner::Own(thread) => thread.is_finished(),
        })
    }

    /// Waits for every lcore.
    ///
    /// # Errors
    ///
    /// [`RunError::Panicked`] for the first that panicked.
    pub(crate) fn join(self) -> Result<(), RunError> {
        let mut result = Ok(());
        for (lcore, runner) in self.0 {
            let message = match runner {
                Runner::Eal(join) => join.join().err().map(|panic| panic.to_string()),
                Runner::Own(thread) => thread.join().err().map(|panic| text_of(&*panic)),
            };
            if let (Some(message), true) = (message, result.is_ok()) {
                result = Err(RunError::Panicked { lcore, message });
            }
        }
        result
    }
}

fn text_of(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}

/// Sets every lcore going: those that handle mbufs on EAL's threads, the others on our own.
pub(crate) fn launch(
    eal: &Eal,
    lcores: Vec<(PlannedLcore, Lcore<TscClock>)>,
) -> Result<Running, RunError> {
    let mut running = Vec::new();
    for (planned, lcore) in lcores {
        let runner = if planned.is_eal() {
            Runner::Eal(eal.launch(planned.lcore, move || lcore.run())?)
        } else {
            own_thread(&planned, lcore)
                .map(Runner::Own)
                .map_err(|cause| RunError::Thread { lcore: planned.lcore, cause })?
        };
        running.push((planned.lcore, runner));
    }
    Ok(Running(running))
}

/// Makes a thread and pins it. It does not start to work before it is pinned.
fn own_thread(planned: &PlannedLcore, lcore: Lcore<TscClock>) -> io::Result<JoinHandle<()>> {
    let cpu = core_affinity::CoreId { id: planned.cpu };
    let (pinned, is_pinned) = mpsc::channel();
    let thread = std::thread::Builder::new().name(format!("weir-lcore-{}", planned.lcore)).spawn(
        move || {
            let done = core_affinity::set_for_current(cpu);
            if pinned.send(done).is_ok() && done {
                lcore.run();
            }
        },
    )?;
    match is_pinned.recv() {
        Ok(true) => Ok(thread),
        _ => Err(io::Error::other(format!("cannot be pinned to CPU {}", planned.cpu))),
    }
}
