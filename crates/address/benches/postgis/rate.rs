//! Speed of each side: by wall clock, and by processor time, which other processes on the machine disturb less.

use std::time::Instant;

use rustix::time::{ClockId, clock_gettime};

use super::figures;

/// Lookups per second.
#[derive(Clone, Copy)]
pub(crate) struct Rate {
    /// By the wall clock, on one connection or in one thread.
    pub(crate) wall: f64,
    /// By processor time: of this thread for the base, of the server's process alone for PostGIS.
    pub(crate) processor: f64,
}

impl Rate {
    /// The higher of each, since a disturbance can only slow a run down.
    pub(crate) fn best(self, other: Self) -> Self {
        Self { wall: self.wall.max(other.wall), processor: self.processor.max(other.processor) }
    }
}

/// Runs `work`, which does `lookups` lookups; `processor` returns the seconds of processor time used so far.
pub(crate) fn measured(lookups: usize, processor: impl Fn() -> f64, work: impl FnOnce()) -> Rate {
    let (start, spent) = (Instant::now(), processor());
    work();
    let lookups = lookups as f64;
    Rate { wall: lookups / start.elapsed().as_secs_f64(), processor: lookups / (processor() - spent) }
}

/// Seconds of processor time used by this thread.
pub(crate) fn of_this_thread() -> f64 {
    let spent = clock_gettime(ClockId::ThreadCPUTime);
    spent.tv_sec as f64 + spent.tv_nsec as f64 * 1e-9
}

/// Seconds of processor time used by a process, in user and system mode, to a hundredth.
pub(crate) fn of_process(id: i32) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
    // The name in parentheses may contain spaces; utime and stime are the 12th and 13th field after it.
    let fields = text.rsplit(')').next().unwrap().split_whitespace();
    fields.skip(11).take(2).map(|ticks| ticks.parse::<f64>().unwrap() / 100.0).sum()
}

/// Rows of the table and of the output.
pub(crate) fn tell(here: Rate, prepared: Rate, server: Rate) {
    let said = |rate: Rate| format!("{:.0}; of processor time {:.0}", rate.wall, rate.processor);
    figures::told("lookups a second and core: covering, nearest, grid", &said(here));
    println!("lookups a second and core: base {}", said(here));
    for (what, there) in [("PostGIS, prepared statement", prepared), ("PostGIS, inside the server only", server)] {
        figures::told(&format!("  the same by {what}"), &said(there));
        println!("  {what}: {}", said(there));
    }
    for (by, ratio, inside) in [
        ("wall clock", here.wall / prepared.wall, here.wall / server.wall),
        ("processor", here.processor / prepared.processor, here.processor / server.processor),
    ] {
        figures::at_least(&format!("times the lookups of PostGIS, prepared statement, {by}"), ratio, 300.0, "times");
        println!("    by {by} the base {ratio:.0} times (target: 300): {}", figures::verdict(ratio >= 300.0));
        figures::told(&format!("  times those inside its server only, {by}"), &format!("{inside:.0}"));
    }
}
