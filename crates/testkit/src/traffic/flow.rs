//! One conversation, packet by packet.

use std::collections::VecDeque;

use rand::RngExt;
use rand_pcg::Pcg64;

use super::fragment::{fragment_ipv4, fragment_ipv6};
use super::frame::FrameBuilder;
use super::layer::{Icmp, Layer, Tcp};

/// Bytes of payload in a full segment: what 1500 bytes of IP leave with TCP's timestamps.
const SEGMENT_BYTES: usize = 1_448;
/// The most packets that one conversation has.
const PACKETS_MAX: f64 = 20_000.0;
/// The smaller, the heavier the tail of conversations' lengths.
const TAIL: f64 = 1.2;

/// What a conversation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Tls,
    Http,
    Dns,
    Quic,
    Media,
    Ping,
    Scan,
    Arp,
    Fragments,
    Tunnel,
}

/// Kinds and how often each one starts, in percent.
const KINDS: [(Kind, u32); 10] = [
    (Kind::Tls, 38),
    (Kind::Http, 14),
    (Kind::Dns, 22),
    (Kind::Quic, 9),
    (Kind::Media, 4),
    (Kind::Ping, 3),
    (Kind::Scan, 4),
    (Kind::Arp, 2),
    (Kind::Fragments, 2),
    (Kind::Tunnel, 2),
];

/// Where a conversation takes place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) is_ipv6: bool,
    pub(super) vlan: Option<u16>,
    pub(super) client: u16,
    pub(super) server: u16,
}

/// A conversation that goes on.
#[derive(Debug)]
pub(super) struct Conversation {
    kind: Kind,
    place: Place,
    client_port: u16,
    /// Packets that are still to come.
    left: u32,
    sent: u32,
    /// The next sequence number of each side, the client's first.
    sequence: [u32; 2],
    ready: VecDeque<Vec<u8>>,
}

/// Who sends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Client,
    Server,
}

impl Conversation {
    pub(super) fn start(place: Place, rng: &mut Pcg64) -> Self {
        let kind = choose_kind(rng);
        let left = match kind {
            Kind::Dns | Kind::Arp => 2,
            Kind::Scan => 1,
            Kind::Ping => 2 * rng.random_range(1..20),
            _ => tail_heavy(rng),
        };
        Self {
            kind,
            place,
            client_port: rng.random_range(32_768..61_000),
            left,
            sent: 0,
            sequence: [rng.random(), rng.random()],
            ready: VecDeque::new(),
        }
    }

    /// Returns the next packet, or `None` when the conversation is over.
    pub(super) fn next(&mut self, rng: &mut Pcg64) -> Option<Vec<u8>> {
        if self.ready.is_empty() {
            self.left = self.left.checked_sub(1)?;
            self.speak(rng);
            self.sent += 1;
        }
        self.ready.pop_front()
    }

    fn speak(&mut self, rng: &mut Pcg64) {
        let frame = match self.kind {
            Kind::Tls => self.tcp(443, rng, random_bytes),
            Kind::Http => self.tcp(80, rng, text_bytes),
            Kind::Dns => self.udp(53, self.in_turn(), 30..180, rng),
            Kind::Quic => self.udp(443, self.mostly_server(rng), 40..1_350, rng),
            Kind::Media => self.udp(5_004, Side::Server, 160..1_200, rng),
            Kind::Ping => self.ping(),
            Kind::Scan => self.scan(rng),
            Kind::Arp => self.arp(),
            Kind::Fragments => return self.fragments(rng),
            Kind::Tunnel => self.tunnel(rng),
        };
        self.ready.push_back(frame);
    }

    fn in_turn(&self) -> Side {
        if self.sent.is_multiple_of(2) { Side::Client } else { Side::Server }
    }

    fn mostly_server(&self, rng: &mut Pcg64) -> Side {
        if self.sent == 0 || rng.random_bool(0.3) { Side::Client } else { Side::Server }
    }

    /// The link and network headers of a packet from `side`.
    fn headers(&self, side: Side) -> FrameBuilder {
        let link = match self.place.vlan {
            Some(vlan) => FrameBuilder::ethernet().vlan(vlan),
            None => FrameBuilder::ethernet(),
        };
        self.network(link, side)
    }

    fn network(&self, link: FrameBuilder, side: Side) -> FrameBuilder {
        let (client, server) = (self.place.client, self.place.server);
        if self.place.is_ipv6 {
            let (client, server) = (ipv6_of(0xc, client), ipv6_of(0x5, server));
            match side {
                Side::Client => link.ipv6(client, server),
                Side::Server => link.ipv6(server, client),
            }
        } else {
            let (client, server) = (ipv4_of(10, client), ipv4_of(198, server));
            match side {
                Side::Client => link.ipv4(client, server),
                Side::Server => link.ipv4(server, client),
            }
        }
    }

    /// One segment: a handshake, then data mostly from the server, then the end.
    fn tcp(
        &mut self,
        port: u16,
        rng: &mut Pcg64,
        fill: impl Fn(&mut Pcg64, usize) -> Vec<u8>,
    ) -> Vec<u8> {
        let (side, flags, bytes) = match (self.sent, self.left) {
            (0, _) => (Side::Client, Tcp::SYN, 0),
            (1, _) => (Side::Server, Tcp::SYN | Tcp::ACK, 0),
            (2, _) => (Side::Client, Tcp::ACK, 0),
            (_, 0) => (Side::Client, Tcp::FIN | Tcp::ACK, 0),
            (_, 1) => (Side::Server, Tcp::FIN | Tcp::ACK, 0),
            _ => match self.mostly_server(rng) {
                Side::Client if rng.random_bool(0.7) => (Side::Client, Tcp::ACK, 0),
                Side::Client => (Side::Client, Tcp::ACK | Tcp::PSH, rng.random_range(60..700)),
                Side::Server if rng.random_bool(0.8) => (Side::Server, Tcp::ACK, SEGMENT_BYTES),
                Side::Server => (Side::Server, Tcp::ACK | Tcp::PSH, rng.random_range(1..1_448)),
            },
        };
        let payload = fill(rng, bytes);
        let [mine, other] = match side {
            Side::Client => [0, 1],
            Side::Server => [1, 0],
        };
        let (source, destination) = self.ports(side, port);
        let header = Tcp {
            source,
            destination,
            sequence: self.sequence[mine],
            acknowledgment: if self.sent == 0 { 0 } else { self.sequence[other] },
            flags,
            // No-operation twice, then timestamps, which are left at zero.
            options: vec![1, 1, 8, 10, 0, 0, 0, 0, 0, 0, 0, 0],
        };
        let takes_number = flags & (Tcp::SYN | Tcp::FIN) != 0;
        let advance = payload.len() as u32 + u32::from(takes_number);
        self.sequence[mine] = self.sequence[mine].wrapping_add(advance);
        self.headers(side).layer(Layer::Tcp(header)).payload(&payload).build_padded()
    }

    fn udp(
        &self,
        port: u16,
        side: Side,
        bytes: std::ops::Range<usize>,
        rng: &mut Pcg64,
    ) -> Vec<u8> {
        let bytes = rng.random_range(bytes);
        let payload = random_bytes(rng, bytes);
        let (source, destination) = self.ports(side, port);
        self.headers(side).udp(source, destination).payload(&payload).build_padded()
    }

    fn ports(&self, side: Side, port: u16) -> (u16, u16) {
        match side {
            Side::Client => (self.client_port, port),
            Side::Server => (port, self.client_port),
        }
    }

    fn ping(&self) -> Vec<u8> {
        let side = self.in_turn();
        let [id_high, id_low] = self.client_port.to_be_bytes();
        let [number_high, number_low] = ((self.sent / 2) as u16).to_be_bytes();
        let rest = [id_high, id_low, number_high, number_low];
        let is_request = side == Side::Client;
        let layer = if self.place.is_ipv6 {
            Layer::Icmpv6(Icmp { kind: if is_request { 128 } else { 129 }, code: 0, rest })
        } else {
            Layer::Icmp(Icmp { kind: if is_request { 8 } else { 0 }, code: 0, rest })
        };
        self.headers(side).layer(layer).payload(&[0x55; 56]).build_padded()
    }

    fn scan(&self, rng: &mut Pcg64) -> Vec<u8> {
        let port = rng.random_range(1..1_024);
        self.headers(Side::Client).tcp(self.client_port, port, Tcp::SYN).build_padded()
    }

    fn arp(&self) -> Vec<u8> {
        let (client, server) = (ipv4_of(10, self.place.client), ipv4_of(10, self.place.server));
        let is_request = self.in_turn() == Side::Client;
        let mut bytes = vec![0, 1, 8, 0, 6, 4, 0, if is_request { 1 } else { 2 }];
        let (sender, target) = if is_request { (client, server) } else { (server, client) };
        bytes.extend([2, 0, 0, 0, 0, 1]);
        bytes.extend(sender);
        bytes.extend([0; 6]);
        bytes.extend(target);
        let layer = Layer::Raw { ethertype: 0x0806, ip_protocol: 0, bytes };
        FrameBuilder::ethernet().layer(layer).build_padded()
    }

    /// A datagram too large for the link.
    fn fragments(&mut self, rng: &mut Pcg64) {
        let bytes = rng.random_range(2_000..8_000);
        let payload = random_bytes(rng, bytes);
        let (source, destination) = self.ports(Side::Client, 2_049);
        let frame = self.headers(Side::Client).udp(source, destination).payload(&payload).build();
        let l3_offset = if self.place.vlan.is_some() { 18 } else { 14 };
        if self.place.is_ipv6 {
            self.ready.extend(fragment_ipv6(&frame, l3_offset, 1_448, rng.random()));
        } else {
            self.ready.extend(fragment_ipv4(&frame, l3_offset, 1_480));
        }
    }

    fn tunnel(&self, rng: &mut Pcg64) -> Vec<u8> {
        let side = self.mostly_server(rng);
        let outer = FrameBuilder::ethernet().ipv4([172, 16, 0, 1], [172, 16, 0, 2]);
        let opened = match self.client_port % 4 {
            0 => outer.vxlan(u32::from(self.place.client)),
            1 => outer.geneve(u32::from(self.place.client)),
            2 => outer.gtp_user(u32::from(self.place.client)),
            _ => outer.gre(),
        };
        let bytes = rng.random_range(20..1_200);
        let payload = random_bytes(rng, bytes);
        let (source, destination) = self.ports(side, 8_080);
        self.network(opened, side).udp(source, destination).payload(&payload).build()
    }
}

fn choose_kind(rng: &mut Pcg64) -> Kind {
    let mut left = rng.random_range(0..KINDS.iter().map(|(_, weight)| weight).sum());
    for (kind, weight) in KINDS {
        if left < weight {
            return kind;
        }
        left -= weight;
    }
    unreachable!("the weights add up to the range's end")
}

/// Most conversations are short, and most packets are in long ones: a Pareto distribution.
fn tail_heavy(rng: &mut Pcg64) -> u32 {
    let uniform: f64 = rng.random_range(f64::EPSILON..1.0);
    (6.0 / uniform.powf(1.0 / TAIL)).min(PACKETS_MAX) as u32
}

/// Bytes that do not compress, as what is encrypted does not.
fn random_bytes(rng: &mut Pcg64, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    rng.fill(&mut bytes[..]);
    bytes
}

/// Bytes that compress as text does.
fn text_bytes(rng: &mut Pcg64, count: usize) -> Vec<u8> {
    const WORDS: [&str; 16] = [
        "<div class=\"row\">",
        "</div>\r\n",
        "the ",
        "of ",
        "capture ",
        "packet ",
        "Content-Type: ",
        "text/html\r\n",
        "href=\"/a/",
        "\">",
        "and ",
        "{\"id\":",
        "0123",
        "\",\"name\":\"",
        "to ",
        "in ",
    ];
    let mut bytes = Vec::with_capacity(count + 20);
    while bytes.len() < count {
        bytes.extend_from_slice(WORDS[rng.random_range(0..WORDS.len())].as_bytes());
    }
    bytes.truncate(count);
    bytes
}

fn ipv4_of(net: u8, host: u16) -> [u8; 4] {
    let [high, low] = host.to_be_bytes();
    [net, 18, high, low]
}

fn ipv6_of(net: u8, host: u16) -> [u8; 16] {
    let [high, low] = host.to_be_bytes();
    [0x20, 0x01, 0x0d, 0xb8, 0, net, 0, 0, 0, 0, 0, 0, 0, 0, high, low]
}
