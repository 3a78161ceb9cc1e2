//! Header decoding, flow keys and flow hashes; no I/O, no allocation
