//! The load generator: paced operations from many ports, each followed to its end at the caller and at the callee.
//!
//! Open loop: a slow server does not slow the arrivals. Over UDP it repeats what is not answered, as a phone does.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream};
use tokio::task::{LocalSet, spawn_local};

use crate::line::Line;
use crate::operation::{Ends, Operation, USERS};
use crate::world::{Outcome, World};

/// One run.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// What to do.
    pub(crate) operation: Operation,
    /// Operations begun per second.
    pub(crate) rate: f64,
    /// For how long operations are begun.
    pub(crate) length: Duration,
    /// Sockets of the callers, and as many of the callees.
    pub(crate) ports: usize,
    /// Whom to load.
    pub(crate) server: SocketAddr,
    /// The callee's side of a call is a dialog of its own.
    pub(crate) two_legs: bool,
    /// Time between ringing and answer.
    pub(crate) ring: Duration,
    /// Time between answer and BYE.
    pub(crate) hold: Duration,
    /// A text that no other run has.
    pub(crate) run: String,
}

/// How long an operation may take before it counts as lost; longer than the patience of a person.
pub(crate) const PATIENCE: Duration = Duration::from_secs(8);

/// Where a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Bindings are in place, the first operation is about to begin.
    Ready,
    /// The last operation has begun.
    Full,
    /// The last operation has ended.
    Ended,
}

/// Runs the plan to its end and says when it gets to each stage.
pub(crate) fn run(plan: &Plan, stage: &mut dyn FnMut(Stage)) -> io::Result<Outcome> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(LocalSet::new().run_until(drive(plan, stage)))
}

async fn drive(plan: &Plan, stage: &mut dyn FnMut(Stage)) -> io::Result<Outcome> {
    let world = Rc::new(RefCell::new(World::new(plan.clone())));
    let callees = if plan.operation.is_call() { callees(plan, &world).await? } else { Vec::new() };
    if plan.operation.needs_bindings() {
        crate::fill::bind(plan, &callees)?;
    }
    let mut callers = Vec::new();
    for _ in 0..plan.ports {
        let line = if plan.operation.is_tcp() {
            Line::tcp(TcpStream::connect(plan.server).await?)?
        } else {
            Line::udp()?
        };
        let line = Rc::new(line);
        callers.push(Rc::clone(&line));
        listen(line, Rc::clone(&world), World::response);
    }
    world.borrow_mut().open(callers, callees);

    stage(Stage::Ready);
    let start = Instant::now();
    let total = (plan.rate * plan.length.as_secs_f64()) as u32;
    let mut tick = tokio::time::interval(Duration::from_millis(1));
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut over = false;
    loop {
        tick.tick().await;
        let now = Instant::now();
        let mut world = world.borrow_mut();
        let due = ((now - start).as_secs_f64() * plan.rate) as u32;
        while world.begun() < due.min(total) {
            world.begin(now);
        }
        world.fire(now);
        if !over && world.begun() == total {
            over = true;
            stage(Stage::Full);
        }
        if over && (world.is_quiet() || now > start + plan.length + PATIENCE) {
            break;
        }
    }
    stage(Stage::Ended);
    let outcome = world.borrow_mut().outcome(start.elapsed());
    Ok(outcome)
}

fn listen(line: Rc<Line>, world: Rc<RefCell<World>>, take: fn(&mut World, &Rc<Line>, &[u8], SocketAddr)) {
    spawn_local(async move {
        let held = Rc::clone(&line);
        let _ = line.read(|bytes, from| take(&mut world.borrow_mut(), &held, bytes, from)).await;
    });
}

async fn callees(plan: &Plan, world: &Rc<RefCell<World>>) -> io::Result<Vec<SocketAddr>> {
    let mut addresses = Vec::new();
    for _ in 0..plan.ports {
        if plan.operation.is_tcp() {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            let address = listener.local_addr()?;
            addresses.push(address);
            let world = Rc::clone(world);
            spawn_local(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    if let Ok(line) = Line::tcp(stream) {
                        listen(Rc::new(line), Rc::clone(&world), World::request);
                    }
                }
            });
        } else {
            let line = Rc::new(Line::udp()?);
            addresses.push(line.local());
            listen(line, Rc::clone(world), World::request);
        }
    }
    Ok(addresses)
}

/// The ends of operation `number`, given the callers' and callees' addresses.
pub(crate) fn ends(plan: &Plan, number: u32, local: SocketAddr, callees: &[SocketAddr]) -> Ends {
    let callee = if callees.is_empty() { local } else { callees[number as usize % USERS % callees.len()] };
    Ends { local, callee, transport: if plan.operation.is_tcp() { "TCP" } else { "UDP" } }
}
