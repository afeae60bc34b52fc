//! A network under construction: one proxy, some phones, and the traffic planned so far.

use super::house::House;
use siphon::base::flow::Transport;
use siphon::base::rng::Rng;
use siphon::engine::Settings;
use siphon::sim::{Account, CallPlan, Conditions, Expect, HostId, Manner, Net, NodePlan, Order};
use std::time::Duration;

/// The network and what was planned in it.
pub(super) struct World {
    pub(super) net: Net,
    /// Chance for planning, apart from the wire's.
    pub(super) rng: Rng,
    pub(super) proxy: HostId,
    pub(super) house: House,
    pub(super) phones: Vec<HostId>,
    /// Calls and registrations planned.
    pub(super) operations: u64,
    /// When the next operation is planned.
    pub(super) at: Duration,
}

pub(super) fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

impl World {
    /// A proxy of `shards` shards.
    pub(super) fn new(seed: u64, shards: u8, house: House) -> Self {
        Self::with(seed, shards, house, |_| {})
    }

    pub(super) fn with(seed: u64, shards: u8, house: House, change: impl FnOnce(&mut NodePlan)) -> Self {
        let mut net = Net::seeded(seed);
        let handlers = house.clone();
        let mut plan = NodePlan { shards, ..NodePlan::new("proxy", "10.0.0.1:5060") }
            .with_handler(move |_| handlers.handler());
        plan.settings = Settings { max_transactions: 100_000, ..Settings::default() };
        change(&mut plan);
        let proxy = net.proxy(plan);
        let zone = &mut net.wire().zone;
        zone.delay = (ms(1), ms(20));
        let rng = Rng::seeded(seed ^ 0xfeed);
        World { net, rng, proxy, house, phones: Vec::new(), operations: 0, at: Duration::ZERO }
    }

    pub(super) fn rough(&mut self, rough: bool) -> &mut Self {
        if rough {
            self.net.conditions(Conditions::ROUGH);
        }
        self
    }

    pub(super) fn phone(&mut self, user: &str, transport: Transport) -> HostId {
        let account = self.net.account(user, self.proxy, transport);
        self.add(account)
    }

    pub(super) fn add(&mut self, account: Account) -> HostId {
        let phone = self.net.phone_with(account);
        self.phones.push(phone);
        phone
    }

    /// So many phones called `u0`, `u1`, ..., all registered.
    pub(super) fn crowd(&mut self, count: usize, transport: Transport) {
        for n in 0..count {
            let phone = self.phone(&format!("u{n}"), transport);
            self.register(phone, 7200, Expect::OneOf(vec![200]));
        }
        self.at += Duration::from_secs(12);
    }

    pub(super) fn register(&mut self, phone: HostId, expires: u32, expect: Expect) {
        self.operations += 1;
        self.net.order(phone, self.at, Order::Register { expires, expect });
    }

    pub(super) fn behave(&mut self, phone: HostId, manner: Manner) {
        self.net.order(phone, self.at, Order::Behave(manner));
    }

    pub(super) fn call(&mut self, phone: HostId, plan: CallPlan) {
        self.operations += 1;
        self.net.order(phone, self.at, Order::Call(plan));
    }

    pub(super) fn request(&mut self, phone: HostId, method: &'static str, to: &str, expect: Expect) {
        self.net.order(phone, self.at, Order::Request { method, to: to.to_owned(), expect });
    }

    /// The next operation is planned up to so much later.
    pub(super) fn pause(&mut self, most: Duration) {
        let span = most.as_micros() as u64;
        self.at += Duration::from_micros(self.rng.below(span + 1));
    }

    pub(super) fn pick<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.rng.below(choices.len() as u64) as usize].clone()
    }

    pub(super) fn any_phone(&mut self) -> HostId {
        let phones = self.phones.clone();
        self.pick(&phones)
    }

    /// A plain call that hangs up after up to three seconds.
    pub(super) fn plan(&mut self, to: &str, right: &[u16]) -> CallPlan {
        let expect = if right.is_empty() { Expect::Answer } else { Expect::OneOf(right.to_vec()) };
        CallPlan {
            to: format!("sip:{to}@example.com"),
            hang_up_after: Some(ms(self.rng.below(3000))),
            expect,
            ..CallPlan::default()
        }
    }
}
