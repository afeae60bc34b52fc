//! `_engine.Replay`: what another node received, sent to a script. What it means is in `siphon_sdk._cli`; here are only
//! conversions.

mod capture;

pub(crate) use capture::{Capture, Captured};

use crate::kit::apart;
use crate::roles;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use siphon::app::kit::{KitPlan, Replay as Trace, ReplayPlan, Verdict, What};
use siphon::base::flow::Transport;
use siphon::script::ScriptSource;
use std::net::SocketAddr;
use std::path::PathBuf;

/// A node with a script, to which a trace is given. One thread only.
#[pyclass(unsendable, module = "siphon_sdk._engine")]
pub(crate) struct Replay {
    trace: Trace,
}

/// Everything random follows from it; what a replay shows should not differ from run to run.
const SEED: u64 = 1;

/// Number, kind, code, text, targets, script line, seconds, repeated, places, final answer, status of the response on
/// which it was decided.
type Row = (
    u64,
    &'static str,
    u16,
    String,
    Vec<String>,
    Option<String>,
    f64,
    bool,
    Vec<(String, &'static str, String)>,
    Option<(u16, String)>,
    Option<u16>,
);

#[pymethods]
impl Replay {
    #[new]
    #[pyo3(signature = (role, yaml, yaml_name, yaml_file, script_file, local, trust_digest, world))]
    #[allow(clippy::too_many_arguments, reason = "one call from one place")]
    fn new(
        role: &str,
        yaml: Option<String>,
        yaml_name: String,
        yaml_file: Option<PathBuf>,
        script_file: PathBuf,
        local: Vec<(String, String)>,
        trust_digest: bool,
        world: Py<PyAny>,
    ) -> PyResult<Replay> {
        let local = local.iter().map(|(over, at)| socket(over, at)).collect::<PyResult<Vec<_>>>()?;
        let role = roles::find(role)?;
        let kit = KitPlan {
            yaml: role.yaml(yaml, yaml_name, yaml_file),
            script: Some(ScriptSource::File(script_file)),
            seed: SEED,
            shards: None,
            apart: apart(world),
        };
        let trace = (role.replay)(kit, ReplayPlan { local, trust_digest });
        Ok(Replay { trace: trace.map_err(PyRuntimeError::new_err)? })
    }

    fn request(&mut self, captured: &Captured) -> PyResult<u64> {
        let message = captured.message()?;
        Ok(self.trace.request(captured.at(), captured.way(), message))
    }

    fn answer(&mut self, captured: &Captured) -> PyResult<bool> {
        let message = captured.message()?;
        Ok(self.trace.answer(captured.at(), captured.way(), message))
    }

    fn verdicts(&mut self) -> Vec<Row> {
        let verdicts = self.trace.verdicts();
        self.rows(verdicts)
    }

    fn finish(&mut self) -> Vec<Row> {
        let verdicts = self.trace.finish();
        self.rows(verdicts)
    }

    fn lines(&mut self) -> Vec<String> {
        self.trace.lines()
    }
}

impl Replay {
    fn rows(&mut self, verdicts: Vec<Verdict>) -> Vec<Row> {
        verdicts.into_iter().map(|verdict| self.row(verdict)).collect()
    }

    fn row(&mut self, verdict: Verdict) -> Row {
        let Verdict { number, on, what, script_line, after, again, sent, answer } = verdict;
        let (kind, code, text, targets) = match what {
            What::Reply(code, reason) => ("reply", code, reason.to_string(), Vec::new()),
            What::Relay(uri) => ("relay", 0, String::new(), vec![uri.to_string()]),
            What::Fork(uris) => ("fork", 0, String::new(), uris.iter().map(|u| u.to_string()).collect()),
            What::Failed(error) => ("error", 500, error.to_string(), Vec::new()),
            What::Drop => ("drop", 0, String::new(), Vec::new()),
            What::Nothing => ("nothing", 0, String::new(), Vec::new()),
            What::Role => ("role", 0, String::new(), Vec::new()),
            What::Withdrawn => ("withdrawn", 0, String::new(), Vec::new()),
            What::Undecided => ("undecided", 0, String::new(), Vec::new()),
            What::Engine => ("engine", 0, String::new(), Vec::new()),
        };
        let place = |(uri, over, at): (siphon::base::text::Text, Transport, SocketAddr)| {
            let name =
                self.trace.name_of(at).map_or_else(|| at.to_string(), |n| format!("{n}:{}", at.port()));
            (uri.to_string(), over.uri_token(), name)
        };
        let places = sent.into_iter().map(place).collect();
        let answer = answer.map(|(code, reason)| (code, reason.to_string()));
        let line = script_line.map(|l| l.to_string());
        (number, kind, code, text, targets, line, after.as_secs_f64(), again, places, answer, on)
    }
}

fn socket(over: &str, at: &str) -> PyResult<(Transport, SocketAddr)> {
    let address = at.parse().ok();
    let both = Transport::from_token(over).zip(address);
    both.ok_or_else(|| PyValueError::new_err(format!("{over} {at}: no socket address")))
}
