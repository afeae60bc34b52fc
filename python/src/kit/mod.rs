//! `_engine.Kit`: a node of a role on the simulated network, as Python drives it. What it means to a test is in
//! `siphon_sdk`; here are only conversions.

mod convert;

use crate::roles;
use convert::{
    Contact, Decided, Entry, MediaSession, contact, decided, entry, media_session, share, socket, source,
    span, state, transport, wrong,
};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use siphon::app::config::Text;
use siphon::app::kit::{Kit as Network, KitPlan, MakeApart};
use siphon::base::text::Octets;
use siphon::base::time::Duration;
use siphon::proto::proxy::own::Domain;
use siphon::script::{ApartMode, World};
use siphon::sim::media::Manner as EngineManner;
use siphon::sim::{CallPlan, Conditions, Expect, HostId, Manner, Order, Way, ladder_from};
use std::path::PathBuf;

/// Handlers of scripts run in this pretended world.
pub(crate) fn apart(world: Py<PyAny>) -> MakeApart {
    Box::new(move || {
        let made = Python::attach(|py| World::new(world.bind(py)));
        made.map(ApartMode::Stepped).map_err(|error| error.to_string())
    })
}

/// A node of a role, with its script, on a network of its own. One thread only.
#[pyclass(unsendable, module = "siphon_sdk._engine")]
pub(crate) struct Kit {
    network: Network,
}

#[pymethods]
impl Kit {
    #[new]
    #[pyo3(signature = (role, yaml, yaml_name, yaml_file, script_file, script_text, seed, shards, world))]
    #[allow(clippy::too_many_arguments, reason = "one call from one place")]
    fn new(
        role: &str,
        yaml: Option<String>,
        yaml_name: String,
        yaml_file: Option<PathBuf>,
        script_file: Option<PathBuf>,
        script_text: Option<(String, String)>,
        seed: u64,
        shards: Option<u8>,
        world: Py<PyAny>,
    ) -> PyResult<Kit> {
        let role = roles::find(role)?;
        let (yaml, script) = (role.yaml(yaml, yaml_name, yaml_file), source(script_file, script_text));
        let network = (role.kit)(KitPlan { yaml, script, seed, shards, apart: apart(world) });
        Ok(Kit { network: network.map_err(PyRuntimeError::new_err)? })
    }

    // ---- time -------------------------------------------------------------------------------------------------------

    /// Unix time of the network, in seconds.
    fn now(&self) -> f64 {
        self.network.net.now().0 as f64 / 1e6
    }

    fn advance(&mut self, seconds: f64) -> PyResult<()> {
        self.network.net.advance(span(seconds)?);
        Ok(())
    }

    fn settle(&mut self, limit: f64) -> PyResult<()> {
        self.network.net.settle(span(limit)?);
        Ok(())
    }

    fn run_until_idle(&mut self, limit: f64) -> PyResult<()> {
        self.network.net.run_until_idle(span(limit)?);
        Ok(())
    }

    // ---- the node ---------------------------------------------------------------------------------------------------

    /// Transport, address and port of each listener.
    fn sockets(&self) -> Vec<(&'static str, String, u16)> {
        let sockets = self.network.sockets().iter();
        sockets.map(|(t, a)| (t.uri_token(), a.ip().to_string(), a.port())).collect()
    }

    /// The domains of the YAML.
    fn domains(&self) -> Vec<String> {
        self.network.domains().iter().map(|d| d.host.clone()).collect()
    }

    /// The password of an account of the YAML.
    fn password(&self, user: &str) -> Option<&str> {
        self.network.password(user)
    }

    fn add_account(&mut self, user: &str, password: &str) {
        self.network.add_account(user, password);
    }

    /// Enters a binding without a REGISTER.
    fn bind(&mut self, aor: &str, contact: &str, q: f64, expires: u32) -> PyResult<()> {
        self.network.bind(aor, contact, q, expires).map_err(wrong)
    }

    fn unbind(&mut self, aor: &str) -> usize {
        self.network.unbind(aor)
    }

    fn aor_count(&self) -> usize {
        self.network.node().map_or(0, |node| node.registrar.location.aor_count())
    }

    fn set_domains(&mut self, domains: Vec<String>) -> PyResult<()> {
        let parse =
            |text: &String| Domain::parse(text).ok_or_else(|| wrong(format!("{text:?} is no domain")));
        self.network.set_domains(domains.iter().map(parse).collect::<PyResult<_>>()?);
        Ok(())
    }

    /// Whether a URI names the node or a domain of it.
    fn is_local(&self, uri: &str) -> PyResult<bool> {
        let uri = siphon::wire::sip::Uri::parse(uri).map_err(|_| wrong(format!("{uri:?} is no SIP URI")))?;
        Ok(self.network.node().is_some_and(|node| node.own.is_local(&uri)))
    }

    /// Loads the script again, or another one; the number of the generation that runs now.
    #[pyo3(signature = (script_file, script_text))]
    fn reload(
        &mut self,
        script_file: Option<PathBuf>,
        script_text: Option<(String, String)>,
    ) -> PyResult<u64> {
        self.network.reload(source(script_file, script_text)).map_err(PyRuntimeError::new_err)
    }

    /// Takes over what the daemon takes over of another YAML while it runs.
    fn configure(&mut self, yaml: String, yaml_name: String, yaml_file: Option<PathBuf>) -> PyResult<()> {
        let yaml = Text { name: yaml_name, text: yaml, file: yaml_file };
        self.network.configure(&yaml).map_err(PyRuntimeError::new_err)
    }

    fn stop(&mut self) {
        self.network.stop();
    }

    fn restart(&mut self) -> PyResult<()> {
        self.network.restart().map_err(PyRuntimeError::new_err)
    }

    // ---- the world --------------------------------------------------------------------------------------------------

    #[allow(clippy::too_many_arguments, reason = "the keywords of one Python call")]
    fn conditions(
        &mut self,
        loss: f64,
        duplicates: f64,
        reordered: f64,
        delay: (f64, f64),
        resets: f64,
        refused: f64,
    ) -> PyResult<()> {
        let conditions = Conditions {
            loss: share(loss)?,
            duplicates: share(duplicates)?,
            reordered: share(reordered)?,
            delay: (span(delay.0)?, span(delay.1)?),
            resets: share(resets)?,
            refused: share(refused)?,
            ..Conditions::CALM
        };
        self.network.net.conditions(conditions);
        Ok(())
    }

    fn dns_address(&mut self, name: &str, ip: &str) -> PyResult<()> {
        let ip = socket(ip, 0)?.ip();
        self.network.net.wire().zone.address(name, ip);
        Ok(())
    }

    fn dns_srv(&mut self, name: &str, priority: u16, weight: u16, port: u16, target: &str) {
        self.network.net.wire().zone.srv(name, priority, weight, port, target);
    }

    fn dns_naptr(&mut self, domain: &str, order: u16, service: &str, replacement: &str) {
        self.network.net.wire().zone.naptr(domain, order, service, replacement);
    }

    fn dns_fail(&mut self, name: &str) {
        self.network.net.wire().zone.fail(name);
    }

    fn dns_silence(&mut self, name: &str) {
        self.network.net.wire().zone.silence(name);
    }

    /// Whether names that were not entered have an address all the same.
    fn dns_answer_all(&mut self, all: bool) {
        self.network.net.wire().zone.answer_all(all);
    }

    /// The name for which an address was made up.
    fn dns_name_of(&mut self, ip: &str) -> Option<String> {
        let ip = ip.parse().ok()?;
        self.network.net.wire().zone.name_of(ip).map(str::to_owned)
    }

    // ---- media engines ------------------------------------------------------------------------------------------------

    /// The calls that engines have media sessions for.
    fn media_sessions(&mut self) -> Vec<MediaSession> {
        self.network.net.wire().media.sessions().map(|(engine, s)| media_session(engine, s)).collect()
    }

    /// Time, engine, name and Call-ID of each command that reached an engine, in the order of their times.
    fn media_commands(&mut self) -> Vec<(f64, String, String, String)> {
        let engines = &self.network.net.wire().media;
        let mut commands: Vec<_> = engines
            .iter()
            .flat_map(|(name, e)| e.heard().iter().map(move |h| (name, h)))
            .map(|(name, h)| (h.at.0 as f64 / 1e6, name.to_owned(), h.verb.clone(), h.call_id.clone()))
            .collect();
        commands.sort_by(|a, b| a.0.total_cmp(&b.0));
        commands
    }

    /// The addresses of the engines.
    fn media_engines(&mut self) -> Vec<String> {
        self.network.net.wire().media.iter().map(|(name, _)| name.to_owned()).collect()
    }

    /// How an engine behaves from now on: `prompt`, `slow` by so much, `deaf`, `dead`, `full`; `forget` empties it.
    fn media_behave(&mut self, engine: &str, manner: &str, seconds: f64) -> PyResult<()> {
        let by = span(seconds)?;
        let engine = self.network.net.wire().media.get(engine);
        let engine =
            engine.ok_or_else(|| wrong("the YAML names no media engine of that address".to_owned()))?;
        match manner {
            "slow" => engine.manner = EngineManner::Slow(by),
            "deaf" => engine.manner = EngineManner::Deaf,
            "full" => engine.manner = EngineManner::Full,
            "dead" => engine.kill(),
            "forget" => engine.forget(),
            _ => engine.revive(),
        }
        Ok(())
    }

    // ---- sending ----------------------------------------------------------------------------------------------------

    /// Sends octets as they are from any address; with `acknowledge`, final responses to an INVITE get their ACK.
    fn send(
        &mut self,
        over: &str,
        from: (String, u16),
        to: (String, u16),
        octets: Vec<u8>,
        acknowledge: bool,
    ) -> PyResult<()> {
        let way =
            Way { transport: transport(over)?, from: socket(&from.0, from.1)?, to: socket(&to.0, to.1)? };
        self.network.net.send_as(way, &Octets::from(octets), acknowledge);
        Ok(())
    }

    /// Breaks the connections of any address.
    fn disconnect_as(&mut self, ip: &str, port: u16) -> PyResult<()> {
        self.network.net.disconnect_as(socket(ip, port)?);
        Ok(())
    }

    /// What ladders call an address.
    fn name(&mut self, ip: &str, port: u16, name: &str) -> PyResult<()> {
        let address = socket(ip, port)?;
        self.network.net.wire().log.name(address, name);
        Ok(())
    }

    /// A phone that does what it is told. Without an address it gets one of its own.
    #[allow(clippy::too_many_arguments, reason = "the keywords of one Python call")]
    fn phone(
        &mut self,
        user: &str,
        login: &str,
        domain: &str,
        password: &str,
        over: &str,
        address: Option<(String, u16)>,
        proxy: (String, u16),
    ) -> PyResult<HostId> {
        let (node, net) = (self.network.host(), &mut self.network.net);
        let mut account = net.account(user, node, transport(over)?);
        account.login = login.to_owned();
        account.domain = domain.to_owned();
        account.password = password.to_owned();
        account.proxy = socket(&proxy.0, proxy.1)?;
        if let Some((ip, port)) = address {
            account.address = socket(&ip, port)?;
            account.public = account.address;
        }
        // A test may send it what no peer would: that is for the test to judge.
        account.tolerant = true;
        let phone = net.phone_with(account);
        net.tell(phone, Order::Behave(Manner::by_hand(200)));
        Ok(phone)
    }

    /// How a phone treats what it is sent: `by hand`, or `answer` after so many seconds, or a code to refuse with.
    /// Requests outside calls get `status`.
    fn behave(&mut self, phone: HostId, calls: &str, after: f64, code: u16, status: u16) -> PyResult<()> {
        let after: Duration = span(after)?;
        let manner = match calls {
            "answer" => Manner { then: siphon::sim::Then::Answer(after), ..Manner::friendly() },
            "refuse" => {
                let then = siphon::sim::Then::Refuse(code, after, String::new());
                Manner { then, ring_after: None, ..Manner::friendly() }
            }
            _ => Manner::by_hand(status),
        };
        let ring_after = manner.ring_after.filter(|ring| *ring < after);
        self.network.net.tell(phone, Order::Behave(Manner { status, ring_after, ..manner }));
        Ok(())
    }

    fn register(&mut self, phone: HostId, expires: u32) {
        self.network.net.tell(phone, Order::Register { expires, expect: Expect::Anything });
    }

    /// Starts a call; its Call-ID.
    fn call(&mut self, phone: HostId, to: String, headers: String, text: String) -> String {
        self.network.net.tell(phone, Order::Call(CallPlan { to, headers, text, ..CallPlan::default() }));
        self.network.net.phone(phone).last_call_id().to_owned()
    }

    /// Sends a request outside a call; its Call-ID.
    fn request(
        &mut self,
        phone: HostId,
        method: String,
        to: String,
        headers: String,
        body: String,
    ) -> String {
        self.network.net.tell(phone, Order::Send { method, to, headers, body });
        self.network.net.phone(phone).last_call_id().to_owned()
    }

    fn respond(&mut self, phone: HostId, call_id: String, code: u16, headers: String, body: String) {
        self.network.net.tell(phone, Order::Respond { call_id, code, headers, body });
    }

    fn cancel(&mut self, phone: HostId, call_id: String) {
        self.network.net.tell(phone, Order::Cancel { call_id });
    }

    fn hang_up(&mut self, phone: HostId, call_id: String) {
        self.network.net.tell(phone, Order::HangUp { call_id });
    }

    fn in_dialog(&mut self, phone: HostId, call_id: String, method: String, headers: String, body: String) {
        self.network.net.tell(phone, Order::InDialog { call_id, method, headers, body });
    }

    /// Breaks the phone's connection to its proxy.
    fn disconnect(&mut self, phone: HostId) {
        self.network.net.tell(phone, Order::Disconnect);
    }

    // ---- looking ----------------------------------------------------------------------------------------------------

    /// How many entries the wire's log has.
    fn wire_len(&mut self) -> usize {
        self.network.net.wire().log.entries().len()
    }

    /// What was put on the wire, from entry `first` on.
    fn wire<'py>(&mut self, py: Python<'py>, first: usize) -> Vec<Entry<'py>> {
        let log = &self.network.net.wire().log;
        log.entries().iter().skip(first).map(|e| entry(py, log, e)).collect()
    }

    /// The message ladder of some calls, of all when none is named, from entry `first` on.
    fn ladder(&mut self, call_ids: Vec<String>, first: usize) -> String {
        let call_ids: Vec<&str> = call_ids.iter().map(String::as_str).collect();
        ladder_from(&self.network.net.wire().log, &call_ids, first)
    }

    /// A hash over everything that was on the wire, with its times.
    fn hash(&self) -> u64 {
        self.network.net.hash()
    }

    /// Log lines from `first` on, each a JSON object.
    fn lines(&self, first: usize) -> Vec<String> {
        self.network.lines(first)
    }

    fn line_count(&self) -> usize {
        self.network.line_count()
    }

    fn decision_count(&self) -> usize {
        self.network.decision_count()
    }

    /// What policy decided, from decision `first` on.
    fn decisions(&self, first: usize) -> Vec<Decided> {
        self.network.decisions(first).into_iter().map(decided).collect()
    }

    /// All metrics in Prometheus's text format.
    fn metrics(&self) -> PyResult<String> {
        self.network.metrics().map_err(PyRuntimeError::new_err)
    }

    /// The bindings of an address of record.
    fn bindings(&self, aor: &str) -> PyResult<Vec<Contact>> {
        let uri = siphon::wire::sip::Uri::parse(aor).map_err(|_| wrong(format!("{aor:?} is no SIP URI")))?;
        let (now, node) = (self.network.net.now(), self.network.node());
        let found = node.map(|node| node.registrar.lookup(&uri, now)).unwrap_or_default();
        Ok(found.iter().map(|b| contact(b, now)).collect())
    }

    /// How a call stands at a phone, and the status code of a failed one.
    fn call_state(&self, phone: HostId, call_id: &str) -> Option<(&'static str, u16)> {
        self.network.net.phone(phone).call_state(call_id).map(state)
    }

    /// Method, Call-ID and final status of each request a phone made; 0 when there was no response.
    fn outcomes(&self, phone: HostId) -> Vec<(String, String, u16)> {
        let outcomes = self.network.net.phone(phone).outcomes().iter();
        outcomes.map(|o| (o.method.clone(), o.call_id.clone(), o.status)).collect()
    }

    /// The phone's contact URI and its own socket.
    fn phone_at(&self, phone: HostId) -> (String, String) {
        let phone = self.network.net.phone(phone);
        (phone.contact(), phone.account.public.to_string())
    }

    /// Transactions and questions that the node holds.
    fn open_work(&self) -> (usize, usize) {
        let shards = self.network.net.node(self.network.host()).shards();
        shards.fold((0, 0), |(transactions, tickets), shard| {
            let (servers, clients) = shard.transactions();
            (transactions + servers + clients, tickets + shard.open_tickets())
        })
    }
}
