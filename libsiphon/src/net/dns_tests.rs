use super::*;
use crate::proto::locate::{Naptr, Srv};
use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, AAAA, NAPTR, SRV};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use std::net::UdpSocket;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;

const PATIENCE: Duration = Duration::from_secs(10);

/// A name server on loopback that knows the zone `example.com` below and counts what it is asked.
struct Server {
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
}

impl Server {
    fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let (address, asked) = (socket.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
        let counter = asked.clone();
        // Ends with the test process; it holds nothing but its socket.
        std::thread::spawn(move || {
            let mut buffer = [0; 1500];
            while let Ok((n, from)) = socket.recv_from(&mut buffer) {
                let Ok(query) = Message::from_vec(&buffer[..n]) else { continue };
                counter.fetch_add(1, Ordering::SeqCst);
                if let Some(answer) = answer_to(&query) {
                    let _ = socket.send_to(&answer.to_vec().unwrap(), from);
                }
            }
        });
        Server { address, asked }
    }

    fn client(&self) -> Dns {
        self.client_with(|_| {})
    }

    fn client_with(&self, change: impl FnOnce(&mut DnsSettings)) -> Dns {
        let mut settings = DnsSettings { servers: vec![self.address], ..DnsSettings::default() };
        change(&mut settings);
        Dns::start(settings).unwrap()
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn name(text: &str) -> Name {
    Name::from_ascii(text).unwrap()
}

fn answer_to(query: &Message) -> Option<Message> {
    let question = query.queries.first()?.clone();
    let owner = question.name().clone();
    let asked = owner.to_ascii().to_ascii_lowercase();
    let records: Vec<RData> = match (asked.as_str(), question.query_type()) {
        ("silent.example.com.", _) => return None,
        ("example.com.", RecordType::NAPTR) => ["SIP+D2T", "SIP+D2U"]
            .map(|service| {
                let replacement = name("_sip._udp.example.com.");
                RData::NAPTR(NAPTR::new(
                    50,
                    10,
                    b"s"[..].into(),
                    service.as_bytes().into(),
                    [].into(),
                    replacement,
                ))
            })
            .into(),
        ("_sip._udp.example.com.", RecordType::SRV) => {
            vec![
                RData::SRV(SRV::new(10, 60, 5070, name("a.example.com."))),
                RData::SRV(SRV::new(20, 0, 0, Name::root())),
            ]
        }
        ("a.example.com.", RecordType::A) => {
            vec![RData::A(A::new(192, 0, 2, 1)), RData::A(A::new(192, 0, 2, 2))]
        }
        ("a.example.com.", RecordType::AAAA) => {
            vec![RData::AAAA(AAAA("2001:db8::1".parse().unwrap()))]
        }
        ("many.example.com.", RecordType::A) => (0..60).map(|n| RData::A(A::new(192, 0, 2, n))).collect(),
        ("brief.example.com.", RecordType::A) => vec![RData::A(A::new(192, 0, 2, 9))],
        _ => Vec::new(),
    };
    let ttl = if asked.starts_with("brief") { 0 } else { 300 };
    let mut answer = Message::response(query.metadata.id, query.metadata.op_code);
    answer.add_query(question);
    if asked.starts_with("broken") {
        answer.metadata.response_code = ResponseCode::ServFail;
    }
    answer.add_answers(records.into_iter().map(|data| Record::from_rdata(owner.clone(), ttl, data)));
    Some(answer)
}

fn ask(dns: &Dns, lookup: &Lookup) -> Records {
    let (sender, answer) = channel();
    let done = Box::new(move |records| sender.send(records).unwrap());
    match dns.look_up(lookup, done) {
        Some(records) => records,
        None => answer.recv_timeout(PATIENCE).expect("an answer, if only an empty one"),
    }
}

fn addresses(name: &str) -> Lookup {
    Lookup::Addresses(name.into())
}

fn ips(list: &[&str]) -> Records {
    Records::Addresses(list.iter().map(|ip| ip.parse().unwrap()).collect())
}

#[test]
fn each_kind_of_record_is_read() {
    let dns = Server::start().client();
    let naptr = |service: &str| Naptr {
        order: 50,
        preference: 10,
        flags: "s".into(),
        service: service.into(),
        replacement: "_sip._udp.example.com".into(),
    };
    let expected = Records::Naptr(vec![naptr("SIP+D2T"), naptr("SIP+D2U")]);
    assert_eq!(ask(&dns, &Lookup::Naptr("example.com".into())), expected);
    let srv = |priority, weight, port, target: &str| Srv { priority, weight, port, target: target.into() };
    let expected = Records::Srv(vec![srv(10, 60, 5070, "a.example.com"), srv(20, 0, 0, ".")]);
    assert_eq!(ask(&dns, &Lookup::Srv("_sip._udp.example.com".into())), expected);
    let Records::Addresses(mut all) = ask(&dns, &addresses("a.example.com")) else { panic!("addresses") };
    all.sort_unstable();
    assert_eq!(Records::Addresses(all), ips(&["192.0.2.1", "192.0.2.2", "2001:db8::1"]));
}

#[test]
fn a_known_answer_is_given_at_once_whatever_the_case_of_the_name() {
    let server = Server::start();
    let dns = server.client();
    let first = ask(&dns, &addresses("a.example.com"));
    let asked = server.asked();
    let again = dns.look_up(&addresses("A.Example.COM."), Box::new(|_| panic!("it is known")));
    assert_eq!(again, Some(first));
    assert_eq!(server.asked(), asked);
}

#[test]
fn many_who_ask_the_same_make_one_question() {
    let server = Server::start();
    let dns = server.client();
    let (sender, answers) = channel();
    let lookup = Lookup::Srv("_sip._udp.example.com".into());
    for _ in 0..100 {
        let sender = sender.clone();
        let known = dns.look_up(&lookup, Box::new(move |records| sender.send(records).unwrap()));
        if let Some(records) = known {
            answers_now(&lookup, &records);
            return assert_eq!(server.asked(), 1);
        }
    }
    for _ in 0..100 {
        answers_now(&lookup, &answers.recv_timeout(PATIENCE).unwrap());
    }
    assert_eq!(server.asked(), 1);
}

fn answers_now(_: &Lookup, records: &Records) {
    assert!(matches!(records, Records::Srv(list) if list.len() == 2));
}

#[test]
fn that_there_is_no_record_is_remembered() {
    let server = Server::start();
    let dns = server.client();
    let lookup = Lookup::Naptr("nothing.example.com".into());
    assert_eq!(ask(&dns, &lookup), Records::Naptr(vec![]));
    let asked = server.asked();
    assert_eq!(ask(&dns, &lookup), Records::Naptr(vec![]));
    assert_eq!((asked, server.asked()), (asked, asked));
}

#[test]
fn a_failure_and_a_silent_server_answer_nothing_in_bounded_time() {
    let dns = Server::start().client_with(|settings| {
        settings.timeout = Duration::from_millis(300);
        settings.attempts = 1;
    });
    assert_eq!(ask(&dns, &Lookup::Srv("broken.example.com".into())), Records::Srv(vec![]));
    assert_eq!(ask(&dns, &addresses("silent.example.com")), ips(&[]));
}

#[test]
fn no_more_than_32_records_are_taken() {
    let dns = Server::start().client();
    let Records::Addresses(all) = ask(&dns, &addresses("many.example.com")) else { panic!("addresses") };
    assert_eq!(all.len(), MAX_RECORDS);
}

#[test]
fn an_answer_without_time_to_live_is_used_once() {
    let dns = Server::start().client();
    assert_eq!(ask(&dns, &addresses("brief.example.com")), ips(&["192.0.2.9"]));
    assert!(dns.is_empty());
}

#[test]
fn the_cache_keeps_its_bound() {
    let dns = Server::start().client_with(|settings| settings.max_entries = 3);
    for n in 0..10 {
        ask(&dns, &addresses(&format!("nothing{n}.example.com")));
    }
    assert_eq!(dns.len(), 3);
}

#[test]
fn one_open_question_too_many_is_answered_empty_at_once() {
    let dns = Server::start().client_with(|settings| settings.max_open = 1);
    assert_eq!(dns.look_up(&addresses("silent.example.com"), Box::new(|_| {})), None);
    assert_eq!(dns.look_up(&addresses("a.example.com"), Box::new(|_| {})), Some(ips(&[])));
}

#[test]
fn a_name_that_is_none_answers_nothing() {
    let dns = Server::start().client();
    assert_eq!(ask(&dns, &Lookup::Srv("_sip._udp.ex ample..com".into())), Records::Srv(vec![]));
    let long = format!("{}.example.com", "x".repeat(70));
    assert_eq!(ask(&dns, &addresses(&long)), ips(&[]));
}
