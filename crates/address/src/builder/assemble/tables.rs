//! Names, former codes, roads and working grids.

use std::collections::HashSet;

use zerocopy::little_endian::{I32, U32, U64};

use super::Output;
use super::ground::{CheckedBuilding, Grounds};
use crate::base::AddressBase;
use crate::builder::Reason;
use crate::builder::cells::and_cause;
use crate::builder::draft::Draft;
use crate::code::{BuildingKey, digits, grid_digits};
use crate::file::{
    AreaRecord, FormerRecord, MemberRecord, NONE, NameRecord, RoadRecord, SegmentRecord, WorkGridRecord, build_tree,
};
use crate::layer::{level_of, padded};

/// The codes that the base contains.
pub(super) struct Known<'a> {
    draft_grids: HashSet<u64>,
    buildings: &'a [CheckedBuilding],
    areas: HashSet<String>,
    /// The base to which a delta applies.
    base: Option<AddressBase>,
}

impl<'a> Known<'a> {
    pub(super) fn of(draft: &Draft, buildings: &'a [CheckedBuilding], areas: &[AreaRecord]) -> Self {
        let text =
            |area: &AreaRecord| area.code.iter().take_while(|byte| **byte != 0).map(|byte| char::from(*byte)).collect();
        Self {
            draft_grids: draft.grids.keys().copied().collect(),
            buildings,
            areas: areas.iter().map(text).collect(),
            base: draft.base.clone(),
        }
    }

    /// Whether a name can be given to the entity of a code (of a room: to its building). A delta replaces whole buildings, so a
    /// building of the base alone takes no further name.
    fn names(&self, code: &str) -> bool {
        let own = match code.len() {
            14 => digits(code).is_some_and(|grid| self.draft_grids.contains(&grid)),
            19 | 25 => BuildingKey::parse(&code[..19])
                .is_some_and(|key| self.buildings.binary_search_by_key(&key, |building| building.key).is_ok()),
            _ => self.areas.contains(code),
        };
        own || (code.len() < 19 && self.in_base(code))
    }

    /// Whether the entity of a code exists once the build is done.
    fn holds(&self, code: &str) -> bool {
        self.names(code) || self.in_base(code)
    }

    fn in_base(&self, code: &str) -> bool {
        let Some(base) = &self.base else { return false };
        code.parse().is_ok_and(|prefix| base.entity(&prefix).is_some())
    }
}

impl Output {
    pub(super) fn names(&mut self, draft: &mut Draft, known: &Known<'_>) {
        let mut all = std::mem::take(&mut draft.names);
        all.sort_by(|a, b| {
            let key = |name: &crate::builder::draft::NameDraft| (name.kind, name.valid);
            a.code
                .cmp(&b.code)
                .then(key(a).cmp(&key(b)))
                .then_with(|| draft.strings.get(a.text).cmp(draft.strings.get(b.text)).then(a.source.cmp(&b.source)))
        });
        let mut before: Option<(String, u8, u32)> = None;
        for name in all {
            if !known.names(&name.code) {
                let rule = "what it names is not in the base, or was refused".to_owned();
                draft.refuse(name.source, "code", &name.code, Reason::UnknownCode, rule);
                continue;
            }
            let this = (name.code.clone(), name.kind.number(), name.text);
            if before.as_ref() == Some(&this) {
                let rule = "the name was given before".to_owned();
                draft.refuse(name.source, "text", &name.code, Reason::DoubleCode, rule);
                continue;
            }
            before = Some(this);
            let text = U32::new(self.string(draft, name.text));
            self.names.push(NameRecord {
                code: padded(&name.code),
                kind: name.kind.number(),
                text,
                valid_from: I32::new(name.valid.0),
                valid_to: I32::new(name.valid.1),
            });
        }
        self.counts.names = self.names.len();
    }

    pub(super) fn formers(&mut self, draft: &mut Draft, known: &Known<'_>) {
        let mut all = std::mem::take(&mut draft.formers);
        all.sort_by(|a, b| (&a.former, &a.code, a.source).cmp(&(&b.former, &b.code, b.source)));
        let followed: HashSet<String> = all.iter().map(|former| former.former.clone()).collect();
        let mut before: Option<(String, String)> = None;
        for former in all {
            let mut refuse = |field: &str, value: &str, reason, rule: &str| {
                draft.refuse(former.source, field, value, reason, rule.to_owned());
            };
            let level_fits = level_of(former.former.len()).is_some() && former.former.len() == former.code.len();
            if !level_fits || !former.former.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
                let cause = and_cause(&former.former);
                let rule = format!("a former code has as many characters as the one in its place{cause}");
                refuse("former_code", &former.former, Reason::CodeLength, &rule);
                continue;
            }
            if !known.holds(&former.code) && !followed.contains(&former.code) {
                refuse(
                    "code",
                    &former.code,
                    Reason::UnknownCode,
                    "the code in its place is not in the base, nor a former code itself",
                );
                continue;
            }
            if known.holds(&former.former) && former.former.len() != 25 {
                refuse(
                    "former_code",
                    &former.former,
                    Reason::CodeMeaning,
                    "a former code is no longer in use, but the base holds it",
                );
                continue;
            }
            if let Some((same, code)) = &before
                && *same == former.former
            {
                // The same row in two tables counts once.
                if *code != former.code {
                    refuse(
                        "former_code",
                        &former.former,
                        Reason::DoubleCode,
                        "the former code was given before with another one in its place",
                    );
                }
                continue;
            }
            before = Some((former.former.clone(), former.code.clone()));
            self.formers.push(FormerRecord {
                former: padded(&former.former),
                code: padded(&former.code),
                changed: I32::new(former.changed),
            });
        }
        self.counts.former_codes = self.formers.len();
    }

    pub(super) fn roads(&mut self, draft: &Draft, grounds: &Grounds) {
        let mut all: Vec<(&str, Vec<[[i32; 2]; 2]>)> = draft
            .roads
            .iter()
            .map(|(name, lines)| {
                let steps = self.steps;
                let pieces = lines.iter().flat_map(geo::LineString::lines).filter_map(move |line| {
                    Some([steps.degrees_to_steps(line.start)?, steps.degrees_to_steps(line.end)?])
                });
                (name.as_str(), pieces.collect())
            })
            .collect();
        all.sort();
        let mut boxes = Vec::new();
        for (name, pieces) in all {
            let road = U32::new(self.roads.len() as u32);
            let name = self.text(name);
            let begins = pieces.first().map(|[from, to]| {
                let (from, to) = (self.steps.to_degrees(*from), self.steps.to_degrees(*to));
                let middle = geo::Coord { x: 0.5 * (from.x + to.x), y: 0.5 * (from.y + to.y) };
                grounds.grid_at(&self.grids, &self.shapes.words, self.steps, middle)
            });
            let path = begins.and_then(|grid| self.grids.get(grid as usize)).map_or(U32::new(NONE), |grid| grid.path);
            self.roads.push(RoadRecord { name, first_segment: U32::new(self.segments.len() as u32), path });
            for [from, to] in pieces {
                boxes.push([from[0].min(to[0]), from[1].min(to[1]), from[0].max(to[0]), from[1].max(to[1])]);
                self.segments.push(SegmentRecord { road, from: from.map(I32::new), to: to.map(I32::new) });
            }
        }
        self.counts.roads = self.roads.len();
        self.trees[2] = build_tree(&boxes);
    }

    pub(super) fn work_grids(&mut self, draft: &mut Draft, known: &Known<'_>) {
        for ((kind, code), work_grid) in std::mem::take(&mut draft.work_grids) {
            let number = U32::new(self.work_grids.len() as u32);
            let mut members = Vec::new();
            for (grid, source) in work_grid.members {
                if known.holds(&grid_digits(grid)) {
                    members.push(MemberRecord { grid: U64::new(grid), work_grid: number });
                    continue;
                }
                let rule = format!("the basic grid of working grid {code} ({kind}) is not in the base");
                draft.refuse(source, "gridcode", &grid_digits(grid), Reason::UnknownCode, rule);
            }
            if members.is_empty() {
                continue;
            }
            self.members.extend(members);
            let (kind, code, name) = (self.text(&kind), self.text(&code), self.text(&work_grid.name));
            self.work_grids.push(WorkGridRecord { kind, code, name });
        }
        self.members.sort_by_key(|member| (member.grid.get(), member.work_grid.get()));
        self.counts.working_grids = self.work_grids.len();
    }
}
