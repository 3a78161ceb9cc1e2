//! Generated filters and programs on generated packets: everything answers as libpcap does.

use weir_filter::{Chain, CompileError, Engine, Matcher, Native, Program};
use weir_model::LinkType;

use crate::generate::{Choices, Sample, random_filter, random_packet, random_program};
use crate::reference::Reference;
use crate::rounds;

const PACKETS_PER_FILTER: usize = 24;

/// Everything that runs one program.
struct Engines {
    program: Program,
    reference: Reference,
    native: Option<Native>,
}

impl Engines {
    /// Prepares a program. Native code is made once in `native_every` seeds: without optimisation,
    /// Cranelift is slow.
    fn new(program: Program, seed: u64, native_every: u64) -> Self {
        let reference = Reference::new(&program);
        let native = seed.is_multiple_of(native_every).then(|| Native::compile(&program).unwrap());
        Self { program, reference, native }
    }

    /// Returns the interpreter's answer, having asserted that the others give the same.
    fn run(&self, packet: &[u8], wire_bytes: u32, seed: u64) -> u32 {
        let answer = self.program.run(packet, wire_bytes);
        let context = || {
            let program = self.program.expression().unwrap_or("a program");
            format!("seed {seed}: {program} on {packet:02x?} of {wire_bytes}")
        };
        assert_eq!(answer, self.reference.run(packet, wire_bytes), "{}", context());
        if let Some(native) = &self.native {
            assert_eq!(answer, native.run(packet, wire_bytes), "native, {}", context());
        }
        answer
    }
}

#[test]
fn filters_answer_as_libpcap_does() {
    let handle = pcap::Capture::dead(pcap::Linktype::ETHERNET).unwrap();
    let (mut compiled, mut matched) = (0u64, 0u64);
    let filters = rounds(12_000, 200_000);
    for seed in 0..filters {
        let mut choices = Choices::new(seed);
        let expression = random_filter(&mut choices, 6);
        let ours = Program::compile(&expression, LinkType::ETHERNET, 65_535);
        let theirs = handle.compile(&expression, true);
        let (program, theirs) = match (ours, theirs) {
            (Ok(program), Ok(theirs)) => (program, theirs),
            (Err(CompileError::Refused { .. } | CompileError::RejectsAll { .. }), Err(_)) => {
                continue;
            }
            (ours, theirs) => {
                let theirs = theirs.map(|_| ());
                panic!("seed {seed}: {expression}: {ours:?}, libpcap {theirs:?}");
            }
        };
        compiled += 1;
        let engines = Engines::new(program, seed, rounds(8, 1));
        for _ in 0..PACKETS_PER_FILTER {
            let Sample { bytes, wire_bytes } = random_packet(&mut choices);
            matched += u64::from(engines.run(&bytes, wire_bytes, seed) != 0);
            // The pcap crate's own call, of a program that its own handle compiled. Where `geneve`
            // fails, libpcap goes on with memory that nobody has written.
            if !expression.contains("geneve") {
                let whole = u32::try_from(bytes.len()).unwrap();
                let ours = engines.run(&bytes, whole, seed) != 0;
                assert_eq!(ours, theirs.filter(&bytes), "seed {seed}: {expression}, {bytes:02x?}");
            }
        }
    }
    // Neither side may be right by never having anything to say.
    let runs = compiled * PACKETS_PER_FILTER as u64;
    assert!(compiled >= filters * 5 / 6, "only {compiled} of {filters} filters compile");
    assert!((runs / 5..=runs * 4 / 5).contains(&matched), "{matched} of {runs} match");
}

#[test]
fn programs_answer_as_libpcap_does() {
    let mut accepted = 0u64;
    let programs = rounds(40_000, 2_000_000);
    for seed in 0..programs {
        let mut choices = Choices::new(seed);
        let instructions = random_program(&mut choices);
        let program = Program::verify(instructions).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
        let engines = Engines::new(program, seed, rounds(16, 4));
        for _ in 0..4 {
            let length = choices.below(64);
            let packet: Vec<u8> = (0..length).map(|_| choices.any() as u8 & 0x1f).collect();
            let wire_bytes = choices.pick(&[0, length, 1_514, u32::MAX]);
            accepted += u64::from(engines.run(&packet, wire_bytes, seed) != 0);
        }
    }
    let runs = programs * 4;
    assert!(accepted >= runs / 6, "only {accepted} of {runs} runs return a number");
}

/// Makes a filter that compiles, or a program that none compiles to.
fn some_program(choices: &mut Choices) -> Program {
    loop {
        if choices.once_in(5) {
            return Program::verify(random_program(choices)).unwrap();
        }
        let expression = random_filter(choices, 4);
        if let Ok(program) = Program::compile(&expression, LinkType::ETHERNET, 65_535) {
            return program;
        }
    }
}

#[test]
fn a_chain_is_its_filters_in_turn() {
    let mut firsts = [0u64; 51];
    let chains = rounds(60, 2_000);
    for seed in 0..chains {
        let mut choices = Choices::new(seed);
        let length = choices.pick(&[1, 2, 50]);
        let programs: Vec<_> = (0..length).map(|_| some_program(&mut choices)).collect();
        let chain = Chain::new(&programs).unwrap();
        let native = Matcher::of_chain(&chain);
        assert_eq!(native.engine(), Engine::Native);
        for _ in 0..200 {
            let Sample { bytes, wire_bytes } = random_packet(&mut choices);
            let accepts = |program: &Program| program.run(&bytes, wire_bytes) != 0;
            let first = programs.iter().position(accepts).map_or(0, |index| index + 1);
            let answers =
                (chain.run(&bytes, wire_bytes) as usize, native.run(&bytes, wire_bytes) as usize);
            assert_eq!(answers, (first, first), "seed {seed} on {bytes:02x?} of {wire_bytes}");
            firsts[first] += 1;
        }
    }
    let late: u64 = firsts[5..].iter().sum();
    assert!(firsts[0] > 0 && late > chains * 2, "{firsts:?}");
}
