//! From a file to packets: PCAP with micro- and nanoseconds, PCAPNG with several sections and interfaces, of either byte
//! order.

use pcap_parser::traits::{PcapNGPacketBlock, PcapReaderIterator};
use pcap_parser::{Block, PcapBlockOwned, PcapError, create_reader};
use std::io::{self, Read};

/// Why a capture cannot be read, or not further.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// The file cannot be opened.
    #[error("{0}")]
    Open(io::Error),
    /// Nothing is in it.
    #[error("the file is empty")]
    Empty,
    /// It is something else.
    #[error("neither PCAP nor PCAPNG{0}")]
    Foreign(&'static str),
    /// It ends too early.
    #[error("the file ends in the middle of a packet, after {0} octets that could be read")]
    Truncated(usize),
    /// Something in it makes no sense.
    #[error("the file is damaged: no packet can be read at octet {0}")]
    Damaged(usize),
    /// The file system gave up.
    #[error("the file cannot be read beyond octet {0}")]
    Unreadable(usize),
}

/// One packet.
pub(crate) struct Packet<'a> {
    /// Microseconds of Unix time.
    pub(crate) at: u64,
    /// Link type, as registered with the libpcap project.
    pub(crate) link: u16,
    /// What was captured of it.
    pub(crate) data: &'a [u8],
}

/// A capture file.
pub(crate) struct File {
    reader: Box<dyn PcapReaderIterator + Send>,
    capacity: usize,
    format: Format,
}

/// Octets that are held at first, and at most: a block must fit.
const CAPACITY: usize = 256 * 1024;
const MOST: usize = 16 * 1024 * 1024;
/// Interfaces of a section.
const INTERFACES: usize = 4096;

#[derive(Default)]
struct Format {
    /// Of a PCAP file: its link type, and how many units of its time stamps are a second.
    legacy: Option<(u16, u64)>,
    interfaces: Vec<Interface>,
    last: u64,
    /// Packets of interfaces that nobody described.
    strays: u64,
}

#[derive(Clone, Copy)]
struct Interface {
    link: u16,
    snap: usize,
    units: Units,
}

#[derive(Clone, Copy)]
struct Units {
    per_second: u128,
    offset: i64,
}

enum Step {
    Passed(usize),
    Packet(usize),
    More,
    Grow,
    End,
    Fault(fn(usize) -> CaptureError),
}

impl File {
    pub(crate) fn new(input: impl Read + Send + 'static) -> Result<Self, CaptureError> {
        let mut input = Full(input);
        let mut magic = [0; 4];
        let length = input.read(&mut magic).map_err(CaptureError::Open)?;
        if length == 0 {
            return Err(CaptureError::Empty);
        }
        let begin = io::Cursor::new(magic.get(..length).unwrap_or_default().to_vec());
        let reader = create_reader(CAPACITY, Full(begin.chain(input))).map_err(|_| match magic {
            [0x1f, 0x8b, ..] => CaptureError::Foreign(": it is compressed, gunzip it first"),
            [0x28, 0xb5, 0x2f, 0xfd] => CaptureError::Foreign(": it is compressed, unzstd it first"),
            _ => CaptureError::Foreign(""),
        })?;
        Ok(File { reader, capacity: CAPACITY, format: Format::default() })
    }

    /// When the last packet was captured.
    pub(crate) fn last_time(&self) -> u64 {
        self.format.last
    }

    /// Packets that belong to no interface.
    pub(crate) fn strays(&self) -> u64 {
        self.format.strays
    }

    /// Shows the next packet; false at the end.
    pub(crate) fn next(&mut self, mut see: impl FnMut(Packet<'_>)) -> Result<bool, CaptureError> {
        loop {
            let step = match self.reader.next() {
                Ok((length, block)) => match self.format.read(&block) {
                    Some(packet) => {
                        see(packet);
                        Step::Packet(length)
                    }
                    None => Step::Passed(length),
                },
                Err(PcapError::Eof) => Step::End,
                Err(PcapError::Incomplete(_)) => Step::More,
                Err(PcapError::BufferTooSmall) => Step::Grow,
                Err(PcapError::UnexpectedEof) => Step::Fault(CaptureError::Truncated),
                Err(PcapError::ReadError) => Step::Fault(CaptureError::Unreadable),
                Err(_) => Step::Fault(CaptureError::Damaged),
            };
            match step {
                Step::Packet(length) => {
                    self.reader.consume(length);
                    return Ok(true);
                }
                Step::Passed(length) => self.reader.consume(length),
                Step::End => return Ok(false),
                Step::More => {
                    let held = self.reader.data().len();
                    if self.reader.refill().is_err() {
                        return Err(CaptureError::Unreadable(self.reader.consumed()));
                    }
                    if self.reader.data().len() == held && !self.reader.reader_exhausted() {
                        self.grow()?;
                    }
                }
                Step::Grow => self.grow()?,
                Step::Fault(error) => return Err(error(self.reader.consumed())),
            }
        }
    }

    fn grow(&mut self) -> Result<(), CaptureError> {
        let twice = self.capacity.saturating_mul(2);
        if twice > MOST || !self.reader.grow(twice) {
            return Err(CaptureError::Damaged(self.reader.consumed()));
        }
        self.capacity = twice;
        // What a block lacks is read by whoever asked for more room.
        self.reader.refill().map_err(|_| ()).or(Err(CaptureError::Unreadable(self.reader.consumed())))
    }
}

impl Format {
    fn read<'a>(&mut self, block: &'a PcapBlockOwned<'a>) -> Option<Packet<'a>> {
        let packet = match block {
            PcapBlockOwned::LegacyHeader(header) => {
                let units = if header.is_nanosecond_precision() { 1_000_000_000 } else { 1_000_000 };
                self.legacy = Some((link(header.network.0), units));
                return None;
            }
            PcapBlockOwned::Legacy(frame) => {
                let (link, units) = self.legacy?;
                let fraction = u64::from(frame.ts_usec).saturating_mul(1_000_000).checked_div(units)?;
                let at = u64::from(frame.ts_sec).saturating_mul(1_000_000).saturating_add(fraction);
                let length = usize::try_from(frame.caplen).unwrap_or(usize::MAX);
                Packet { at, link, data: frame.data.get(..length).unwrap_or(frame.data) }
            }
            PcapBlockOwned::NG(Block::SectionHeader(_)) => {
                self.interfaces.clear();
                return None;
            }
            PcapBlockOwned::NG(Block::InterfaceDescription(interface)) => {
                if self.interfaces.len() < INTERFACES {
                    self.interfaces.push(Interface {
                        link: link(interface.linktype.0),
                        snap: usize::try_from(interface.snaplen).unwrap_or(usize::MAX),
                        units: Units::new(interface.if_tsresol, interface.if_tsoffset),
                    });
                }
                return None;
            }
            PcapBlockOwned::NG(Block::EnhancedPacket(packet)) => {
                let interface = usize::try_from(packet.if_id).ok().and_then(|id| self.interfaces.get(id));
                let Some(interface) = interface else {
                    self.strays += 1;
                    return None;
                };
                let at = interface.units.micros(packet.ts_high, packet.ts_low);
                Packet { at, link: interface.link, data: packet.packet_data() }
            }
            PcapBlockOwned::NG(Block::SimplePacket(packet)) => {
                // It has no time: it came after what stands before it.
                let Some(interface) = self.interfaces.first() else {
                    self.strays += 1;
                    return None;
                };
                let most = if interface.snap == 0 { usize::MAX } else { interface.snap };
                let data = packet.packet_data();
                Packet { at: self.last, link: interface.link, data: data.get(..most).unwrap_or(data) }
            }
            PcapBlockOwned::NG(_) => return None,
        };
        self.last = packet.at;
        Some(packet)
    }
}

impl Units {
    /// From the options if_tsresol and if_tsoffset.
    fn new(resolution: u8, offset: i64) -> Self {
        let exponent = u32::from(resolution & 0x7f);
        let per_second = match resolution & 0x80 {
            0 => 10u128.checked_pow(exponent),
            _ => 1u128.checked_shl(exponent),
        };
        Units { per_second: per_second.filter(|n| *n > 0).unwrap_or(1_000_000), offset }
    }

    fn micros(self, high: u32, low: u32) -> u64 {
        let units = u128::from(u64::from(high) << 32 | u64::from(low));
        let micros = units.saturating_mul(1_000_000).checked_div(self.per_second).unwrap_or(0);
        let offset = i128::from(self.offset).saturating_mul(1_000_000);
        let at = i128::try_from(micros).unwrap_or(i128::MAX).saturating_add(offset);
        u64::try_from(at.max(0)).unwrap_or(u64::MAX)
    }
}

/// The upper bits say whether frames end with a checksum.
fn link(number: i32) -> u16 {
    number as u16
}

/// Reads until the buffer is full: the first block must be there at once, and a pipe gives little at a time.
struct Full<R>(R);

impl<R: Read> Read for Full<R> {
    fn read(&mut self, mut buffer: &mut [u8]) -> io::Result<usize> {
        let mut total = 0usize;
        while !buffer.is_empty() {
            match self.0.read(buffer) {
                Ok(0) => break,
                Ok(n) => {
                    total = total.saturating_add(n);
                    buffer = buffer.get_mut(n..).unwrap_or_default();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(total)
    }
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
