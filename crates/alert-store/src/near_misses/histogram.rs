//! How near the near-misses of a rule came, beside its alerts: the measured values around the threshold.

use serde::Deserialize;
use vedette_access::Areas;
use vedette_alerts::Decision;
use vedette_core::{CameraId, Measured, Quantity, RuleId, Term, Timestamp};

use super::list::NearMissFilter;
use super::millionths;
use crate::areas::Inside;
use crate::conditions::Conditions;
use crate::session::Row;
use crate::{AlertStore, StoreError};

const DOING: &str = "counting near-misses by value";
/// Alerts that one statement looks at, so that no reader waits for long, and all of them.
const ALERTS_AT_ONCE: usize = 2_000;
const MOST_ALERTS: usize = 200_000;
/// Thresholds that are told apart, and those that are returned.
const MOST_THRESHOLDS: i64 = 1_000;
const THRESHOLDS: usize = 16;

/// The values to count.
#[derive(Debug, Clone, PartialEq)]
pub struct HistogramFilter {
    /// Of this rule.
    pub rule: RuleId,
    /// That missed this requirement.
    pub term: Term,
    /// Of this camera.
    pub camera: Option<CameraId>,
    /// Near-misses that ended, and alerts that were raised, at or after; the oldest near-miss when absent.
    pub from: Option<Timestamp>,
    /// And before.
    pub until: Option<Timestamp>,
    /// Number of bins, at least 1.
    pub bins: u32,
}

/// Counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Near-misses.
    pub near_misses: u64,
    /// Alerts that people confirmed.
    pub confirmed: u64,
    /// False alarms.
    pub false_alarms: u64,
    /// Alerts without a verdict.
    pub unjudged: u64,
}

/// Counts of the values from `from` until before `until`; the last bin has its upper edge, too.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ValueBin {
    /// Its lower edge.
    pub from: f64,
    /// Its upper edge.
    pub until: f64,
    /// The counts.
    pub tally: Tally,
}

/// The near-misses of one threshold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ThresholdCount {
    /// The threshold.
    pub threshold: f64,
    /// Their number.
    pub near_misses: u64,
}

/// Counts by measured value.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ValueHistogram {
    /// The thresholds of the near-misses, that of the newest first; at most 16.
    pub thresholds: Vec<ThresholdCount>,
    /// Bins of equal width around the threshold; empty when there is nothing to count.
    pub bins: Vec<ValueBin>,
    /// The values below the first bin, and those above the last one.
    pub outside: [Tally; 2],
    /// Alerts of the rule that measured something else.
    pub other_alerts: u64,
    /// Whether all alerts of the time were looked at: at most 200,000 are, the newest.
    pub is_complete: bool,
}

/// The values of a threshold, in millionths.
struct OfThreshold {
    threshold: i64,
    least: i64,
    most: i64,
    count: u64,
    oldest: i64,
}

/// An alert's value, in millionths, and its threshold.
struct OfAlert {
    value: i64,
    threshold: i64,
    verdict: Option<Decision>,
}

#[derive(Default)]
struct Alerts {
    of_quantity: Vec<OfAlert>,
    others: u64,
    is_complete: bool,
}

/// The part of a stored alert that is counted.
#[derive(Deserialize)]
struct MeasuredAlert {
    rule: RuleId,
    measured: Measured,
}

/// Bins of equal width, in millionths.
#[derive(Clone, Copy)]
struct Axis {
    low: i64,
    width: i64,
    bins: i64,
}

impl AlertStore {
    /// Counts the near-misses of a rule by their value, and its alerts beside them: near-misses of cameras and alerts inside of `areas`.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn near_miss_histogram(&self, filter: &HistogramFilter, areas: &Areas) -> Result<ValueHistogram, StoreError> {
        let of_misses = NearMissFilter {
            camera: filter.camera.clone(),
            rule: Some(filter.rule.clone()),
            term: Some(filter.term),
            from: filter.from,
            until: filter.until,
            ..NearMissFilter::default()
        };
        let thresholds = self.thresholds(&of_misses, areas)?;
        let oldest = thresholds.iter().map(|of| of.oldest).min().map(Timestamp::from_micros);
        let alerts = match filter.term.quantity() {
            Some(quantity) => self.measured_alerts(filter, areas, quantity, filter.from.or(oldest))?,
            None => Alerts { is_complete: true, ..Alerts::default() },
        };
        let count = |of: &OfThreshold| ThresholdCount { threshold: whole(of.threshold), near_misses: of.count };
        let mut histogram = ValueHistogram {
            thresholds: thresholds.iter().take(THRESHOLDS).map(count).collect(),
            other_alerts: alerts.others,
            is_complete: alerts.is_complete,
            ..ValueHistogram::default()
        };
        let Some(axis) = Axis::around(&thresholds, &alerts.of_quantity, filter.bins) else { return Ok(histogram) };
        histogram.bins = (0..axis.bins).map(|bin| axis.bin(bin)).collect();
        for (bin, count) in self.values(&of_misses, areas, axis)? {
            histogram.tally(axis, axis.closed(bin)).near_misses += count;
        }
        for alert in &alerts.of_quantity {
            let tally = histogram.tally(axis, axis.bin_of(alert.value));
            match alert.verdict {
                Some(Decision::Confirmed) => tally.confirmed += 1,
                Some(Decision::FalseAlarm) => tally.false_alarms += 1,
                None => tally.unjudged += 1,
            }
        }
        Ok(histogram)
    }

    /// The values by threshold, that of the newest near-miss first.
    fn thresholds(&self, filter: &NearMissFilter, areas: &Areas) -> Result<Vec<OfThreshold>, StoreError> {
        let (clause, mut values) = filter.conditions(areas).clause();
        values.push(MOST_THRESHOLDS.into());
        let sql = format!(
            "SELECT threshold_e6, min(value_e6), max(value_e6), count(*), min(at_us) FROM near_miss {clause}
             GROUP BY threshold_e6 ORDER BY max(at_us) DESC, threshold_e6 LIMIT ?{}",
            values.len()
        );
        let rows = self.read(|session| session.rows(DOING, &sql, &values))?;
        let read = |mut row: Row| {
            let (threshold, least, most) = (row.take(0)?, row.take(1)?, row.take(2)?);
            Ok(OfThreshold { threshold, least, most, count: row.take(3)?, oldest: row.take(4)? })
        };
        rows.into_iter().map(read).collect()
    }

    /// The near-misses of each bin; those outside have numbers outside.
    fn values(&self, filter: &NearMissFilter, areas: &Areas, axis: Axis) -> Result<Vec<(i64, u64)>, StoreError> {
        let (clause, mut values) = filter.conditions(areas).clause();
        let (low, width) = (values.len() + 1, values.len() + 2);
        values.extend([axis.low.into(), axis.width.into()]);
        let sql = format!("SELECT (value_e6 - ?{low}) / ?{width} AS bin, count(*) FROM near_miss {clause} GROUP BY 1");
        let rows = self.read(|session| session.rows(DOING, &sql, &values))?;
        rows.into_iter().map(|mut row| Ok((row.take(0)?, row.take(1)?))).collect()
    }

    /// The values of the rule's alerts, the newest first. An alert that cannot be read is left out.
    fn measured_alerts(
        &self,
        filter: &HistogramFilter,
        areas: &Areas,
        quantity: Quantity,
        from: Option<Timestamp>,
    ) -> Result<Alerts, StoreError> {
        let mut found = Alerts::default();
        let mut before: Option<(i64, String)> = None;
        for _ in 0..MOST_ALERTS / ALERTS_AT_ONCE {
            let rows = self.some_alerts(filter, areas, from, before.take())?;
            let is_last = rows.len() < ALERTS_AT_ONCE;
            for mut row in rows {
                let id = row.text(1);
                let (at, text): (i64, String) = (row.take(0)?, row.take(1)?);
                before = Some((at, text));
                match measured(row, &filter.rule) {
                    Ok(Some((measured, verdict))) if measured.quantity == quantity => {
                        let (value, threshold) = (millionths(measured.value), millionths(measured.threshold));
                        found.of_quantity.push(OfAlert { value, threshold, verdict });
                    }
                    Ok(Some(_)) => found.others += 1,
                    Ok(None) => {}
                    Err(error) => self.damage.leave_out(&id, &error),
                }
            }
            if is_last {
                found.is_complete = true;
                break;
            }
        }
        Ok(found)
    }

    /// Alerts before one in the list, with the content of those that may be of the rule.
    fn some_alerts(
        &self,
        filter: &HistogramFilter,
        areas: &Areas,
        from: Option<Timestamp>,
        before: Option<(i64, String)>,
    ) -> Result<Vec<Row>, StoreError> {
        let mut of_areas = Vec::new();
        let inside = Inside::new(areas, &mut of_areas);
        let mut conditions = Conditions::with(of_areas);
        if let Some(inside) = inside {
            conditions.add_numbered(inside.any_alert());
        }
        if let Some(camera) = &filter.camera {
            conditions.add("camera = ?", [camera.as_str().to_owned().into()]);
        }
        for (term, time) in [("raised_us >= ?", from), ("raised_us < ?", filter.until)] {
            if let Some(time) = time {
                conditions.add(term, [time.as_micros().into()]);
            }
        }
        if let Some((at, id)) = before {
            conditions.add("(raised_us, id) < (?, ?)", [at.into(), id.into()]);
        }
        let (clause, mut values) = conditions.clause();
        let (like, limit) = (values.len() + 1, values.len() + 2);
        // An id needs no escapes in JSON; `_` in it lets other rules pass, which `measured` leaves out.
        values.push(format!("%\"rule\":\"{}\"%", filter.rule).into());
        values.push((ALERTS_AT_ONCE as i64).into());
        let sql = format!(
            "SELECT raised_us, id, verdict, CASE WHEN payload LIKE ?{like} THEN payload END FROM alert {clause}
             ORDER BY raised_us DESC, id DESC LIMIT ?{limit}"
        );
        self.read(|session| session.rows(DOING, &sql, &values))
    }
}

/// The measured value of an alert of the rule, and the verdict on it.
fn measured(mut row: Row, rule: &RuleId) -> Result<Option<(Measured, Option<Decision>)>, StoreError> {
    let damaged = |cause: String| StoreError::Damaged { doing: DOING, cause };
    let verdict = row.take::<Option<String>>(2)?.map(|word| word.parse().map_err(damaged)).transpose()?;
    let Some(payload) = row.take::<Option<String>>(3)? else { return Ok(None) };
    let alert: MeasuredAlert = serde_json::from_str(&payload).map_err(|cause| damaged(cause.to_string()))?;
    Ok((alert.rule == *rule).then_some((alert.measured, verdict)))
}

/// The number of so many millionths.
fn whole(millionths: i64) -> f64 {
    millionths as f64 / 1e6
}

impl Axis {
    /// Reaches from the near-misses and their thresholds as far as those lie apart, and no farther than there are values.
    fn around(thresholds: &[OfThreshold], alerts: &[OfAlert], bins: u32) -> Option<Self> {
        let of_misses = thresholds.iter().flat_map(|of| [of.threshold, of.least, of.most]);
        let of_alerts = alerts.iter().map(|alert| alert.threshold);
        let is_empty = thresholds.is_empty();
        let inner: Vec<i64> = of_misses.chain(of_alerts.filter(|_| is_empty)).collect();
        let (first, last) = (*inner.iter().min()?, *inner.iter().max()?);
        let reach = if last > first { last - first } else { (last.abs() / 4).max(1) };
        let values = || inner.iter().copied().chain(alerts.iter().map(|alert| alert.value));
        let low = values().min()?.max(first - reach);
        let high = values().max()?.min(last + reach);
        let bins = i64::from(bins.max(1));
        // Rounded up.
        Some(Self { low, width: ((high - low + bins - 1) / bins).max(1), bins })
    }

    /// The number of a value's bin; below the first it is -1.
    const fn bin_of(self, value: i64) -> i64 {
        match value - self.low {
            below if below < 0 => -1,
            last if last == self.width * self.bins => self.bins - 1,
            inside => inside / self.width,
        }
    }

    /// The bin of a near-miss, none of which lies beyond the last bin: the greatest may lie on its edge.
    const fn closed(self, bin: i64) -> i64 {
        if bin == self.bins { bin - 1 } else { bin }
    }

    fn bin(self, number: i64) -> ValueBin {
        let edge = |number| whole(self.low + number * self.width);
        ValueBin { from: edge(number), until: edge(number + 1), tally: Tally::default() }
    }
}

impl ValueHistogram {
    fn tally(&mut self, axis: Axis, bin: i64) -> &mut Tally {
        let inside = usize::try_from(bin).ok().filter(|_| bin < axis.bins);
        match inside {
            Some(bin) => &mut self.bins[bin].tally,
            None => &mut self.outside[usize::from(bin >= 0)],
        }
    }
}
