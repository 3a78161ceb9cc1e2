#!/usr/bin/env python3
"""A VLAN device in user space, for kernels that have none.

    vlan_link.py DEVICE TAP TPID:VID[,TPID:VID]      e.g.  veth0 tap0 88a8:300,8100:42

Makes the TAP device, and carries frames between it and DEVICE: tags are pushed on the
way out and popped on the way in, outermost first. The network stack behind the TAP is
the kernel's own, so what travels in the VLAN is real traffic with right checksums.
Prints `ready` when frames are carried, and runs until it is killed.
"""

import errno
import fcntl
import os
import select
import socket
import struct
import sys

ETH_P_ALL = 0x0003
TUNSETIFF = 0x400454CA
IFF_TAP, IFF_NO_PI = 0x0002, 0x1000
SOL_PACKET, PACKET_AUXDATA = 263, 8
TP_STATUS_VLAN_VALID, TP_STATUS_VLAN_TPID_VALID = 1 << 4, 1 << 6
FRAME_BYTES_MAX = 65536
MACS_BYTES = 12


def parse_tags(text):
    """Returns the tags as the bytes that stand between the MACs and the EtherType."""
    tags = b""
    for tag in text.split(","):
        tpid, vid = tag.split(":")
        tags += struct.pack("!HH", int(tpid, 16), int(vid))
    return tags


def open_tap(name):
    tap = os.open("/dev/net/tun", os.O_RDWR)
    request = struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI)
    fcntl.ioctl(tap, TUNSETIFF, request)
    return tap


def open_packet_socket(device):
    packets = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    packets.bind((device, ETH_P_ALL))
    packets.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    return packets


def receive(packets):
    """Receives one frame, the tag that the kernel took off put back in; None for our own."""
    frame, control, _, sender = packets.recvmsg(FRAME_BYTES_MAX, 128)
    if sender[2] == socket.PACKET_OUTGOING:
        return None
    for level, kind, data in control:
        if (level, kind) != (SOL_PACKET, PACKET_AUXDATA):
            continue
        status, _, _, _, _, tci, tpid = struct.unpack_from("=IIIHHHH", data)
        if status & TP_STATUS_VLAN_VALID:
            if not status & TP_STATUS_VLAN_TPID_VALID:
                tpid = 0x8100
            tag = struct.pack("!HH", tpid, tci)
            return frame[:MACS_BYTES] + tag + frame[MACS_BYTES:]
    return frame


def deliver(tap, frame):
    try:
        os.write(tap, frame)
    except OSError as error:
        # A device that is down takes no frames. As with a real one, they are gone.
        if error.errno != errno.EIO:
            raise


def carry(tap, packets, tags):
    payload_at = MACS_BYTES + len(tags)
    while True:
        ready, _, _ = select.select([tap, packets], [], [])
        if tap in ready:
            frame = os.read(tap, FRAME_BYTES_MAX)
            packets.send(frame[:MACS_BYTES] + tags + frame[MACS_BYTES:])
        if packets in ready:
            frame = receive(packets)
            if frame and frame[MACS_BYTES:payload_at] == tags:
                deliver(tap, frame[:MACS_BYTES] + frame[payload_at:])


def main():
    device, tap_name, tags_text = sys.argv[1:]
    tap, packets = open_tap(tap_name), open_packet_socket(device)
    print("ready", flush=True)
    carry(tap, packets, parse_tags(tags_text))


if __name__ == "__main__":
    main()
