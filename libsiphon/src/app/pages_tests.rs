//! The pages as a probe and Prometheus meet them, over a real socket.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use super::{offers, serve};
use crate::app::clock;
use crate::app::config::address::Endpoint;
use crate::app::config::observe::{Admin, Metrics, Prometheus};
use crate::observe::health::Health;
use crate::observe::http::Pages;

fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("the server listens");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    answer
}

fn pages() -> Pages {
    let metrics = crate::observe::metrics::Metrics::new("siphon-proxy", "1.2.3", clock::now);
    let metrics = metrics.expect("names of series are valid");
    Pages { health: Arc::new(Health::default()), metrics, role: "siphon-proxy", version: "1.2.3" }
}

fn any_port() -> Endpoint {
    Endpoint(SocketAddr::from(([127, 0, 0, 1], 0)))
}

#[test]
fn readiness_follows_the_phase_and_liveness_does_not() {
    let pages = pages();
    let bound =
        serve(&pages, offers(&Metrics::default(), Some(&Admin { listen: any_port() }))).expect("a port");
    let status = |path| get(bound[0], path).split(' ').nth(1).map(str::to_owned);
    assert_eq!(status("/readyz").as_deref(), Some("503"));
    pages.health.ready();
    assert_eq!(status("/readyz").as_deref(), Some("200"));
    assert!(
        get(bound[0], "/admin/health")
            .contains("\"status\":\"ready\",\"role\":\"siphon-proxy\",\"version\":\"1.2.3\"")
    );
    pages.health.draining();
    assert_eq!(status("/readyz").as_deref(), Some("503"));
    assert_eq!(status("/livez").as_deref(), Some("200"));
    assert_eq!(status("/metrics").as_deref(), Some("404"));
}

#[test]
fn metrics_are_on_the_path_that_was_asked_for() {
    let prometheus = Prometheus { listen: any_port(), path: "/m".to_owned() };
    let metrics = Metrics { prometheus: Some(prometheus) };
    let bound = serve(&pages(), offers(&metrics, None)).expect("a port");
    assert!(get(bound[0], "/m").contains("siphon_build_info{role=\"siphon-proxy\",version=\"1.2.3\"} 1"));
    assert!(get(bound[0], "/livez").starts_with("HTTP/1.1 200"));
}

#[test]
fn one_address_for_both_is_one_server() {
    let listen = Endpoint(SocketAddr::from(([127, 0, 0, 1], 9)));
    let metrics = Metrics { prometheus: Some(Prometheus { listen, path: "/m".to_owned() }) };
    let offers = offers(&metrics, Some(&Admin { listen }));
    assert_eq!(offers.len(), 1);
    assert!(offers[0].1.health && offers[0].1.metrics.as_deref() == Some("/m"));
}

#[test]
fn a_busy_port_is_told_with_its_owner() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let listen = Endpoint(taken.local_addr().expect("bound"));
    let fault = serve(&pages(), offers(&Metrics::default(), Some(&Admin { listen }))).expect_err("taken");
    let told = crate::app::run::explain(&fault);
    assert!(told.contains(&format!("(pid {}) has it", std::process::id())), "{told}");
    assert!(told.contains("SIPHON_PORT=") && told.contains("PORT="), "{told}");
}
