//! One binary for all fuzz targets: `VEDETTE_FUZZ_TARGET` names the one to run; the arguments are those of libFuzzer. Without it, the
//! names are printed.

#![no_main]

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::exit;
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;

type Target = fn(&[u8]);

const TARGETS: &[(&str, Target)] = &[
    ("csv", vedette_address::fuzz_targets::csv),
    ("geojson", vedette_address::fuzz_targets::geojson),
    ("wkt", vedette_address::fuzz_targets::wkt),
    ("base", vedette_address::fuzz_targets::base),
    ("delta", vedette_address::fuzz_targets::delta),
    ("geoparquet", vedette_geoparquet::fuzz_targets::geoparquet),
    ("rtsp-messages", vedette_rtsp::fuzz_targets::messages),
    ("rtsp-description", vedette_rtsp::fuzz_targets::description),
    ("rtsp-challenge", vedette_rtsp::fuzz_targets::challenge),
    ("rtp-packets", vedette_rtsp::fuzz_targets::packets),
    ("rtp-payloads", vedette_rtsp::fuzz_targets::payloads),
    ("elementary-stream", vedette_media::fuzz_targets::elementary_stream),
    ("sign-on", vedette_single_sign_on::fuzz_targets::sign_on),
    ("video-record", vedette_wire::fuzz_targets::video_record),
    ("record", vedette_wire::fuzz_targets::record),
];

static TARGET: OnceLock<Target> = OnceLock::new();

thread_local!(static LAST_PANIC: RefCell<String> = const { RefCell::new(String::new()) });

fn start() {
    let Ok(name) = std::env::var("VEDETTE_FUZZ_TARGET") else {
        TARGETS.iter().for_each(|(known, _)| println!("{known}"));
        exit(0);
    };
    let Some((_, target)) = TARGETS.iter().find(|(known, _)| *known == name) else {
        let known: Vec<&str> = TARGETS.iter().map(|(known, _)| *known).collect();
        eprintln!("VEDETTE_FUZZ_TARGET is `{name}`, which is not a target; it is one of {}", known.join(", "));
        exit(2);
    };
    TARGET.get_or_init(|| *target);
    // libFuzzer's hook aborts at any panic, also at those of parsers that the product catches.
    std::panic::set_hook(Box::new(|panic| LAST_PANIC.with_borrow_mut(|last| *last = panic.to_string())));
}

/// The source of the keys of hash maps, in place of the system's: always the same, so that what an input does, it does again.
#[unsafe(no_mangle)]
extern "C" fn getrandom(buffer: *mut u8, length: usize, _flags: u32) -> isize {
    // SAFETY: the caller's buffer has this length, by the contract of getrandom(2).
    unsafe { std::slice::from_raw_parts_mut(buffer, length) }.fill(1);
    length.cast_signed()
}

fuzz_target!(init: start(), |input: &[u8]| {
    let Some(target) = TARGET.get() else { return };
    if catch_unwind(AssertUnwindSafe(|| target(input))).is_err() {
        LAST_PANIC.with_borrow(|last| eprintln!("{last}"));
        std::process::abort();
    }
});
