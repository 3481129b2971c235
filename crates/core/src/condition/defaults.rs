//! What a condition has where the policy says nothing.

use crate::Span;

pub(super) fn neighbour_reach() -> f32 {
    1.0
}

pub(super) fn reach() -> f32 {
    0.3
}

pub(super) fn tolerance() -> f32 {
    60.0
}

pub(super) fn distance() -> f32 {
    0.5
}

pub(super) fn owner_reach() -> f32 {
    1.5
}

pub(super) fn settled() -> Span {
    Span::from_secs(30)
}

pub(super) fn missing() -> Span {
    Span::from_secs(10)
}

pub(super) fn run() -> f32 {
    3.5
}

pub(super) fn rise() -> f32 {
    1.5
}

pub(super) fn within() -> Span {
    Span::from_secs(2)
}

pub(super) fn after() -> Span {
    Span::from_secs(30)
}

pub(super) fn over() -> Span {
    Span::from_secs(10)
}

pub(super) fn offset() -> Span {
    Span::from_secs(2)
}

pub(super) fn change() -> f32 {
    0.02
}

pub(super) fn contrast() -> f32 {
    8.0
}

pub(super) fn part() -> f32 {
    0.5
}
