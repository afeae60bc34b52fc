//! recvmmsg, sendmmsg and the socket error queue. The only unsafe module of `net`.
//!
//! Invariant: every pointer that the kernel is given points into memory that lives and stays where it is for
//! the whole system call, and every length given with it is that memory's. [`ReceiveBatch`] allocates its
//! arrays once and never resizes them, so the pointers between them, set once, stay valid as long as it
//! lives; it holds raw pointers and so cannot leave its thread. [`SendBatch`] sets its pointers anew for each
//! call, to its own arrays and to payloads borrowed for the call. What the kernel wrote is read only as far as
//! the length it returned.

use std::io;
use std::mem::{size_of, zeroed};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

/// Datagrams per system call.
pub const BATCH: usize = 64;
/// Room for one datagram: the most UDP can carry, so nothing is ever cut off.
pub const DATAGRAM_ROOM: usize = 65_536;
const CONTROL_ROOM: usize = 256;

#[repr(C, align(8))]
#[derive(Clone, Copy)]
struct Control([u8; CONTROL_ROOM]);

/// One datagram of a [`ReceiveBatch`].
#[derive(Debug)]
pub struct Datagram<'a> {
    /// Its payload.
    pub bytes: &'a [u8],
    /// The peer's address.
    pub from: SocketAddr,
    /// The address of ours that it was sent to (IP_PKTINFO, RFC 3542 6.2).
    pub to: Option<IpAddr>,
    /// How many datagrams the socket had dropped when this one was queued, when it had dropped any.
    pub dropped: Option<u32>,
}

/// Reused room for [`BATCH`] received datagrams.
pub struct ReceiveBatch {
    headers: Box<[libc::mmsghdr]>,
    // Reached through the pointers in `headers`, the underscored ones only so; never resized.
    payloads: Box<[u8]>,
    names: Box<[libc::sockaddr_storage]>,
    _controls: Box<[Control]>,
    _vectors: Box<[libc::iovec]>,
    filled: usize,
}

impl Default for ReceiveBatch {
    fn default() -> Self {
        Self::new()
    }
}

impl ReceiveBatch {
    /// Allocates the room. The payload pages are touched, and so resident, only once datagrams fill them.
    pub fn new() -> Self {
        let mut payloads = vec![0u8; BATCH * DATAGRAM_ROOM].into_boxed_slice();
        // SAFETY: sockaddr_storage, iovec and mmsghdr are plain C structs; all zeroes is a valid value of each.
        let mut names: Box<[libc::sockaddr_storage]> = vec![unsafe { zeroed() }; BATCH].into_boxed_slice();
        let mut controls = vec![Control([0; CONTROL_ROOM]); BATCH].into_boxed_slice();
        let payload = payloads.as_mut_ptr();
        let mut vectors: Box<[libc::iovec]> = (0..BATCH)
            .map(|i| libc::iovec {
                // SAFETY: i < BATCH, so the offset stays inside `payloads`.
                iov_base: unsafe { payload.add(i * DATAGRAM_ROOM) }.cast(),
                iov_len: DATAGRAM_ROOM,
            })
            .collect();
        let (name, control, vector) = (names.as_mut_ptr(), controls.as_mut_ptr(), vectors.as_mut_ptr());
        let headers = (0..BATCH)
            .map(|i| {
                // SAFETY: as above for zeroes; i < BATCH, so each offset stays inside its array.
                let mut header: libc::mmsghdr = unsafe { zeroed() };
                unsafe {
                    header.msg_hdr.msg_name = name.add(i).cast();
                    header.msg_hdr.msg_control = control.add(i).cast();
                    header.msg_hdr.msg_iov = vector.add(i);
                }
                header.msg_hdr.msg_namelen = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
                header.msg_hdr.msg_controllen = CONTROL_ROOM as _;
                header.msg_hdr.msg_iovlen = 1;
                header
            })
            .collect();
        ReceiveBatch { headers, payloads, names, _controls: controls, _vectors: vectors, filled: 0 }
    }

    /// Takes what is queued on the socket, up to [`BATCH`] datagrams; `WouldBlock` when there is none.
    pub fn receive(&mut self, socket: BorrowedFd<'_>) -> io::Result<usize> {
        for header in self.headers.iter_mut().take(self.filled) {
            header.msg_hdr.msg_namelen = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
            header.msg_hdr.msg_controllen = CONTROL_ROOM as _;
            header.msg_hdr.msg_flags = 0;
        }
        self.filled = 0;
        // SAFETY: the module's invariant: headers and all they point to are owned by `self`.
        let n = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                self.headers.as_mut_ptr(),
                BATCH as libc::c_uint,
                libc::MSG_DONTWAIT as _,
                ptr::null_mut(),
            )
        };
        if n < 0 {
            return Err(io::Error::last_os_error());
        }
        self.filled = n as usize;
        Ok(self.filled)
    }

    /// The datagram at `index` of the last [`receive`](Self::receive); `None` past its count, and for a peer
    /// address of neither family.
    pub fn datagram(&self, index: usize) -> Option<Datagram<'_>> {
        let header = self.headers.get(..self.filled)?.get(index)?;
        let start = index * DATAGRAM_ROOM;
        let bytes = self.payloads.get(start..start + (header.msg_len as usize).min(DATAGRAM_ROOM))?;
        let from = read_name(self.names.get(index)?)?;
        let mut datagram = Datagram { bytes, from, to: None, dropped: None };
        for_each_control(&header.msg_hdr, |level, kind, data| match (level, kind) {
            (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                // SAFETY: the kernel puts an in_pktinfo behind this header; read_control checks the length.
                if let Some(info) = unsafe { read_control::<libc::in_pktinfo>(data) } {
                    datagram.to = Some(IpAddr::V4(Ipv4Addr::from(u32::from_be(info.ipi_addr.s_addr))));
                }
            }
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                // SAFETY: the kernel puts an in6_pktinfo behind this header.
                if let Some(info) = unsafe { read_control::<libc::in6_pktinfo>(data) } {
                    datagram.to = Some(IpAddr::V6(Ipv6Addr::from(info.ipi6_addr.s6_addr)));
                }
            }
            (libc::SOL_SOCKET, libc::SO_RXQ_OVFL) => {
                // SAFETY: the kernel puts a u32 behind this header.
                datagram.dropped = unsafe { read_control::<u32>(data) };
            }
            _ => {}
        });
        Some(datagram)
    }
}

/// One datagram to send.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// Where to.
    pub to: SocketAddr,
    /// The address of ours to send from; `None` leaves it to the socket and the routing table.
    pub from: Option<IpAddr>,
    /// Payload.
    pub bytes: &'a [u8],
}

/// Reused room for the headers of [`BATCH`] datagrams to send.
pub struct SendBatch {
    headers: Box<[libc::mmsghdr]>,
    names: Box<[libc::sockaddr_storage]>,
    vectors: Box<[libc::iovec]>,
    controls: Box<[Control]>,
}

impl Default for SendBatch {
    fn default() -> Self {
        Self::new()
    }
}

impl SendBatch {
    /// Allocates the room.
    pub fn new() -> Self {
        // SAFETY: all zeroes is a valid value of these plain C structs.
        unsafe {
            SendBatch {
                headers: vec![zeroed(); BATCH].into_boxed_slice(),
                names: vec![zeroed(); BATCH].into_boxed_slice(),
                vectors: vec![zeroed(); BATCH].into_boxed_slice(),
                controls: vec![Control([0; CONTROL_ROOM]); BATCH].into_boxed_slice(),
            }
        }
    }

    /// Sends up to [`BATCH`] datagrams in one system call and says how many left. An error is that of the
    /// first datagram; the others were not tried.
    pub fn send<'a>(
        &mut self,
        socket: BorrowedFd<'_>,
        batch: impl Iterator<Item = Outgoing<'a>>,
    ) -> io::Result<usize> {
        let mut count = 0;
        let places =
            self.headers.iter_mut().zip(&mut self.names).zip(&mut self.vectors).zip(&mut self.controls);
        for ((((header, name), vector), control), out) in places.zip(batch) {
            let header = &mut header.msg_hdr;
            vector.iov_base = out.bytes.as_ptr().cast_mut().cast();
            vector.iov_len = out.bytes.len();
            header.msg_iov = vector;
            header.msg_iovlen = 1;
            header.msg_namelen = write_name(name, out.to);
            header.msg_name = (&raw mut *name).cast();
            match out.from {
                Some(from) => {
                    header.msg_controllen = write_pktinfo(control, from) as _;
                    header.msg_control = (&raw mut *control).cast();
                }
                None => {
                    header.msg_controllen = 0;
                    header.msg_control = ptr::null_mut();
                }
            }
            count += 1;
        }
        // SAFETY: the first `count` headers point into the arrays of `self` and the payloads, which outlive
        // this call ('a); the kernel only reads the payloads.
        let n = unsafe {
            libc::sendmmsg(
                socket.as_raw_fd(),
                self.headers.as_mut_ptr(),
                count as libc::c_uint,
                (libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL) as _,
            )
        };
        if n < 0 { Err(io::Error::last_os_error()) } else { Ok(n as usize) }
    }
}

/// What the network said about a datagram sent earlier (IP_RECVERR).
#[derive(Debug)]
pub struct NetworkError {
    /// The error as an operating-system code, e.g. ECONNREFUSED for ICMP port unreachable.
    pub errno: i32,
    /// Whether it came from the network (ICMP or ICMPv6) and not from this host.
    pub from_network: bool,
    /// Where the datagram had been sent.
    pub to: SocketAddr,
    /// How many octets of its payload came back.
    pub quoted: usize,
}

/// Takes one entry of the socket's error queue and puts what it quotes of the datagram into `quote`;
/// `None` when the queue is empty.
pub fn receive_error(socket: BorrowedFd<'_>, quote: &mut [u8]) -> io::Result<Option<NetworkError>> {
    // SAFETY: all zeroes is a valid value of these plain C structs.
    let mut name: libc::sockaddr_storage = unsafe { zeroed() };
    let mut header: libc::msghdr = unsafe { zeroed() };
    let mut control = Control([0; CONTROL_ROOM]);
    let mut vector = libc::iovec { iov_base: quote.as_mut_ptr().cast(), iov_len: quote.len() };
    header.msg_name = (&raw mut name).cast();
    header.msg_namelen = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
    header.msg_iov = &raw mut vector;
    header.msg_iovlen = 1;
    header.msg_control = (&raw mut control).cast();
    header.msg_controllen = CONTROL_ROOM as _;
    // SAFETY: the header points into this frame and the borrowed `quote`, all alive during the call.
    let n = unsafe {
        libc::recvmsg(socket.as_raw_fd(), &raw mut header, libc::MSG_ERRQUEUE | libc::MSG_DONTWAIT)
    };
    if n < 0 {
        let error = io::Error::last_os_error();
        return if error.kind() == io::ErrorKind::WouldBlock { Ok(None) } else { Err(error) };
    }
    let mut found = None;
    for_each_control(&header, |level, kind, data| {
        let ours = (level == libc::IPPROTO_IP && kind == libc::IP_RECVERR)
            || (level == libc::IPPROTO_IPV6 && kind == libc::IPV6_RECVERR);
        if ours {
            // SAFETY: the kernel puts a sock_extended_err behind this header.
            found = unsafe { read_control::<libc::sock_extended_err>(data) };
        }
    });
    let (Some(error), Some(to)) = (found, read_name(&name)) else {
        return Ok(None);
    };
    let from_network =
        error.ee_origin == libc::SO_EE_ORIGIN_ICMP || error.ee_origin == libc::SO_EE_ORIGIN_ICMP6;
    let quoted = (n as usize).min(quote.len());
    Ok(Some(NetworkError { errno: error.ee_errno as i32, from_network, to, quoted }))
}

/// Sets a plain integer socket option.
pub fn set_option(socket: BorrowedFd<'_>, level: i32, option: i32, value: i32) -> io::Result<()> {
    // SAFETY: the pointer and the length are those of `value`, which lives during the call.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            (&raw const value).cast(),
            size_of::<i32>() as libc::socklen_t,
        )
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn for_each_control(header: &libc::msghdr, mut see: impl FnMut(i32, i32, &[u8])) {
    // SAFETY: msg_control and msg_controllen are those of a Control, the latter as the kernel left it, and
    // the CMSG macros stay within it; cmsg_len counts the header and the data behind it.
    unsafe {
        let mut at = libc::CMSG_FIRSTHDR(header);
        while !at.is_null() {
            let data = libc::CMSG_DATA(at);
            let len = ((*at).cmsg_len as usize).saturating_sub(libc::CMSG_LEN(0) as usize);
            see((*at).cmsg_level, (*at).cmsg_type, std::slice::from_raw_parts(data, len));
            at = libc::CMSG_NXTHDR(header, at);
        }
    }
}

/// # Safety
/// `T` is a plain C struct or integer for which any bytes are valid.
unsafe fn read_control<T: Copy>(data: &[u8]) -> Option<T> {
    // SAFETY: the length is checked; the read may be unaligned.
    (data.len() >= size_of::<T>()).then(|| unsafe { ptr::read_unaligned(data.as_ptr().cast()) })
}

fn read_name(name: &libc::sockaddr_storage) -> Option<SocketAddr> {
    let at: *const libc::sockaddr_storage = name;
    match i32::from(name.ss_family) {
        libc::AF_INET => {
            // SAFETY: a sockaddr_storage is large and aligned enough for every family's address.
            let v4 = unsafe { &*at.cast::<libc::sockaddr_in>() };
            let ip = Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr));
            Some(SocketAddr::V4(SocketAddrV4::new(ip, u16::from_be(v4.sin_port))))
        }
        libc::AF_INET6 => {
            // SAFETY: as above.
            let v6 = unsafe { &*at.cast::<libc::sockaddr_in6>() };
            let ip = Ipv6Addr::from(v6.sin6_addr.s6_addr);
            // The flow label names no peer; leaving it out makes equal peers compare equal.
            Some(SocketAddr::V6(SocketAddrV6::new(ip, u16::from_be(v6.sin6_port), 0, v6.sin6_scope_id)))
        }
        _ => None,
    }
}

fn write_name(name: &mut libc::sockaddr_storage, address: SocketAddr) -> libc::socklen_t {
    let at: *mut libc::sockaddr_storage = name;
    match address {
        SocketAddr::V4(v4) => {
            // SAFETY: a sockaddr_storage is large and aligned enough for every family's address.
            let to = unsafe { &mut *at.cast::<libc::sockaddr_in>() };
            to.sin_family = libc::AF_INET as libc::sa_family_t;
            to.sin_port = v4.port().to_be();
            to.sin_addr.s_addr = u32::from(*v4.ip()).to_be();
            size_of::<libc::sockaddr_in>() as libc::socklen_t
        }
        SocketAddr::V6(v6) => {
            // SAFETY: as above.
            let to = unsafe { &mut *at.cast::<libc::sockaddr_in6>() };
            to.sin6_family = libc::AF_INET6 as libc::sa_family_t;
            to.sin6_port = v6.port().to_be();
            to.sin6_addr.s6_addr = v6.ip().octets();
            to.sin6_scope_id = v6.scope_id();
            size_of::<libc::sockaddr_in6>() as libc::socklen_t
        }
    }
}

fn write_pktinfo(control: &mut Control, from: IpAddr) -> usize {
    match from {
        IpAddr::V4(ip) => {
            let address = libc::in_addr { s_addr: u32::from(ip).to_be() };
            let info = libc::in_pktinfo {
                ipi_ifindex: 0,
                ipi_spec_dst: address,
                ipi_addr: libc::in_addr { s_addr: 0 },
            };
            write_control(control, libc::IPPROTO_IP, libc::IP_PKTINFO, info)
        }
        IpAddr::V6(ip) => {
            let address = libc::in6_addr { s6_addr: ip.octets() };
            let info = libc::in6_pktinfo { ipi6_addr: address, ipi6_ifindex: 0 };
            write_control(control, libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, info)
        }
    }
}

fn write_control<T: Copy>(control: &mut Control, level: i32, kind: i32, value: T) -> usize {
    const { assert!(size_of::<T>() + 2 * size_of::<libc::cmsghdr>() <= CONTROL_ROOM) };
    let size = size_of::<T>() as u32;
    let at: *mut libc::cmsghdr = (&raw mut *control).cast();
    // SAFETY: a Control is aligned for cmsghdr and, as asserted, has room for it and the value.
    unsafe {
        (*at).cmsg_level = level;
        (*at).cmsg_type = kind;
        (*at).cmsg_len = libc::CMSG_LEN(size) as _;
        ptr::write_unaligned(libc::CMSG_DATA(at).cast(), value);
        libc::CMSG_SPACE(size) as usize
    }
}

#[cfg(test)]
#[path = "mmsg_tests.rs"]
mod tests;
