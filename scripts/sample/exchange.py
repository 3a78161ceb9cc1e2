#!/usr/bin/env python3
"""The exchanges of the sample that no everyday tool makes.

    exchange.py serve             answers on the ports below until it is killed
    exchange.py talk ADDRESS      has each exchange once with that server

UDP datagrams of many sizes (also empty) that come back; TCP connections that the server,
then the client, ends by a reset; a run over closed TCP ports; a datagram to a closed port.
"""

import socket
import struct
import sys
import threading

UDP_ECHO_PORT = 7007
TCP_RESET_PORT = 7009
CLOSED_PORTS = range(20000, 20040)
DATAGRAM_BYTES = (0, 1, 2, 17, 18, 46, 64, 128, 255, 256, 512, 1024, 1200, 1400, 3000, 8000)
TIMEOUT_S = 5


def reset(connection):
    """Closes with a reset: a linger time of 0 says that nothing unsent is waited for."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def echo_datagrams(port):
    while True:
        data, sender = port.recvfrom(65535)
        port.sendto(data, sender)


def serve():
    echo = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    echo.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    echo.bind(("::", UDP_ECHO_PORT))
    threading.Thread(target=echo_datagrams, args=(echo,), daemon=True).start()
    listener = socket.create_server(
        ("::", TCP_RESET_PORT), family=socket.AF_INET6, dualstack_ipv6=True
    )
    print("ready", flush=True)
    while True:
        connection, _ = listener.accept()
        if connection.recv(64).startswith(b"reset me"):
            reset(connection)


def exchange_datagrams(address):
    family = socket.getaddrinfo(address, None)[0][0]
    with socket.socket(family, socket.SOCK_DGRAM) as port:
        port.settimeout(TIMEOUT_S)
        port.connect((address, UDP_ECHO_PORT))
        for size in DATAGRAM_BYTES:
            data = bytes(index % 251 for index in range(size))
            port.send(data)
            assert port.recv(65535) == data, f"datagram of {size} bytes came back changed"


def be_reset(address):
    with socket.create_connection((address, TCP_RESET_PORT), TIMEOUT_S) as connection:
        connection.sendall(b"reset me\n")
        try:
            connection.recv(1)
        except ConnectionResetError:
            return
    raise AssertionError("the server did not reset")


def give_up(address):
    connection = socket.create_connection((address, TCP_RESET_PORT), TIMEOUT_S)
    connection.sendall(b"never mind\n")
    reset(connection)


def knock(address):
    for number in CLOSED_PORTS:
        try:
            socket.create_connection((address, number), TIMEOUT_S)
        except ConnectionRefusedError:
            continue
        raise AssertionError(f"port {number} is not closed")


def send_to_closed_port(address):
    family = socket.getaddrinfo(address, None)[0][0]
    with socket.socket(family, socket.SOCK_DGRAM) as port:
        port.settimeout(TIMEOUT_S)
        port.connect((address, CLOSED_PORTS[0]))
        port.send(b"is anybody there?")
        try:
            port.recv(1)
        except ConnectionRefusedError:
            return
    raise AssertionError("no word that the port is closed")


def talk(address):
    for exchange in (exchange_datagrams, be_reset, give_up, knock, send_to_closed_port):
        exchange(address)


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        serve()
    elif len(sys.argv) == 3 and sys.argv[1] == "talk":
        talk(sys.argv[2])
    else:
        sys.exit(__doc__)
