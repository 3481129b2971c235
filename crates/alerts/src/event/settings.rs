use std::ops::RangeInclusive;

use vedette_core::Span;

/// Tolerances within which alerts of several cameras are one event.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OneEvent {
    within_m: f64,
    apart: Span,
}

/// A setting of [`OneEvent`] is out of its range.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum OneEventError {
    /// The distance.
    #[error("{0} m is outside 0.5 to 12 m")]
    Within(f64),
    /// The time.
    #[error("{0} is outside 100ms to 1m")]
    Apart(Span),
}

impl OneEvent {
    const WITHIN_M: RangeInclusive<f64> = 0.5..=12.0;
    const APART: RangeInclusive<Span> = Span::from_millis(100)..=Span::from_secs(60);
    /// Alerts further apart than this many times `within_m` are two events, whatever the errors of their places.
    const MOST: f64 = 4.0;

    /// Alerts whose places differ by at most `within_m` metres beyond their errors, at the same time or at most `apart` from one
    /// another.
    ///
    /// # Errors
    /// When a setting is out of its range: 0.5 to 12 m, 100 ms to 1 min.
    pub fn new(within_m: f64, apart: Span) -> Result<Self, OneEventError> {
        if !Self::WITHIN_M.contains(&within_m) {
            return Err(OneEventError::Within(within_m));
        }
        if !Self::APART.contains(&apart) {
            return Err(OneEventError::Apart(apart));
        }
        Ok(Self { within_m, apart })
    }

    /// Greatest distance of two places with these errors (95 % radius, millimetres), metres. Two measurements of one point lie
    /// within the root of the sum of the squares of their errors, with 95 % again.
    pub(super) fn distance_m(&self, error_mm: i64, other_mm: i64) -> f64 {
        let errors = (error_mm as f64).hypot(other_mm as f64) / 1e3;
        (self.within_m + errors).min(Self::MOST * self.within_m)
    }

    /// Greatest difference in time, microseconds.
    pub(super) const fn apart_us(&self) -> i64 {
        self.apart.as_micros()
    }
}

impl Default for OneEvent {
    /// 5 m, 5 s.
    fn default() -> Self {
        Self { within_m: 5.0, apart: Span::from_secs(5) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_out_of_range_say_which_and_the_range() {
        let seconds = Span::from_secs;
        for (within, apart, says) in [
            (0.4, seconds(5), "0.4 m is outside 0.5 to 12 m"),
            (f64::NAN, seconds(5), "NaN m is outside"),
            (5.0, seconds(61), "outside 100ms to 1m"),
            (5.0, Span::ZERO, "outside 100ms to 1m"),
        ] {
            let error = OneEvent::new(within, apart).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
        assert_eq!(OneEvent::new(5.0, seconds(5)).unwrap(), OneEvent::default());
    }

    #[test]
    fn errors_widen_the_distance_up_to_a_bound() {
        let rule = OneEvent::default();
        assert_eq!(rule.distance_m(0, 0), 5.0);
        assert_eq!(rule.distance_m(3_000, 4_000), 10.0);
        assert_eq!(rule.distance_m(90_000, 0), 20.0);
    }
}
