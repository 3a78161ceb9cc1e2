//! Compiling: libpcap does it, and this module bounds what it may cost.
//!
//! libpcap's time grows with the square of the program's length, and its optimiser's faster. So
//! an expression has a limit in bytes and in terms; a program is optimised only where that is
//! quick; and all of it happens on a thread of its own, which has the stack that libpcap's
//! recursion needs, and which is left behind if it outstays its time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use weir_model::LinkType;

use crate::handle::{self, HandleError};
use crate::instruction::code;
use crate::lexer::{self, TokenKind};
use crate::{Instruction, VerifyError};

/// The longest expression, in bytes.
pub const EXPRESSION_BYTES_MAX: usize = 16_384;

/// The most terms that `and` and `or` connect in one expression.
///
/// `port` is the costliest term in common use: libpcap 1.10.3 takes 0.1 s for 128 of them. Longer
/// lists of addresses and ports belong in tables.
pub const EXPRESSION_TERMS_MAX: usize = 128;

/// The longest program, in instructions as first generated, that is given to libpcap's optimiser.
///
/// Measured with libpcap 1.10.3: up to here it takes less than 0.1 s, and what it saves is worth
/// that (100 hosts become 361 instructions of 2,938).
pub const OPTIMISED_INSTRUCTIONS_MAX: usize = 3_072;

/// How long libpcap may take for one expression, in milliseconds.
pub const COMPILE_TIME_MS_MAX: u64 = 2_000;

/// How many threads may be left behind in libpcap before more expressions are refused.
const STRAGGLERS_MAX: usize = 2;

/// libpcap recurses once for each block of a program: about 200 bytes for each of a few thousand.
const STACK_BYTES: usize = 16 << 20;

/// How libpcap says that no packet can match.
const REJECTS_ALL: &str = "expression rejects all packets";

/// Why an expression does not compile. Positions are bytes from the expression's start.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// The expression is too long.
    #[error("the filter has {bytes} bytes, more than {EXPRESSION_BYTES_MAX}")]
    TooLong {
        /// How long it is.
        bytes: usize,
    },
    /// The expression has too many terms.
    #[error("the filter has {terms} terms, more than {EXPRESSION_TERMS_MAX}: {expression}")]
    TooManyTerms {
        /// The expression.
        expression: String,
        /// How many terms it has.
        terms: usize,
    },
    /// A NUL or another character that filters do not have.
    #[error("the filter has the character {character:?} at byte {position_bytes}: {expression}")]
    Character {
        /// The expression.
        expression: String,
        /// Where the character stands.
        position_bytes: usize,
        /// The character.
        character: char,
    },
    /// A host or network by name. Names are not looked up: the answer would depend on the
    /// network, and on when it is asked.
    #[error(
        "`{name}` at byte {position_bytes} is not an address, and names are not looked up: {expression}"
    )]
    HostName {
        /// The expression.
        expression: String,
        /// Where the name stands.
        position_bytes: usize,
        /// The name.
        name: String,
    },
    /// A snaplen of zero accepts nothing.
    #[error("a snaplen of 0 bytes rejects every packet")]
    SnaplenZero,
    /// libpcap refused the expression or the link type.
    #[error("libpcap: {message}: {expression}")]
    Refused {
        /// The expression.
        expression: String,
        /// What libpcap said.
        message: String,
        /// Where what it complained of stands, if that can be told.
        position_bytes: Option<usize>,
    },
    /// No packet of this link type can match.
    #[error("the filter rejects every packet of link type {}: {expression}", link_type.0)]
    RejectsAll {
        /// The expression.
        expression: String,
        /// The link type.
        link_type: LinkType,
    },
    /// The expression asks for the interface or the direction of a packet, which its bytes do not
    /// tell on this link type.
    #[error("the filter asks for packet metadata, which a capture does not have: {expression}")]
    NeedsMetadata {
        /// The expression.
        expression: String,
    },
    /// libpcap made a program that the verifier refuses.
    #[error("libpcap's program for `{expression}` may not run: {error}")]
    NotVerified {
        /// The expression.
        expression: String,
        /// What the verifier said.
        error: VerifyError,
    },
    /// libpcap took too long.
    #[error("libpcap did not compile the filter within {COMPILE_TIME_MS_MAX} ms: {expression}")]
    TooSlow {
        /// The expression.
        expression: String,
    },
    /// Too many earlier expressions are still being compiled, long after they were given up.
    #[error("{threads} threads are still compiling filters that were given up")]
    Busy {
        /// How many.
        threads: usize,
    },
    /// The operating system gave no thread to compile on.
    #[error("no thread to compile the filter on: {0}")]
    Thread(std::io::Error),
    /// The operating system gave no memory file, which libpcap needs for the loopback link types.
    #[error("no memory file to compile the filter with: {0}")]
    Memory(std::io::Error),
}

/// Compiles an expression into instructions that are still to be verified.
pub(crate) fn compile(
    expression: &str,
    link_type: LinkType,
    snaplen_bytes: u32,
) -> Result<Vec<Instruction>, CompileError> {
    if snaplen_bytes == 0 {
        return Err(CompileError::SnaplenZero);
    }
    check_text(expression)?;
    let mut instructions = compile_in_thread(expression, link_type)?;
    for instruction in &mut instructions {
        // The handle has a snaplen of its own; all that libpcap does with it is to return it for
        // packets that match.
        if instruction.code == code::RET_K && instruction.k != 0 {
            instruction.k = snaplen_bytes;
        }
    }
    Ok(instructions)
}

/// Says in terms of the expression why the verifier refused libpcap's program.
pub(crate) fn not_verified(expression: &str, error: VerifyError) -> CompileError {
    let expression = expression.to_owned();
    match error {
        VerifyError::PacketMetadata { .. } => CompileError::NeedsMetadata { expression },
        error => CompileError::NotVerified { expression, error },
    }
}

/// Refuses what libpcap should not see.
fn check_text(expression: &str) -> Result<(), CompileError> {
    if expression.len() > EXPRESSION_BYTES_MAX {
        return Err(CompileError::TooLong { bytes: expression.len() });
    }
    let strange = |c: &(usize, char)| !matches!(c.1, ' '..='~' | '\t' | '\r' | '\n');
    if let Some((position_bytes, character)) = expression.char_indices().find(strange) {
        let expression = expression.to_owned();
        return Err(CompileError::Character { expression, position_bytes, character });
    }
    let connectives =
        lexer::tokens(expression).filter(|token| token.kind == TokenKind::Connective).count();
    if connectives >= EXPRESSION_TERMS_MAX {
        let (expression, terms) = (expression.to_owned(), connectives + 1);
        return Err(CompileError::TooManyTerms { expression, terms });
    }
    match lexer::first_host_name(expression) {
        None => Ok(()),
        Some(token) => Err(CompileError::HostName {
            expression: expression.to_owned(),
            position_bytes: token.position_bytes,
            name: token.text.to_owned(),
        }),
    }
}

/// Threads in libpcap that nobody waits for any more.
static THREADS_LATE: AtomicUsize = AtomicUsize::new(0);

fn compile_in_thread(
    expression: &str,
    link_type: LinkType,
) -> Result<Vec<Instruction>, CompileError> {
    let threads = THREADS_LATE.load(Ordering::Relaxed);
    if threads >= STRAGGLERS_MAX {
        return Err(CompileError::Busy { threads });
    }
    // A channel without a buffer: either the outcome changes hands or the sender learns that it
    // is late, never neither.
    let (sender, receiver) = mpsc::sync_channel(0);
    let text = expression.to_owned();
    thread::Builder::new()
        .name("weir-filter".into())
        .stack_size(STACK_BYTES)
        .spawn(move || {
            let outcome = compile_by_libpcap(&text, link_type);
            // The receiver is gone only if it counted this thread as late first.
            if sender.send(outcome).is_err() {
                THREADS_LATE.fetch_sub(1, Ordering::Relaxed);
            }
        })
        .map_err(CompileError::Thread)?;
    match receiver.recv_timeout(Duration::from_millis(COMPILE_TIME_MS_MAX)) {
        Ok(outcome) => outcome.map_err(|error| refused(expression, link_type, error)),
        Err(_) => {
            THREADS_LATE.fetch_add(1, Ordering::Relaxed);
            Err(CompileError::TooSlow { expression: expression.to_owned() })
        }
    }
}

fn compile_by_libpcap(
    expression: &str,
    link_type: LinkType,
) -> Result<Vec<Instruction>, HandleError> {
    let handle = handle::open(link_type)?;
    let plain = handle.compile(expression, false)?;
    let length = plain.get_instructions().len();
    let program = if length <= OPTIMISED_INSTRUCTIONS_MAX {
        handle.compile(expression, true)?
    } else {
        plain
    };
    Ok(program.get_instructions().iter().map(from_libpcap).collect())
}

/// Copies an instruction out of the pcap crate, which gives its fields only as text.
fn from_libpcap(instruction: &pcap::BpfInstruction) -> Instruction {
    let text = instruction.to_string();
    let mut fields = text.split(' ').map(|field| field.parse::<u32>().ok());
    let mut field = || fields.next().flatten().expect("the pcap crate writes `code jt jf k`");
    let code = u16::try_from(field()).expect("the code has 16 bits in libpcap");
    Instruction { code, jt: field(), jf: field(), k: field() }
}

fn refused(expression: &str, link_type: LinkType, error: HandleError) -> CompileError {
    let message = match error {
        HandleError::Memory(error) => return CompileError::Memory(error),
        HandleError::Libpcap(pcap::Error::PcapError(message)) => message,
        HandleError::Libpcap(other) => other.to_string(),
    };
    let expression = expression.to_owned();
    if message == REJECTS_ALL {
        return CompileError::RejectsAll { expression, link_type };
    }
    let position_bytes = position_of_complaint(&expression, &message);
    CompileError::Refused { expression, message, position_bytes }
}

/// Finds what libpcap's message quotes, or the first character that no token starts with.
fn position_of_complaint(expression: &str, message: &str) -> Option<usize> {
    let quoted = message.split('\'').nth(1);
    let culprit = lexer::tokens(expression)
        .find(|token| token.kind == TokenKind::Illegal || Some(token.text) == quoted);
    culprit.map(|token| token.position_bytes)
}

#[cfg(test)]
mod tests;
