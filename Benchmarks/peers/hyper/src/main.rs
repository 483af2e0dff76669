//! The items service as hyper and tokio-postgres do it: a runtime with one thread for each core, a listener each, and a
//! few connections each, on which statements that were prepared once go out in pipelines.

mod database;
mod item;
mod log;
mod server;

use std::thread;

/// The same bound for every server that is measured.
const CONNECTIONS: usize = 10;

/// A variable's value; an empty one counts as unset.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn number(name: &str, default: usize) -> usize {
    variable(name).map_or(default, |value| value.parse().unwrap_or_else(|_| panic!("{name} is no number: {value}")))
}

fn main() {
    let threads = thread::available_parallelism().map_or(1, |count| count.get());
    let connections = number("DB_CONNECTIONS_PER_THREAD", (CONNECTIONS / threads).max(1));
    let readers = number("DB_READERS_PER_THREAD", connections).clamp(1, connections);
    let workers: Vec<_> = (0..threads).map(|_| thread::spawn(move || work(connections, readers))).collect();
    for worker in workers {
        let _ = worker.join();
    }
}

fn work(connections: usize, readers: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let local = tokio::task::LocalSet::new();
    if let Err(error) = local.block_on(&runtime, server::serve(connections, readers)) {
        eprintln!("{error}");
        std::process::exit(1);
    }
}
