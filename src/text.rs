//! Numbers as people read them, and a way to print them that is not in the way of anything else.

/// Prints a line on standard output, as `println!` does; where nobody takes it (a pipe that was
/// closed, a full disk) it is lost, and a capture goes on. `println!` would panic.
macro_rules! say {
    ($($argument:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stdout(), $($argument)*);
    }};
}
pub(crate) use say;

/// Writes a number with its digits in groups of three: `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Writes a rate of packets: `1.25 Mpps`.
#[cfg_attr(not(feature = "dpdk"), allow(dead_code, reason = "only a capture has rates"))]
pub(crate) fn packets_per_second(rate: f64) -> String {
    scaled(rate, "pps")
}

/// Writes a rate of bits: `9.87 Gbit/s`.
#[cfg_attr(not(feature = "dpdk"), allow(dead_code, reason = "only a capture has rates"))]
pub(crate) fn bits_per_second(rate: f64) -> String {
    scaled(rate, "bit/s")
}

fn scaled(rate: f64, unit: &str) -> String {
    let (scale, prefix) = match rate {
        rate if rate >= 1e9 => (1e9, "G"),
        rate if rate >= 1e6 => (1e6, "M"),
        rate if rate >= 1e3 => (1e3, "k"),
        _ => (1.0, ""),
    };
    format!("{:.2} {prefix}{unit}", rate / scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_by_three() {
        let cases = [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")];
        for (number, text) in cases {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn scales() {
        assert_eq!(packets_per_second(1_250_000.0), "1.25 Mpps");
        assert_eq!(bits_per_second(12.0), "12.00 bit/s");
    }
}
