//! Registrations made before a run: the callees' bindings, and the table whose memory is measured.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use siphon_tests::digest;

use crate::load::Plan;
use crate::operation::{Ends, PASSWORD, USERS, register};
use crate::text::Text;

/// Registers every user with digest at the callee that answers for them.
pub(crate) fn bind(plan: &Plan, callees: &[SocketAddr]) -> io::Result<()> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.set_read_timeout(Some(Duration::from_secs(2)))?;
    let local = socket.local_addr()?;
    let transport = if plan.operation.is_tcp() { "TCP" } else { "UDP" };
    let run = format!("{}b", plan.run);
    let mut buffer = vec![0; 65_536];
    let mut ask = |text: String| -> io::Result<Vec<u8>> {
        for _ in 0..5 {
            socket.send_to(text.as_bytes(), plan.server)?;
            match socket.recv(&mut buffer) {
                Ok(n) => return Ok(buffer[..n].to_vec()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::other("no answer to REGISTER"))
    };
    // First everything an earlier run left is removed, then the callee of this run is bound.
    let nobody = SocketAddr::from(([127, 0, 0, 1], 0));
    for (step, user) in (0..USERS).flat_map(|user| [(0, user), (1, user)]) {
        let contact = if step == 0 { nobody } else { callees[user % callees.len()] };
        let number = (user * 2 + step) as u32;
        // The Contact names the callee's transport; this request goes over UDP.
        let text = |cseq, authorization: &str| {
            let ends = Ends { local, callee: contact, transport };
            let text = register(number, user, cseq, ends, &run, "example.com", authorization, contact);
            text.replacen("SIP/2.0/TCP", "SIP/2.0/UDP", 1)
        };
        let challenge = ask(text(1, ""))?;
        let value = Text(&challenge).header("WWW-Authenticate").to_owned();
        let value = digest::answer(&value, "REGISTER", "sip:example.com", &format!("u{user}"), PASSWORD);
        let answer = ask(text(2, &format!("Authorization: {value}\r\n")))?;
        if Text(&answer).status() != 200 {
            return Err(io::Error::other(format!("REGISTER refused: {}", String::from_utf8_lossy(&answer))));
        }
    }
    Ok(())
}

/// Registers `count` users of the open domain with one Contact each, at most `WINDOW` at a time; the time it took.
pub(crate) fn contacts(server: SocketAddr, count: u32, run: &str) -> io::Result<Duration> {
    const WINDOW: u32 = 32;
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.set_read_timeout(Some(Duration::from_millis(300)))?;
    let local = socket.local_addr()?;
    let began = Instant::now();
    let mut buffer = vec![0; 65_536];
    let mut answered = vec![false; count as usize];
    let text = |number: u32| {
        let ends = Ends { local, callee: local, transport: "UDP" };
        register(number, number as usize, 1, ends, run, "open.example.com", "", local)
    };
    let (mut next, mut open, mut done) = (0, 0, 0);
    while done < count {
        while next < count && open < WINDOW {
            socket.send_to(text(next).as_bytes(), server)?;
            next += 1;
            open += 1;
        }
        match socket.recv(&mut buffer) {
            Ok(n) => {
                let answer = Text(&buffer[..n]);
                let Some(number) = answer.number(run).filter(|n| *n < count) else { continue };
                if answer.status() != 200 {
                    return Err(io::Error::other(format!(
                        "REGISTER refused: {}",
                        String::from_utf8_lossy(answer.0)
                    )));
                }
                if !std::mem::replace(&mut answered[number as usize], true) {
                    done += 1;
                    open -= 1;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let lost = (0..next).filter(|n| !answered[*n as usize]);
                for number in lost {
                    socket.send_to(text(number).as_bytes(), server)?;
                }
            }
            Err(error) => return Err(error),
        }
        if began.elapsed() > Duration::from_secs(300) {
            return Err(io::Error::other(format!("only {done} of {count} registered in 300 s")));
        }
    }
    Ok(began.elapsed())
}
