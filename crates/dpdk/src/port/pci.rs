//! PCI addresses, as people write them and as DPDK names ports by them.

use core::fmt;
use core::str::FromStr;

/// The address of a PCI device: `domain:bus:device.function`, in hexadecimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PciAddress {
    domain: u32,
    bus: u8,
    device: u8,
    function: u8,
}

/// A text is no PCI address.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{text:?} is no PCI address: it looks like 0000:3b:00.0, or 3b:00.0")]
pub struct PciAddressError {
    /// The text.
    pub text: String,
}

impl FromStr for PciAddress {
    type Err = PciAddressError;

    /// Reads an address with or without its domain, which is 0 where it is not given.
    fn from_str(text: &str) -> Result<Self, PciAddressError> {
        parse(text).ok_or_else(|| PciAddressError { text: text.to_owned() })
    }
}

fn parse(text: &str) -> Option<PciAddress> {
    let (text, function) = text.rsplit_once('.')?;
    let (text, device) = text.rsplit_once(':')?;
    let (domain, bus) = text.rsplit_once(':').unwrap_or(("0", text));
    let address = PciAddress {
        domain: hex(domain, 8)?,
        bus: u8::try_from(hex(bus, 2)?).ok()?,
        device: u8::try_from(hex(device, 2)?).ok()?,
        function: u8::try_from(hex(function, 1)?).ok()?,
    };
    (address.device < 32 && address.function < 8).then_some(address)
}

fn hex(text: &str, digits_max: usize) -> Option<u32> {
    let plain =
        (1..=digits_max).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    plain.then(|| u32::from_str_radix(text, 16).ok())?
}

impl fmt::Display for PciAddress {
    /// Writes the address as DPDK does.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}:{:02x}:{:02x}.{:x}", self.domain, self.bus, self.device, self.function)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_with_and_without_a_domain() {
        for (text, full) in [
            ("0000:3b:00.0", "0000:3b:00.0"),
            ("3b:00.1", "0000:3b:00.1"),
            ("10000:AF:1f.7", "10000:af:1f.7"),
        ] {
            assert_eq!(text.parse::<PciAddress>().unwrap().to_string(), full);
        }
    }

    #[test]
    fn refuses_what_is_none() {
        for text in [
            "",
            "net_pcap0",
            "3b:00",
            "3b.0",
            "3b:20.0",
            "3b:00.8",
            "+3b:00.0",
            "1:2:3:4.5",
            "::.0",
        ] {
            assert_eq!(
                text.parse::<PciAddress>(),
                Err(PciAddressError { text: text.to_owned() }),
                "{text}"
            );
        }
    }
}
