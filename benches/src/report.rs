//! The report: raw figures as JSON, and a table with the ratio to Kamailio's fast allocator.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use serde_json::{Value, json};

use crate::Arguments;
use crate::operation::Operation;
use crate::server::Kind;
use crate::session::{Memory, Overload};
use crate::world::Outcome;

/// One measurement.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    pub(crate) kind: Kind,
    pub(crate) operation: Operation,
    pub(crate) rate: f64,
    pub(crate) ports: usize,
    pub(crate) cpu: f64,
    pub(crate) running: f64,
    pub(crate) outcome: Outcome,
    /// Handlers of the script that ran meanwhile, by the daemon's own count; `None` where nobody counts.
    pub(crate) handler_calls: Option<u64>,
}

impl Figure {
    /// CPU per good operation, in microseconds.
    fn each(&self) -> f64 {
        self.cpu * 1e6 / f64::from(self.outcome.good.max(1))
    }

    /// Handler calls per operation that was begun.
    fn calls_each(&self) -> Option<f64> {
        self.handler_calls.map(|calls| calls as f64 / f64::from(self.outcome.begun.max(1)))
    }

    /// One line for the terminal.
    pub(crate) fn line(&self) -> String {
        let Outcome { begun, good, shed, failed, resent, p99, .. } = &self.outcome;
        let (name, operation) = (self.kind.name(), self.operation.name());
        let faults = if self.outcome.faults.is_empty() {
            String::new()
        } else {
            format!(" {:?}", self.outcome.faults)
        };
        format!(
            "{name:<12} {operation:<16} {:>5}/s {:>2} ports: {:>6.2} s CPU, {:>6.1} us each; {good}/{begun} good, {shed} shed, {failed} failed, {resent} resent, p99 {:.1} ms{faults}",
            self.rate,
            self.ports,
            self.cpu,
            self.each(),
            p99.as_secs_f64() * 1e3
        )
    }

    fn json(&self) -> Value {
        let Outcome { begun, good, shed, failed, resent, median, p99, wall, faults, .. } = &self.outcome;
        json!({
            "server": self.kind.name(), "operation": self.operation.name(), "rate": self.rate, "ports": self.ports,
            "cpu_seconds": self.cpu, "scheduler_seconds": self.running, "begun": begun, "good": good, "shed": shed, "failed": failed, "resent": resent,
            "us_per_operation": self.each(), "handler_calls_per_operation": self.calls_each(),
            "median_ms": median.as_secs_f64() * 1e3, "p99_ms": p99.as_secs_f64() * 1e3,
            "wall_seconds": wall.as_secs_f64(), "faults": faults,
        })
    }
}

/// All figures of a session.
pub(crate) struct Report {
    figures: Vec<Figure>,
    memory: Vec<(Kind, Memory)>,
    overload: Vec<(Kind, Overload)>,
    kinds: Vec<Kind>,
    about: String,
    counted: String,
}

impl Report {
    pub(crate) fn new(arguments: &Arguments) -> Self {
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let about = format!(
            "{} rounds of {} s each, {cores} cores, Kamailio workers = cores, loopback",
            arguments.rounds, arguments.seconds
        );
        Self {
            figures: Vec::new(),
            memory: Vec::new(),
            overload: Vec::new(),
            kinds: arguments.servers.clone(),
            counted: String::new(),
            about,
        }
    }

    pub(crate) fn add(&mut self, figure: Figure) {
        self.figures.push(figure);
    }

    pub(crate) fn memory(&mut self, kind: Kind, memory: Memory) {
        self.memory.push((kind, memory));
    }

    pub(crate) fn count(&mut self, table: String) {
        self.counted = table;
    }

    pub(crate) fn overload(&mut self, kind: Kind, overload: Overload) {
        self.overload.push((kind, overload));
    }

    /// Prints the table and writes `bench.md` and `bench.json`.
    pub(crate) fn write(&self, folder: &Path) -> std::io::Result<()> {
        let text = self.markdown();
        print!("{text}");
        std::fs::create_dir_all(folder)?;
        std::fs::write(folder.join("bench.md"), text)?;
        let memory: Vec<Value> = self.memory.iter().map(|(kind, m)| json!({
            "server": kind.name(), "empty_bytes": m.empty, "bytes_per_contact": m.contact, "bytes_per_contact_at_once": m.busy, "contacts": m.contacts,
            "bytes_per_ringing_call": m.ringing, "bytes_per_lingering_transaction": m.lingering, "calls": m.calls,
        })).collect();
        let overload: Vec<Value> = self
            .overload
            .iter()
            .map(|(kind, o)| {
                json!({
                    "server": kind.name(), "sustainable": o.sustainable, "best_goodput": o.best,
                    "goodput_at_3x": o.tripled.goodput, "shed": o.tripled.shed, "failed": o.tripled.failed,
                    "memory_before": o.memory.0, "memory_after": o.memory.1, "faults": o.tripled.faults,
                })
            })
            .collect();
        let figures: Vec<Value> = self.figures.iter().map(Figure::json).collect();
        let all = json!({ "about": self.about, "figures": figures, "memory": memory, "overload": overload });
        std::fs::write(folder.join("bench.json"), serde_json::to_string_pretty(&all)?)
    }

    fn markdown(&self) -> String {
        let mut out = format!(
            "{}\n\nServers' CPU per operation in µs (sum of CPU seconds / good operations; in parentheses the ratio to kamailio-fm).\n\n",
            self.about
        );
        let mut head = "| operation | rate | ports | handler calls |".to_owned();
        let mut rule = "|---|---:|---:|---:|".to_owned();
        for kind in &self.kinds {
            let _ = write!(head, " {} |", kind.name());
            rule += "---:|";
        }
        let _ = writeln!(out, "{head}\n{rule}");
        type Cells = BTreeMap<Kind, (f64, u32, u32)>;
        let mut sums: BTreeMap<(Operation, u64, usize), Cells> = BTreeMap::new();
        for f in &self.figures {
            let row = sums.entry((f.operation, f.rate as u64, f.ports)).or_default();
            let cell = row.entry(f.kind).or_default();
            *cell = (cell.0 + f.cpu, cell.1 + f.outcome.good, cell.2 + f.outcome.begun);
        }
        for ((operation, rate, ports), row) in &sums {
            let each = |kind| row.get(&kind).map(|(cpu, good, _)| cpu * 1e6 / f64::from((*good).max(1)));
            let reference = each(Kind::KamailioFast);
            let same = |f: &&Figure| (f.operation, f.rate as u64, f.ports) == (*operation, *rate, *ports);
            let counted: Vec<f64> = self.figures.iter().filter(same).filter_map(Figure::calls_each).collect();
            let calls = match counted.len() {
                0 => "-".to_owned(),
                n => format!("{:.2}", counted.iter().sum::<f64>() / n as f64),
            };
            let _ = write!(out, "| {} | {rate} | {ports} | {calls} |", operation.name());
            for kind in &self.kinds {
                let (Some(us), Some((cpu, good, begun))) = (each(*kind), row.get(kind)) else { continue };
                let ratio = reference.map_or(String::new(), |r| format!(" ({:.2})", us / r));
                let lost = if good == begun { String::new() } else { format!(", {good} of {begun} good") };
                let _ = write!(out, " {us:.1}{ratio}, {cpu:.2} s{lost} |");
            }
            out.push('\n');
        }
        if !self.memory.is_empty() {
            out += "\n| server | empty, MB | bytes per contact, at once | bytes per contact, 40 s later | bytes per ringing call | bytes per lingering transaction |\n|---|---:|---:|---:|---:|---:|\n";
            for (kind, m) in &self.memory {
                let _ = writeln!(
                    out,
                    "| {} | {:.1} | {:.0} | {:.0} (of {}) | {:.0} (of {}) | {:.0} |",
                    kind.name(),
                    m.empty as f64 / 1e6,
                    m.busy,
                    m.contact,
                    m.contacts,
                    m.ringing,
                    m.calls,
                    m.lingering
                );
            }
        }
        if !self.overload.is_empty() {
            out += "\n| server | sustainable calls/s | goodput at 3x | share of best | shed | failed | memory before, after, MB |\n|---|---:|---:|---:|---:|---:|---:|\n";
            for (kind, o) in &self.overload {
                let share = o.tripled.goodput / o.best.max(1.0) * 100.0;
                let _ = writeln!(
                    out,
                    "| {} | {:.0} | {:.0} | {share:.0} % | {} | {} | {:.0}, {:.0} |",
                    kind.name(),
                    o.sustainable,
                    o.tripled.goodput,
                    o.tripled.shed,
                    o.tripled.failed,
                    o.memory.0 as f64 / 1e6,
                    o.memory.1 as f64 / 1e6
                );
            }
        }
        out + &self.counted
    }
}
