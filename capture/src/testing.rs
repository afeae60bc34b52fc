//! Captures for tests: packets by hand, files of both formats.

use crate::{Capture, CaptureError, Captured, Content, Tally};
use etherparse::PacketBuilder;
use std::io::Cursor;

pub(crate) const ETHERNET: u16 = 1;
pub(crate) const RAW: u16 = 101;

pub(crate) const ALICE: [u8; 4] = [198, 51, 100, 7];
pub(crate) const NODE: [u8; 4] = [192, 0, 2, 1];

/// A request that anybody could have sent.
pub(crate) fn request(method: &str, call_id: &str, body: &str) -> Vec<u8> {
    format!(
        "{method} sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.7;branch=z9hG4bK{call_id}\r\n\
         Max-Forwards: 70\r\nFrom: <sip:alice@example.com>;tag=a\r\nTo: <sip:bob@example.com>\r\n\
         Call-ID: {call_id}\r\nCSeq: 1 {method}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Ethernet, IPv4, UDP, to port 5060.
pub(crate) fn udp(payload: &[u8]) -> Vec<u8> {
    let builder = PacketBuilder::ethernet2([2; 6], [4; 6]).ipv4(ALICE, NODE, 64).udp(5062, 5060);
    let mut packet = Vec::new();
    builder.write(&mut packet, payload).unwrap();
    packet
}

/// The IP packet of [`udp`].
pub(crate) fn ip(payload: &[u8]) -> Vec<u8> {
    udp(payload).split_off(14)
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flag {
    Syn,
    Fin,
    Rst,
    None,
}

/// Ethernet, IPv4, TCP, to port 5060.
pub(crate) fn tcp(sequence: u32, flag: Flag, payload: &[u8]) -> Vec<u8> {
    let mut builder =
        PacketBuilder::ethernet2([2; 6], [4; 6]).ipv4(ALICE, NODE, 64).tcp(40_000, 5060, sequence, 1000);
    builder = match flag {
        Flag::Syn => builder.syn(),
        Flag::Fin => builder.fin(),
        Flag::Rst => builder.rst(),
        Flag::None => builder,
    };
    let mut packet = Vec::new();
    builder.write(&mut packet, payload).unwrap();
    packet
}

/// A PCAP file, one packet each millisecond.
pub(crate) fn pcap(link: u16, packets: &[Vec<u8>]) -> Vec<u8> {
    let mut file = Vec::new();
    file.extend_from_slice(&0xa1b2_c3d4u32.to_le_bytes());
    file.extend_from_slice(&[2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    file.extend_from_slice(&262_144u32.to_le_bytes());
    file.extend_from_slice(&u32::from(link).to_le_bytes());
    for (n, packet) in packets.iter().enumerate() {
        let length = (packet.len() as u32).to_le_bytes();
        file.extend_from_slice(&1_700_000_000u32.to_le_bytes());
        file.extend_from_slice(&(1000 * n as u32).to_le_bytes());
        file.extend_from_slice(&length);
        file.extend_from_slice(&length);
        file.extend_from_slice(packet);
    }
    file
}

/// Numbers of a PCAPNG section in its byte order.
#[derive(Clone, Copy)]
pub(crate) struct Order {
    pub(crate) big: bool,
}

impl Order {
    pub(crate) fn u32(self, n: u32) -> [u8; 4] {
        if self.big { n.to_be_bytes() } else { n.to_le_bytes() }
    }

    pub(crate) fn u16(self, n: u16) -> [u8; 2] {
        if self.big { n.to_be_bytes() } else { n.to_le_bytes() }
    }

    fn block(self, kind: u32, content: &[u8]) -> Vec<u8> {
        let padded = content.len().next_multiple_of(4);
        let length = self.u32(padded as u32 + 12);
        let mut block = [self.u32(kind), length].concat();
        block.extend_from_slice(content);
        block.resize(8 + padded, 0);
        block.extend_from_slice(&length);
        block
    }

    pub(crate) fn section(self) -> Vec<u8> {
        let content = [&self.u32(0x1a2b_3c4d)[..], &self.u16(1), &self.u16(0), &[0xff; 8]].concat();
        self.block(0x0a0d_0d0a, &content)
    }

    /// With time stamps of 10 to the minus `resolution` seconds.
    pub(crate) fn interface(self, link: u16, resolution: u8) -> Vec<u8> {
        let option = [&self.u16(9)[..], &self.u16(1), &[resolution, 0, 0, 0], &[0; 4]].concat();
        self.block(1, &[&self.u16(link)[..], &[0; 2], &self.u32(0), &option].concat())
    }

    pub(crate) fn packet(self, interface: u32, at: u64, data: &[u8]) -> Vec<u8> {
        let length = self.u32(data.len() as u32);
        let times = [self.u32((at >> 32) as u32), self.u32(at as u32)].concat();
        self.block(6, &[&self.u32(interface)[..], &times, &length, &length, data].concat())
    }

    /// A simple packet block: without interface and time.
    pub(crate) fn simple(self, data: &[u8]) -> Vec<u8> {
        self.block(3, &[&self.u32(data.len() as u32)[..], data].concat())
    }
}

/// Reads a whole file.
pub(crate) fn read(file: Vec<u8>) -> (Vec<Captured>, Tally, Option<CaptureError>) {
    let mut capture = match Capture::read(Cursor::new(file)) {
        Ok(capture) => capture,
        Err(error) => return (Vec::new(), Tally::default(), Some(error)),
    };
    let (mut all, mut fault) = (Vec::new(), None);
    for item in &mut capture {
        match item {
            Ok(captured) => all.push(captured),
            Err(error) => fault = Some(error),
        }
    }
    (all, capture.tally().clone(), fault)
}

/// Call-IDs of the messages, `!` and the fault of the malformed.
pub(crate) fn call_ids(captured: &[Captured]) -> Vec<String> {
    let name = |c: &Captured| match &c.content {
        Content::Message(message) => message.call_id().to_owned(),
        Content::Malformed { fault, .. } => format!("!{fault}"),
    };
    captured.iter().map(name).collect()
}

/// Reads packets from Ethernet.
pub(crate) fn seen(packets: &[Vec<u8>]) -> (Vec<String>, Tally) {
    let (captured, tally, fault) = read(pcap(ETHERNET, packets));
    assert!(fault.is_none(), "{fault:?}");
    (call_ids(&captured), tally)
}
