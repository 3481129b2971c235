//! Rules for tests of policies.

use vedette_core::*;

/// Each of the first 25 kinds with all of its parameters, by name. `ground` is the zone of those that may need square metres;
/// combinations are made of the rules `first` and `second`.
pub(crate) fn first_kinds(
    zone: &Zone,
    ground: &Zone,
    [first, second]: [&'static str; 2],
) -> Vec<(&'static str, Params)> {
    let (p, q, r) = (PixelPoint::new(0.0, 0.0), PixelPoint::new(9.0, 0.0), PixelPoint::new(0.0, 9.0));
    let duration = Span::from_secs(5);
    let id = |text| RuleId::new(text).unwrap();
    let none = Params::default();
    let zone = none.clone().with("zone", zone.clone());
    let on_ground = none.clone().with("zone", ground.clone());
    let line = none.clone().with("a", p).with("b", q).with("direction", Direction::RightToLeft);
    let both = |same: bool| none.clone().with("first", id(first)).with("within", duration).with("same_object", same);
    let stay = zone.clone().with("duration", duration);
    let also = vec![Segment { a: q, b: r, direction: Direction::Both }];
    vec![
        ("presence", zone.clone()),
        ("line_crossing", line.clone().with("also", also)),
        ("dwell", on_ground.clone().with("duration", duration)),
        ("count", zone.clone().with("at_least", 3_u32)),
        ("density", on_ground.with("at_least_per_m2", 2.5_f32)),
        ("gathering", zone.clone().with("at_least", 4_u32).with("reach", 1.5_f32)),
        ("stopped", stay.clone().with("reach", 0.3_f32)),
        (
            "wrong_way",
            zone.clone().with("from", p).with("to", r).with("tolerance_deg", 45_f32).with("distance", 0.1_f32),
        ),
        ("zone_entry", zone.clone()),
        ("zone_exit", zone.clone()),
        ("left_object", stay.with("owner_reach", 2_f32)),
        ("removed_object", zone.clone().with("settled", duration).with("missing", Span::from_secs(3))),
        ("speed", zone.clone().with("at_least_m_s", 8.5_f32)),
        ("running", zone.with("at_least_m_s", 3.5_f32).with("rise_m_s", 1.5_f32)),
        ("tailgating", line.with("within", Span::from_secs(2))),
        ("sequence", both(true).with("then", id(second))),
        ("absence", both(false).with("without", id(second))),
        ("together", none.clone().with("of", vec![id(first), id(second)]).with("within", Span::from_secs(1))),
        ("offline", none.clone().with("after", duration)),
        ("low_frame_rate", none.clone().with("below_fps", 2.5_f32).with("over", duration)),
        ("clock_drift", none.clone().with("at_least", duration)),
        ("frozen", none.clone().with("change_below", 0.02_f32)),
        ("covered", none.clone().with("contrast_below", 8.5_f32)),
        ("blurred", none.clone().with("below_part", 0.5_f32)),
        ("moved", none.with("similarity_below", 0.25_f32)),
    ]
}
