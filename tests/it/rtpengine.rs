//! siphon-proxy with Debian's rtpengine: media relayed both ways, sessions that end with their call, an engine that is
//! killed in the middle of one.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use siphon_tests::daemon::Daemon;
use siphon_tests::message::Message;
use siphon_tests::phone::{Dialog, Phone};
use siphon_tests::rtpengine::{Engine, PORTS};
use siphon_tests::scratch::Scratch;

/// How long rtpengine may take to start, and the proxy to see it come back.
const PATIENCE: Duration = Duration::from_secs(20);

/// `media.rtpengine.timeout_ms` of these tests.
const TIMEOUT: Duration = Duration::from_millis(800);

/// The example's proxy in front of that engine.
fn proxy(engine: &Engine) -> Daemon {
    let scratch = Scratch::new("proxy-rtpengine");
    scratch.write("route.py", include_str!("../../examples/proxy_rtpengine.py"));
    let config = format!(
        "listen: {{udp: [\"127.0.0.1:0\"]}}\nshards: 2\ndomain: {{local: [example.com]}}\nscript: {{path: route.py}}\n\
         auth: {{realm: example.com, users: {{alice: secret, bob: secret}}}}\n\
         media: {{rtpengine: {{address: \"{}\", timeout_ms: {}}}, health_check_interval_secs: 1}}\n\
         metrics: {{prometheus: {{listen: \"127.0.0.1:0\"}}}}\n",
        engine.ng(),
        TIMEOUT.as_millis()
    );
    Daemon::start_in(scratch, &config)
}

/// The same message with another SDP.
fn with_sdp(text: &str, port: u16) -> String {
    let head = text.split("\n\n").next().unwrap_or_default();
    format!(
        "{head}\n\nv=0\no=- 1 1 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio {port} RTP/AVP 8\n\
         a=rtpmap:8 PCMA/8000\n"
    )
}

/// Where the SDP of a message wants its media.
fn media_of(message: &Message) -> SocketAddr {
    let line =
        |start: &str| message.body().lines().find_map(|l| l.trim().strip_prefix(start)).map(str::to_owned);
    let host = line("c=IN IP4 ").unwrap_or_else(|| panic!("no c= in {message:?}"));
    let media = line("m=audio ").unwrap_or_else(|| panic!("no m= in {message:?}"));
    format!("{host}:{}", media.split(' ').next().unwrap_or_default()).parse().expect("an address")
}

/// One end of the media.
fn ear() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.set_read_timeout(Some(Duration::from_secs(5))).expect("a time-out");
    socket
}

fn rtp(number: u16) -> Vec<u8> {
    let mut packet = vec![0x80, 8];
    packet.extend(number.to_be_bytes());
    packet.extend((u32::from(number) * 160).to_be_bytes());
    packet.extend(0x1234_5678u32.to_be_bytes());
    packet.extend([0xd5; 160]);
    packet
}

/// Sends packets to `to`; how many of them the other end hears, all with the same content.
fn heard(from: &UdpSocket, to: SocketAddr, other: &UdpSocket, packets: u16) -> u16 {
    let mut buffer = [0; 2000];
    (0..packets)
        .filter(|n| {
            from.send_to(&rtp(*n), to).expect("sent");
            other.recv(&mut buffer).is_ok_and(|length| length == 172 && buffer[12..length] == rtp(*n)[12..])
        })
        .count() as u16
}

/// A call of alice to bob that is up.
struct Call {
    dialog: Dialog,
    ears: [UdpSocket; 2],
    /// Where alice and bob were told to send.
    told: [SocketAddr; 2],
}

fn call(alice: &Phone, bob: &Phone) -> Call {
    let ears = [ear(), ear()];
    let port = |n: usize| ears[n].local_addr().expect("bound").port();
    let (text, mut dialog) = alice.invite(&bob.aor());
    alice.peer.send(&with_sdp(&text, port(0)));
    let invite = bob.peer.request("INVITE");
    let response = invite.response(
        200,
        "OK",
        "bob1",
        &[&format!("Contact: {}", bob.contact()), "Content-Type: application/sdp"],
    );
    bob.peer.send(&with_sdp(&response, port(1)));
    let answer = alice.peer.final_status("INVITE", 200);
    dialog.confirm(&answer);
    alice.ack(&dialog);
    bob.peer.request("ACK");
    Call { told: [media_of(&answer), media_of(&invite)], dialog, ears }
}

fn hang_up(alice: &Phone, bob: &Phone, call: &Call) {
    alice.send_in(&call.dialog, "BYE", "");
    let bye = bob.peer.request("BYE");
    bob.answer(&bye, 200, "OK");
    alice.peer.final_status("BYE", 200);
}

#[test]
fn media_go_through_rtpengine_both_ways_and_its_sessions_end_with_the_call() {
    let engine = Engine::start();
    let proxy = proxy(&engine);
    let (alice, bob) = (Phone::udp(proxy.sip(), "alice"), Phone::udp(proxy.sip(), "bob"));
    bob.register();
    let call = call(&alice, &bob);
    let [a, b] = &call.ears;
    for told in call.told {
        assert!((engine.first_port..engine.first_port + PORTS).contains(&told.port()), "{told}");
    }
    assert_eq!(heard(a, call.told[0], b, 50), 50, "from alice to bob");
    assert_eq!(heard(b, call.told[1], a, 50), 50, "from bob to alice");
    assert!(engine.knows(call.dialog.call_id()));
    let page = proxy.get("/metrics");
    assert!(
        page.contains("siphon_rtpengine_instances_up 1")
            && page.contains("siphon_rtpengine_instances_total 1")
    );
    hang_up(&alice, &bob, &call);
    assert!(!engine.knows(call.dialog.call_id()), "the BYE was relayed after the delete");
}

#[test]
fn an_engine_killed_in_mid_call_is_a_decision_in_time_and_calls_go_on_when_it_is_back() {
    let mut engine = Engine::start();
    let proxy = proxy(&engine);
    let (alice, bob) = (Phone::udp(proxy.sip(), "alice"), Phone::udp(proxy.sip(), "bob"));
    bob.register();
    let running = call(&alice, &bob);
    engine.process.signal("KILL");
    engine.process.wait(PATIENCE).expect("it is dead");
    let asked = Instant::now();
    let (text, _) = alice.invite(&bob.aor());
    alice.peer.send(&with_sdp(&text, 4000));
    let refusal = alice.peer.final_status("INVITE", 503);
    let took = asked.elapsed();
    alice.peer.send(&alice.within(&text, "ACK", Some(refusal.header("To"))));
    assert!(took < TIMEOUT + Duration::from_secs(2), "the decision took {took:?}");
    eprintln!("the decision without an engine took {took:?}");
    hang_up(&alice, &bob, &running);
    engine.restart();
    // Its pings tell the proxy; until then calls are refused, and at once.
    let end = Instant::now() + PATIENCE;
    while !proxy.get("/metrics").contains("siphon_rtpengine_instances_up 1") {
        assert!(Instant::now() < end, "the proxy never notices that the engine is back");
    }
    let again = call(&alice, &bob);
    assert_eq!(heard(&again.ears[0], again.told[0], &again.ears[1], 10), 10);
    hang_up(&alice, &bob, &again);
}
