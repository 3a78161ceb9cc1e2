//! A program that may run: verified, immutable and shared.

use std::sync::{Arc, OnceLock};

use weir_model::LinkType;

use crate::compile::{self, CompileError};
use crate::op::Op;
use crate::prune::Liveness;
use crate::step::{self, Step};
use crate::verify::{self, VerifyError};
use crate::{Instruction, interpret};

/// A verified program. Cloning it copies a pointer.
#[derive(Clone, Debug)]
pub struct Program {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    expression: Option<Box<str>>,
    instructions: Box<[Instruction]>,
    ops: Box<[Op]>,
    steps: Box<[Step]>,
    /// Computed when first wanted: most programs are never run abstractly.
    liveness: OnceLock<Liveness>,
}

impl Program {
    /// Compiles a pcap-filter(7) expression for packets of a link type.
    ///
    /// An empty or blank expression accepts every packet. Accepted packets are given the number
    /// `snaplen_bytes`, as tcpdump does.
    ///
    /// It blocks for as long as libpcap takes, up to [`COMPILE_TIME_MS_MAX`], on a thread of its
    /// own, and looks no name up on the network: call it off the data path.
    ///
    /// [`COMPILE_TIME_MS_MAX`]: crate::COMPILE_TIME_MS_MAX
    ///
    /// # Errors
    ///
    /// [`CompileError`] if libpcap or the verifier refuses the expression, or if it is beyond the
    /// limits of this crate.
    pub fn compile(
        expression: &str,
        link_type: LinkType,
        snaplen_bytes: u32,
    ) -> Result<Self, CompileError> {
        let instructions = compile::compile(expression, link_type, snaplen_bytes)?;
        Self::checked(Some(expression.into()), instructions)
            .map_err(|error| compile::not_verified(expression, error))
    }

    /// Takes a program that someone else made.
    ///
    /// # Errors
    ///
    /// [`VerifyError`] if it may not run.
    pub fn verify(instructions: Vec<Instruction>) -> Result<Self, VerifyError> {
        Self::checked(None, instructions)
    }

    fn checked(
        expression: Option<Box<str>>,
        instructions: Vec<Instruction>,
    ) -> Result<Self, VerifyError> {
        let ops = verify::verify(&instructions)?;
        let instructions = instructions.into_boxed_slice();
        let steps = step::steps(&ops);
        let inner = Inner { expression, instructions, ops, steps, liveness: OnceLock::new() };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Runs on a packet and returns the program's number: 0 rejects it.
    ///
    /// `packet` is what was captured, `wire_bytes` what the packet had on the wire: the first
    /// bounds every load, the second is what `len`, `less` and `greater` compare.
    #[inline]
    pub fn run(&self, packet: &[u8], wire_bytes: u32) -> u32 {
        interpret::run_program(&self.inner.steps, packet, wire_bytes)
    }

    pub(crate) fn ops(&self) -> &[Op] {
        &self.inner.ops
    }

    pub(crate) fn liveness(&self) -> &Liveness {
        self.inner.liveness.get_or_init(|| Liveness::of(self.ops()))
    }

    /// Returns the text that the program was compiled from, if it was.
    pub fn expression(&self) -> Option<&str> {
        self.inner.expression.as_deref()
    }

    /// Returns the program's instructions.
    pub fn instructions(&self) -> &[Instruction] {
        &self.inner.instructions
    }
}
