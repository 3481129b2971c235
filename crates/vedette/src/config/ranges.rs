//! Settings whose values lie in a range.

use vedette_core::Span;

use super::{Mistake, Settings};

/// Every setting that is out of its range.
pub(super) fn check(file: &str, settings: &Settings, mistakes: &mut Vec<Mistake>) {
    mistakes.extend(settings.bus.mistakes().into_iter().map(|mistake| Mistake::in_section(file, "bus", mistake)));
    let mut check = |holds: bool, path: &str, value: String, rule: &str| {
        if !holds {
            mistakes.push(Mistake {
                file: file.to_owned(),
                path: path.to_owned(),
                value,
                rule: rule.to_owned(),
                fix: String::new(),
            });
        }
    };
    let Settings { ingest, detect, analyse, console, operations, .. } = settings;
    // A bound that is out of its own range does not make what it bounds wrong, too.
    let (second, day) = (Span::from_secs(1), Span::from_secs(86_400));
    let bound = |value: Span, most: Span| if (second..=most).contains(&value) { value } else { most };
    let high = bound(detect.shed_after.high, day);
    let normal = bound(detect.shed_after.normal, high);
    let spans = [
        ("ingest.chunk", ingest.chunk, Span::from_millis(40), Span::from_secs(1)),
        ("ingest.timeout", ingest.timeout, Span::from_millis(100), Span::from_secs(300)),
        ("ingest.retry_min", ingest.retry_min, Span::from_millis(50), ingest.retry_max),
        ("detect.max_wait", detect.max_wait, Span::ZERO, Span::from_secs(1)),
        ("detect.shed_after.low", detect.shed_after.low, second, normal),
        ("detect.shed_after.normal", detect.shed_after.normal, second, high),
        ("detect.shed_after.high", detect.shed_after.high, second, day),
        ("analyse.save_every", analyse.save_every, Span::from_millis(100), Span::from_secs(600)),
        ("analyse.sort_window", analyse.sort_window, Span::ZERO, Span::from_secs(60)),
        ("analyse.rebuild", analyse.rebuild, Span::ZERO, Span::from_secs(86_400)),
        ("console.stale_after", console.stale_after, Span::from_secs(5), day),
    ];
    for (path, value, least, most) in spans {
        let rule = format!("give {least} to {most}");
        check((least..=most).contains(&value), path, value.to_string(), &rule);
    }
    check(detect.decoders <= 1024, "detect.decoders", detect.decoders.to_string(), "give 0 (one a core) to 1024");
    check(
        detect.threads <= 1024,
        "detect.threads",
        detect.threads.to_string(),
        "give 0 (as ONNX Runtime likes) to 1024",
    );
    check(
        operations.listen.is_none_or(|listen| listen.port() == 0 || listen != console.listen),
        "operations.listen",
        operations.listen.map(|listen| listen.to_string()).unwrap_or_default(),
        "the page has this address: console.listen",
    );
    check((1..=256).contains(&detect.max_batch), "detect.max_batch", detect.max_batch.to_string(), "give 1 to 256");
    check(
        detect.max_fps.is_none_or(|fps| fps > 0.0 && fps <= 240.0),
        "detect.max_fps",
        format!("{:?}", detect.max_fps.unwrap_or_default()),
        "give more than 0 and at most 240 frames a second, or leave it out",
    );
    for name in &detect.providers {
        check(
            name == "auto" || name.parse::<vedette_detect::Provider>().is_ok(),
            "detect.providers",
            format!("\"{name}\""),
            "known are auto, tensorrt, cuda, openvino, cpu",
        );
    }
    for mistake in analyse.tracker.mistakes() {
        check(false, &format!("analyse.tracker.{}", mistake.key), mistake.value, &mistake.rule);
    }
}
