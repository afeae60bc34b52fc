//! Serves the pages of `observe::http` on the addresses of the YAML, on a thread of their own.

use std::net::{SocketAddr, TcpListener};

use axum::Router;

use crate::observe::http::{Offer, Pages, router};

use super::config::observe::{Admin, Metrics};
use super::role::StartFault;

/// Which pages on which address; an address named twice becomes one server with both.
pub(super) fn offers(metrics: &Metrics, admin: Option<&Admin>) -> Vec<(SocketAddr, Offer)> {
    let mut offers: Vec<(SocketAddr, Offer)> = Vec::new();
    if let Some(admin) = admin {
        offers.push((admin.listen.0, Offer { health: true, metrics: None }));
    }
    if let Some(prometheus) = &metrics.prometheus {
        let address = prometheus.listen.0;
        let path = Some(prometheus.path.clone());
        match offers.iter_mut().find(|(a, _)| *a == address) {
            Some((_, offer)) => offer.metrics = path,
            // Probes are wanted wherever there is a server: a metrics port alone answers them, too.
            None => offers.push((address, Offer { health: true, metrics: path })),
        }
    }
    offers
}

/// Binds every address, then serves them all. Returns what was bound.
pub(super) fn serve(pages: &Pages, offers: Vec<(SocketAddr, Offer)>) -> Result<Vec<SocketAddr>, StartFault> {
    let mut servers = Vec::new();
    for (address, offer) in offers {
        let fault = |error| StartFault::Bind { transport: "tcp", address, error };
        let listener = TcpListener::bind(address).map_err(fault)?;
        listener.set_nonblocking(true).map_err(fault)?;
        servers.push((listener, router(pages, &offer)));
    }
    let bound = servers.iter().filter_map(|(l, _)| l.local_addr().ok()).collect();
    if !servers.is_empty() {
        std::thread::Builder::new()
            .name("pages".to_owned())
            .spawn(move || run(servers))
            .map_err(|e| StartFault::Other(format!("cannot start the thread of the health pages: {e}")))?;
    }
    Ok(bound)
}

fn run(servers: Vec<(TcpListener, Router)>) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return tracing::error!("the health pages are not served: {error}"),
    };
    runtime.block_on(async {
        let tasks: Vec<_> = servers
            .into_iter()
            .map(|(listener, router)| {
                tokio::spawn(async move {
                    let served =
                        async { axum::serve(tokio::net::TcpListener::from_std(listener)?, router).await };
                    if let Err(error) = served.await {
                        tracing::error!("a server of health pages ended: {error}");
                    }
                })
            })
            .collect();
        for task in tasks {
            let _ = task.await;
        }
    });
}

#[cfg(test)]
#[path = "pages_tests.rs"]
mod tests;
