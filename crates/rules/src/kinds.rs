//! The rule kinds, one file each, and the list of them.

mod absence;
mod blurred;
mod clock_drift;
mod congestion;
mod count;
mod covered;
mod density;
mod dwell;
mod frozen;
mod gathering;
mod left_object;
mod line_crossing;
pub(crate) mod low_frame_rate;
mod moved;
mod offline;
mod presence;
mod queue;
pub(crate) mod removed_object;
mod running;
mod sequence;
mod speed;
mod stopped;
mod tailgating;
mod together;
mod wrong_way;
mod zone_entry;
mod zone_exit;

use serde::{Deserialize, Serialize};
use vedette_core::{Condition, Episode, Params, RuleKind, Segment, Timestamp, ViolationInfo};

use crate::definition::{Context, Kind, KindInfo};
use crate::found::Found;
use crate::nearest::Nearest;
use crate::parameters::{ParamInfo, Parameter, Parameters};
use crate::policy_rule::PolicyRule;
use crate::state::{Reassociation, State};
use crate::step::Step;

macro_rules! kinds {
    ($($module:ident::$kind:ident,)*) => {
        /// A rule's parameters, by its kind.
        #[derive(Debug, Clone, PartialEq)]
        pub(crate) enum AnyKind {
            $($kind($module::$kind),)*
        }

        /// A rule's state, by its kind. States are stored: their order may change only with the format of the checkpoint.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        pub(crate) enum AnyState {
            $($kind(<$module::$kind as Kind>::State),)*
        }

        /// Every kind, in the order of the documentation.
        pub(crate) const ALL: &[Entry] = &[$(Entry {
            info: &<$module::$kind as Kind>::INFO,
            doc: <$module::$kind as Parameters>::DOC,
            params: <$module::$kind as Parameters>::params,
            violations: <$module::$kind as Kind>::VIOLATIONS,
            read: |given, found| <$module::$kind as Parameters>::read(given, found).map(AnyKind::$kind),
        },)*];

        impl AnyKind {
            pub(crate) fn info(&self) -> &'static KindInfo {
                match self {
                    $(Self::$kind(_) => &<$module::$kind as Kind>::INFO,)*
                }
            }

            pub(crate) fn segments(&self) -> Vec<Segment> {
                match self {
                    $(Self::$kind(kind) => kind.segments(),)*
                }
            }

            pub(crate) fn values(&self) -> Vec<(&'static str, &dyn Parameter)> {
                match self {
                    $(Self::$kind(kind) => kind.values(),)*
                }
            }

            pub(crate) fn check(&self, context: Context<'_>, found: &mut Found) {
                match self {
                    $(Self::$kind(kind) => {
                        kind.check_limits(found);
                        kind.check(context, found);
                    })*
                }
            }

            /// The initial state of a rule.
            pub(crate) fn state(&self) -> AnyState {
                match self {
                    $(Self::$kind(_) => AnyState::$kind(Default::default()),)*
                }
            }

            /// Evaluates a frame. A state of another kind is refused on restore; here it is counted and ignored.
            pub(crate) fn step(&self, step: &mut Step<'_>, state: &mut AnyState) {
                match (self, state) {
                    $((Self::$kind(kind), AnyState::$kind(state)) => kind.step(step, state),)*
                    _ => step.stats.mismatched += 1,
                }
            }
        }

        impl AnyState {
            pub(crate) fn end(&mut self, not_after: Option<Timestamp>, ended: &mut Vec<Episode>) {
                match self {
                    $(Self::$kind(state) => state.end(not_after, ended),)*
                }
            }

            pub(crate) fn is_open(&self) -> bool {
                match self {
                    $(Self::$kind(state) => state.is_open(),)*
                }
            }

            pub(crate) fn is_resting(&self, scheduled: bool) -> bool {
                match self {
                    $(Self::$kind(state) => State::is_resting(state, scheduled),)*
                }
            }

            pub(crate) fn shrink(&mut self) {
                match self {
                    $(Self::$kind(state) => State::shrink(state),)*
                }
            }

            pub(crate) fn reassociate(&mut self, change: &Reassociation) {
                match self {
                    $(Self::$kind(state) => state.reassociate(change),)*
                }
            }

            pub(crate) fn nearest<'a>(&'a self, places: &mut Vec<&'a Nearest>) {
                match self {
                    $(Self::$kind(state) => State::nearest(state, places),)*
                }
            }

            pub(crate) fn nearest_mut<'a>(&'a mut self, places: &mut Vec<&'a mut Nearest>) {
                match self {
                    $(Self::$kind(state) => State::nearest_mut(state, places),)*
                }
            }
        }
    };
}

kinds! {
    presence::Presence,
    line_crossing::LineCrossing,
    dwell::Dwell,
    count::Count,
    density::Density,
    gathering::Gathering,
    stopped::Stopped,
    wrong_way::WrongWay,
    zone_entry::ZoneEntry,
    zone_exit::ZoneExit,
    left_object::LeftObject,
    removed_object::RemovedObject,
    speed::Speed,
    running::Running,
    tailgating::Tailgating,
    sequence::Sequence,
    absence::Absence,
    together::Together,
    offline::Offline,
    low_frame_rate::LowFrameRate,
    clock_drift::ClockDrift,
    frozen::Frozen,
    covered::Covered,
    blurred::Blurred,
    moved::Moved,
    congestion::Congestion,
    queue::Queue,
}

/// One kind of the list.
pub(crate) struct Entry {
    pub(crate) info: &'static KindInfo,
    pub(crate) doc: &'static [&'static str],
    pub(crate) params: fn() -> Vec<ParamInfo>,
    pub(crate) violations: &'static [ViolationInfo],
    read: fn(&Params, &mut Found) -> Option<AnyKind>,
}

/// The kind of that name.
pub(crate) fn find(name: RuleKind) -> Option<&'static Entry> {
    ALL.iter().find(|entry| entry.info.name == name)
}

/// Parses the parameters of a rule. All errors are recorded.
pub(crate) fn read(condition: &Condition, found: &mut Found) -> Option<AnyKind> {
    let Some(entry) = find(condition.kind) else {
        let known = ALL.iter().map(|entry| entry.info.name.as_str()).collect();
        found.add_when("kind", format!("\"{}\"", condition.kind), PolicyRule::UnknownKind { known });
        return None;
    };
    (entry.read)(&condition.params, found)
}
