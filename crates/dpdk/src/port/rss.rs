//! A hash that is the same for both directions of a flow.
//!
//! Toeplitz hashing with a key that repeats every 16 bits gives the same hash when source and
//! destination, addresses and ports alike, are swapped (Woo and Park, "Scalable TCP Session
//! Monitoring with Symmetric Receive-Side Scaling", KAIST, 2012), because each lies a multiple of
//! 16 bits from the other.

/// The repeating part of the key: the paper's.
const PATTERN: [u8; 2] = [0x6d, 0x5a];

/// Returns the symmetric key of so many bytes.
pub(super) fn symmetric_key(bytes: u8) -> Vec<u8> {
    PATTERN.iter().copied().cycle().take(usize::from(bytes)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Toeplitz, by its definition: for each set bit of the input, the 32 bits of the key that
    /// start there.
    fn toeplitz(key: &[u8], input: &[u8]) -> u32 {
        let bit = |bytes: &[u8], n: usize| u32::from(bytes[n / 8] >> (7 - n % 8) & 1);
        let mut hash = 0;
        for n in (0..input.len() * 8).filter(|&n| bit(input, n) == 1) {
            hash ^= (n..n + 32).fold(0, |window, at| window << 1 | bit(key, at));
        }
        hash
    }

    fn tuple(source: [u8; 4], destination: [u8; 4], ports: [u16; 2]) -> Vec<u8> {
        let ports = ports.map(u16::to_be_bytes).concat();
        [&source[..], &destination[..], &ports[..]].concat()
    }

    #[test]
    fn both_directions_hash_alike() {
        let key = symmetric_key(40);
        assert_eq!(key.len(), 40);
        let (a, b) = ([66, 9, 149, 187], [161, 142, 100, 80]);
        let there = toeplitz(&key, &tuple(a, b, [2794, 1766]));
        let back = toeplitz(&key, &tuple(b, a, [1766, 2794]));
        assert_eq!(there, back);
        assert_ne!(there, toeplitz(&key, &tuple(a, b, [2794, 1767])));
    }

    #[test]
    fn the_test_computes_toeplitz() {
        // The first vector of Microsoft's "Verifying the RSS Hash Calculation", with its key.
        let key = [
            0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3,
            0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3,
            0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa,
        ];
        let input = tuple([66, 9, 149, 187], [161, 142, 100, 80], [2794, 1766]);
        assert_eq!(toeplitz(&key, &input), 0x51cc_c178);
    }
}
