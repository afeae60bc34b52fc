use super::*;
use crate::proto::media::{Action, Command, Half, Instance, InstanceName, Negotiation, Party};
use crate::wire::bencode::{Limits, Value, parse};
use std::net::UdpSocket as StdSocket;
use std::sync::mpsc::{Receiver, channel};

const PATIENCE: Duration = Duration::from_secs(20);

/// An rtpengine on loopback that passes every SDP on as it is, and answers only `most` commands.
fn engine(most: usize) -> SocketAddr {
    let socket = StdSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    // Ends after its answers, or with the test process; it holds nothing but its socket.
    std::thread::spawn(move || {
        let mut buffer = [0; 65_536];
        for _ in 0..most {
            let Ok((n, from)) = socket.recv_from(&mut buffer) else { return };
            let space = buffer[..n].iter().position(|o| *o == b' ').unwrap();
            let command = parse(&buffer[space + 1..n], &Limits::default()).unwrap();
            let mut reply = buffer[..=space].to_vec();
            let mut fields = vec![(b"result".to_vec(), Value::from("ok"))];
            fields.extend(command.get("sdp").map(|sdp| (b"sdp".to_vec(), sdp.clone())));
            Value::Dictionary(fields.into_iter().collect()).write(&mut reply);
            socket.send_to(&reply, from).unwrap();
        }
    });
    address
}

fn client(names: &[String], timeout: Duration) -> RtpEngine {
    let instance = |n: &String| Instance { name: InstanceName::new(n), weight: 1, timeout };
    let settings = Settings { ping_every: None, ..Settings::new(names.iter().map(instance).collect()) };
    RtpEngine::start(settings, 3).unwrap()
}

fn offer(call_id: &str, at: Option<&InstanceName>) -> Box<MediaRequest> {
    let negotiation =
        Negotiation { sdp: b"v=0\r\n".as_slice().into(), half: Arc::new(Half::default()), source: None };
    let party = Party { call_id: call_id.into(), from_tag: Some("a".into()), ..Party::default() };
    let command = Command { party, action: Action::Offer(Box::new(negotiation)) };
    Box::new(MediaRequest { command, at: at.cloned() })
}

fn ask(client: &RtpEngine, request: Box<MediaRequest>) -> Receiver<MediaResult> {
    let (tell, told) = channel();
    let later = tell.clone();
    let now = client.ask(request, Box::new(move |result| later.send(*result).unwrap()));
    if let Some(result) = now {
        tell.send(*result).unwrap();
    }
    told
}

#[test]
fn an_offer_goes_out_and_its_answer_comes_back() {
    let address = engine(usize::MAX);
    let client = client(&[address.to_string()], PATIENCE);
    let answers: Vec<_> = (0..100).map(|n| ask(&client, offer(&format!("c{n}"), None))).collect();
    for answer in answers {
        let reply = answer.recv_timeout(PATIENCE).unwrap().unwrap();
        assert_eq!(reply.sdp.as_deref(), Some(&b"v=0\r\n"[..]));
        assert_eq!(reply.instance, InstanceName::new(&address.to_string()));
    }
}

#[test]
fn an_instance_may_be_named() {
    let name = format!("localhost:{}", engine(usize::MAX).port());
    let client = client(std::slice::from_ref(&name), PATIENCE);
    let reply = ask(&client, offer("c", None)).recv_timeout(PATIENCE).unwrap().unwrap();
    assert_eq!(reply.instance, InstanceName::new(&name));
}

#[test]
fn where_nobody_listens_a_new_call_goes_to_the_other_instance_long_before_its_time_out() {
    let gone = StdSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let lives = engine(usize::MAX);
    let client = client(&[gone.to_string(), lives.to_string()], PATIENCE);
    for n in 0..20 {
        let reply = ask(&client, offer(&format!("c{n}"), None)).recv_timeout(PATIENCE / 4).unwrap().unwrap();
        assert_eq!(reply.instance, InstanceName::new(&lives.to_string()));
    }
    assert_eq!(client.instances(), (1, 2));
}

#[test]
fn an_engine_that_dies_is_a_result_in_time() {
    let address = engine(1);
    let client = client(&[address.to_string()], Duration::from_millis(300));
    let reply = ask(&client, offer("c", None)).recv_timeout(PATIENCE).unwrap().unwrap();
    let asked = std::time::Instant::now();
    let result = ask(&client, offer("c", Some(&reply.instance))).recv_timeout(PATIENCE).unwrap();
    assert_eq!(result, Err(MediaFault::TimedOut));
    assert!(asked.elapsed() >= Duration::from_millis(300));
}

#[test]
fn a_client_that_is_dropped_leaves_nobody_waiting() {
    // Bound, and never read.
    let deaf = StdSocket::bind("127.0.0.1:0").unwrap();
    let client = client(&[deaf.local_addr().unwrap().to_string()], PATIENCE);
    let answer = ask(&client, offer("c", None));
    drop(client);
    assert_eq!(answer.recv_timeout(PATIENCE).unwrap(), Err(MediaFault::Down));
}

#[test]
fn a_node_without_engines_says_so() {
    let result = NoMedia.ask(offer("c", None), Box::new(|_| panic!("answered at once")));
    assert_eq!(result, Some(Box::new(Err(MediaFault::NotConfigured))));
}
