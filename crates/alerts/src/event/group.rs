use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::convert::Infallible;

use vedette_core::{Alert, AlertId};

use super::near::Nearness;
use super::{Crowd, OneEvent, Sighting};

/// The lead alert of an event: the one raised first, by id among those raised at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lead {
    /// When it was raised, microseconds since the Unix epoch.
    pub raised_us: i64,
    /// Its id.
    pub id: AlertId,
}

/// The lead of each alert whose event was recomputed.
pub type Decided = BTreeMap<AlertId, Lead>;

/// The change of one alert: new, changed, or no longer correlated.
#[derive(Debug, Clone)]
pub struct Touched {
    /// Before, where it could be joined.
    pub was: Option<Sighting>,
    /// Now, where it can be joined.
    pub is: Option<Sighting>,
}

impl Touched {
    /// Whether it is about alert `id`.
    #[must_use]
    pub fn is(&self, id: AlertId) -> bool {
        self.versions().any(|it| it.id == id)
    }

    fn versions(&self) -> impl Iterator<Item = &Sighting> {
        self.was.iter().chain(&self.is)
    }
}

/// The lead of each of all alerts.
///
/// Two alerts are *linked* when each is the nearest of its camera to the other. Linked alerts are joined in the order of their
/// nearness, while all alerts of an event are pairwise compatible (complete linkage): so an event has at most one alert per camera,
/// and does not grow from neighbour to neighbour.
#[must_use]
pub fn leads<'a>(alerts: impl IntoIterator<Item = &'a Alert>, rule: &OneEvent) -> BTreeMap<AlertId, Lead> {
    let alone = |alert: &Alert| (alert.id, Lead { raised_us: alert.raised.as_micros(), id: alert.id });
    let mut crowds: BTreeMap<_, Vec<Sighting>> = BTreeMap::new();
    let mut leads = BTreeMap::new();
    for alert in alerts {
        leads.extend([alone(alert)]);
        if let Some(it) = Sighting::of(alert) {
            crowds.entry((it.kind, Crowd::of(&it))).or_default().push(it);
        }
    }
    crowds.retain(|_, crowd| crowd.len() <= Crowd::MOST);
    let all: Vec<Sighting> = crowds.into_values().flatten().collect();
    let touched: Vec<Touched> = all.iter().map(|it| Touched { was: None, is: Some(it.clone()) }).collect();
    let near = |it: &Sighting| all.iter().filter(|other| rule.nearness(it, other).is_some()).cloned().collect();
    let Ok(decided) = settle::<Infallible>(rule, &touched, &mut |it| Ok(near(it)));
    leads.extend(decided);
    leads
}

/// Recomputes the events that `touched` can have changed, and leaves the rest unchanged. `near` returns the current alerts that may
/// be one event with one; returning others is harmless.
///
/// A link between two alerts changes only if the nearest of one of them does, and that is then a touched one, or was. So
/// only the events that touched alerts are or were linked to are recomputed.
///
/// # Errors
/// When `near` fails.
pub fn settle<E>(
    rule: &OneEvent,
    touched: &[Touched],
    near: &mut dyn FnMut(&Sighting) -> Result<Vec<Sighting>, E>,
) -> Result<Decided, E> {
    let mut links = Links { rule, near, ranked: HashMap::new() };
    let mut decided = Decided::new();
    for it in touched.iter().filter(|it| it.is.is_none()) {
        decided.extend(it.was.iter().map(|was| (was.id, Lead { raised_us: was.raised_us, id: was.id })));
    }
    for seed in links.disturbed(touched)? {
        if !decided.contains_key(&seed.id) {
            decided.extend(join(rule, &links.linked_with(seed)?));
        }
    }
    Ok(decided)
}

/// Finds links, and caches the queried alerts.
struct Links<'a, E> {
    rule: &'a OneEvent,
    near: &'a mut dyn FnMut(&Sighting) -> Result<Vec<Sighting>, E>,
    ranked: HashMap<AlertId, Vec<(Nearness, Sighting)>>,
}

impl<E> Links<'_, E> {
    /// The candidates for one event with `it`, nearest first.
    fn rank(&mut self, it: &Sighting) -> Result<Vec<(Nearness, Sighting)>, E> {
        let near = (self.near)(it)?;
        let mut ranked: Vec<_> =
            near.into_iter().filter_map(|other| Some((self.rule.nearness(it, &other)?, other))).collect();
        ranked.sort_by(|(one, a), (other, b)| (one, a.raised_us, a.id).cmp(&(other, b.raised_us, b.id)));
        Ok(ranked)
    }

    /// The same for an alert as it is now.
    fn ranked(&mut self, it: &Sighting) -> Result<&[(Nearness, Sighting)], E> {
        if !self.ranked.contains_key(&it.id) {
            let ranked = self.rank(it)?;
            self.ranked.insert(it.id, ranked);
        }
        Ok(&self.ranked[&it.id])
    }

    /// The nearest alert of `camera` that is not in `except`.
    fn nearest(
        &mut self,
        it: &Sighting,
        camera: &str,
        except: &BTreeSet<AlertId>,
    ) -> Result<Option<(Nearness, Sighting)>, E> {
        let ranked = self.ranked(it)?;
        Ok(ranked.iter().find(|(_, other)| other.camera == camera && !except.contains(&other.id)).cloned())
    }

    /// The alerts whose links the touched ones change: they themselves, those whose nearest they are or were, and the alerts
    /// that are nearest to those without them.
    fn disturbed(&mut self, touched: &[Touched]) -> Result<Vec<Sighting>, E> {
        let ids: BTreeSet<AlertId> = touched.iter().flat_map(Touched::versions).map(|it| it.id).collect();
        let mut disturbed: BTreeMap<AlertId, Sighting> = BTreeMap::new();
        for it in touched {
            for version in it.versions() {
                for (nearness, other) in self.rank(version)? {
                    if ids.contains(&other.id) {
                        continue;
                    }
                    let without = self.nearest(&other, &version.camera, &ids)?;
                    if without.as_ref().is_some_and(|(least, _)| *least < nearness) {
                        continue;
                    }
                    disturbed.extend(without.map(|(_, next)| (next.id, next)));
                    disturbed.insert(other.id, other);
                }
            }
            disturbed.extend(it.is.clone().map(|is| (is.id, is)));
        }
        Ok(disturbed.into_values().collect())
    }

    /// The alerts linked with `it`.
    fn links(&mut self, it: &Sighting) -> Result<Vec<(Nearness, Sighting)>, E> {
        let mut cameras = BTreeSet::new();
        let ranked = self.ranked(it)?.to_vec();
        let nearest = ranked.into_iter().filter(|(_, other)| cameras.insert(other.camera.clone()));
        let mut links = Vec::new();
        for (nearness, other) in nearest {
            let back = self.nearest(&other, &it.camera, &BTreeSet::new())?;
            if back.is_some_and(|(_, back)| back.id == it.id) {
                links.push((nearness, other));
            }
        }
        Ok(links)
    }

    /// The connected component of `seed`, with its links.
    fn linked_with(&mut self, seed: Sighting) -> Result<Linked, E> {
        let mut linked = Linked::default();
        let mut open = vec![seed];
        while let Some(it) = open.pop() {
            if linked.alerts.contains_key(&it.id) {
                continue;
            }
            for (nearness, other) in self.links(&it)? {
                linked.links.insert((nearness, it.id.min(other.id), it.id.max(other.id)));
                open.push(other);
            }
            linked.alerts.insert(it.id, it);
        }
        Ok(linked)
    }
}

/// A connected component.
#[derive(Default)]
struct Linked {
    alerts: BTreeMap<AlertId, Sighting>,
    links: BTreeSet<(Nearness, AlertId, AlertId)>,
}

/// The events of a connected component.
fn join(rule: &OneEvent, linked: &Linked) -> Decided {
    let mut events: Vec<Vec<&Sighting>> = linked.alerts.values().map(|it| vec![it]).collect();
    let of = |events: &[Vec<&Sighting>], id: AlertId| {
        events.iter().position(|event| event.iter().any(|it| it.id == id)).expect("links are between these alerts")
    };
    for (_, one, other) in &linked.links {
        let (one, other) = (of(&events, *one), of(&events, *other));
        let may = |a: &&Sighting, b: &&Sighting| rule.nearness(a, b).is_some();
        if one != other && events[one].iter().all(|a| events[other].iter().all(|b| may(a, b))) {
            let joined = std::mem::take(&mut events[other]);
            events[one].extend(joined);
        }
    }
    let mut decided = Decided::new();
    for event in events {
        let lead = event.iter().map(|it| Lead { raised_us: it.raised_us, id: it.id }).min();
        decided.extend(event.iter().filter_map(|it| Some((it.id, lead?))));
    }
    decided
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use vedette_core::RuleKind;

    /// A store of sightings in memory.
    #[derive(Default)]
    struct Kept {
        sightings: BTreeMap<AlertId, Sighting>,
        leads: Decided,
    }

    impl Kept {
        fn take(&mut self, rule: &OneEvent, id: AlertId, is: Option<Sighting>) {
            let was = self.sightings.remove(&id);
            self.sightings.extend(is.clone().map(|is| (id, is)));
            let decided = settle::<Infallible>(rule, &[Touched { was, is }], &mut |_| {
                Ok(self.sightings.values().cloned().collect())
            });
            let Ok(decided) = decided;
            self.leads.extend(decided);
            self.leads.retain(|id, _| self.sightings.contains_key(id));
        }
    }

    fn sighting() -> impl Strategy<Value = Sighting> {
        (0..4u8, 0..60i64, 0..6i64, 0..3u8).prop_map(|(camera, tenths, place, length)| Sighting {
            id: AlertId(0),
            camera: format!("gate-{camera}"),
            kind: RuleKind::named("presence"),
            rule: "intrusion".into(),
            classes: 1,
            started_us: tenths * 250_000 - i64::from(length) * 1_000_000,
            raised_us: tenths * 250_000,
            until_us: tenths * 250_000,
            latitude_e7: 225_400_000 + place * 200,
            longitude_e7: 1_139_400_000,
            error_mm: 0,
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]
        /// Alerts are added, changed and removed in any order; incremental results equal those of the whole set.
        #[test]
        fn one_by_one_is_as_all_at_once(steps in prop::collection::vec((0..24u128, prop::option::weighted(0.9, sighting())), 1..48)) {
            let rule = OneEvent::default();
            let mut kept = Kept::default();
            for (id, is) in steps {
                let id = AlertId(id);
                kept.take(&rule, id, is.map(|is| Sighting { id, ..is }));
            }
            let touched: Vec<_> = kept.sightings.values().map(|it| Touched { was: None, is: Some(it.clone()) }).collect();
            let Ok(all) = settle::<Infallible>(&rule, &touched, &mut |_| Ok(kept.sightings.values().cloned().collect()));
            prop_assert_eq!(&kept.leads, &all);
            for (id, lead) in &kept.leads {
                let (one, lead) = (&kept.sightings[id], &kept.sightings[&lead.id]);
                prop_assert!(one.id == lead.id || rule.nearness(one, lead).is_some(), "a view fits its lead");
            }
        }
    }
}
