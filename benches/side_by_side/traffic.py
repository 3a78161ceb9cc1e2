"""The capture that a looping net_pcap plays: real traffic, no more of it than mbufs hold."""

import os
import struct
from pathlib import Path

FILE_HEADER_BYTES = 24
RECORD_HEADER_BYTES = 16
LITTLE_ENDIAN_MAGICS = (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1")


def find_mix(repository):
    """Returns a capture of mixed traffic: a large one if there is one, else the project's own."""
    captures = Path(os.environ.get("WEIR_PCAPS", repository / ".." / "shared" / "pcaps"))
    large = captures / "mix_ndpi_merged.pcap"
    return large if large.is_file() else repository / "tests" / "samples" / "first-light.pcap"


def shorten(source, target, packets_max, bytes_max):
    """Copies the first packets that are no longer than `bytes_max`, and returns how many there
    are, and their bytes."""
    data = source.read_bytes()
    if data[:4] not in LITTLE_ENDIAN_MAGICS:
        raise ValueError(f"{source} is no little-endian pcap file")
    kept = [data[:FILE_HEADER_BYTES]]
    at, packet_bytes = FILE_HEADER_BYTES, 0
    while len(kept) <= packets_max and at + RECORD_HEADER_BYTES <= len(data):
        captured_bytes = struct.unpack_from("<I", data, at + 8)[0]
        end = at + RECORD_HEADER_BYTES + captured_bytes
        if captured_bytes <= bytes_max:
            kept.append(data[at:end])
            packet_bytes += captured_bytes
        at = end
    target.write_bytes(b"".join(kept))
    return len(kept) - 1, packet_bytes
