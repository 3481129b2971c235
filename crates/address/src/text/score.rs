//! Score of a candidate for a text: 0 to 1.
//!
//! The score is the fraction of the text that the candidate explains, times the fraction of the candidate's identifying parts that
//! the text contains. Both are needed: any building of `翠竹花园` explains this text, which identifies none of them, and `北京市朝阳区翠竹路3号`
//! contains all that identifies a building on another city's 翠竹路.

use super::align::{Alignment, Form, Level};
use super::token::Token;
use super::{Entity, EntityKind};

/// The province and the city are the same for all of a base: they do not discriminate between entities.
const SAME_FOR_ALL: f32 = 0.3;
/// Factor of the score when nothing identifies the candidate.
const UNIDENTIFIED: f32 = 0.2;

/// A candidate's score, in the parts from which a unit can still raise it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Judgement {
    explained: f32,
    whole: f32,
    identified: f32,
    /// Position in the text after everything found.
    pub(super) tail: usize,
    /// The unit whose name was found.
    pub(super) unit: Option<u32>,
}

impl Judgement {
    /// The score when a unit explains `more` of the text's weight. Rounded to a thousandth, so that equal candidates are equal.
    pub(super) fn score(&self, more: f32) -> f32 {
        let explained = if self.whole > 0.0 { ((self.explained + more) / self.whole).min(1.0) } else { 0.0 };
        let score = explained * (UNIDENTIFIED + (1.0 - UNIDENTIFIED) * self.identified);
        (score * 1000.0).round() / 1000.0
    }
}

/// Scores candidates; holds reused buffers.
#[derive(Debug, Default)]
pub(super) struct Judge {
    form: Form,
    alignment: Alignment,
}

impl Judge {
    /// The best score over all forms of `entity`.
    pub(super) fn judge(&mut self, text: &[Token], entity: &Entity<'_>) -> Judgement {
        let mut best = Judgement::default();
        let mut form = std::mem::take(&mut self.form);
        if entity.kind != EntityKind::Grid {
            areas(&mut form, entity);
            match entity.kind {
                EntityKind::Road => form.push(Level::Road, entity.road),
                EntityKind::Building => {
                    form.push(Level::Road, entity.road);
                    form.push(Level::Plate, entity.road_num);
                    form.push(Level::Village, entity.village);
                    form.push(Level::Building, entity.building);
                }
                EntityKind::District | EntityKind::Street | EntityKind::Community | EntityKind::Grid => {}
            }
            self.alignment.align(text, &form);
            best = self.weigh(text, |share| by_levels(entity.kind, share), &form);
        }
        for other in &entity.others {
            areas(&mut form, entity);
            form.push(Level::Name, entity.without_areas(other.text));
            self.alignment.align(text, &form);
            let judgement = self.weigh(text, |share| share(Level::Name).unwrap_or(0.0), &form);
            if judgement.score(0.0) > best.score(0.0) {
                best = Judgement { unit: other.unit, ..judgement };
            }
        }
        self.form = form;
        best
    }

    fn weigh(
        &self,
        text: &[Token],
        identified: impl Fn(&dyn Fn(Level) -> Option<f32>) -> f32,
        form: &Form,
    ) -> Judgement {
        let share = |level| form.parts.iter().zip(&self.alignment.shares).find(|(part, _)| part.level == level);
        let identified = identified(&|level| share(level).map(|(_, share)| *share));
        let (mut explained, mut whole, mut tail) = (0.0, 0.0, 0);
        for (at, token) in text.iter().enumerate() {
            let found = self.alignment.text[at];
            let same_for_all = matches!(self.alignment.levels[at], Some(Level::Province | Level::City));
            let weight = token.weight() * if same_for_all { SAME_FOR_ALL } else { 1.0 };
            explained += found * weight;
            whole += weight;
            if found > 0.0 {
                tail = at + 1;
            }
        }
        Judgement { explained, whole, identified, tail, unit: None }
    }
}

/// The levels above roads and buildings; of an area, its own is the last.
fn areas(form: &mut Form, entity: &Entity<'_>) {
    form.clear();
    form.push(Level::Province, entity.province);
    form.push(Level::City, entity.city);
    form.push(Level::District, entity.district);
    form.push(Level::Street, entity.street);
    form.push(Level::Community, entity.community);
}

/// Fraction found of the levels that identify the entity.
fn by_levels(kind: EntityKind, share: &dyn Fn(Level) -> Option<f32>) -> f32 {
    let found = |level| share(level).unwrap_or(0.0);
    match kind {
        EntityKind::District => found(Level::District),
        EntityKind::Street => found(Level::Street),
        EntityKind::Community => found(Level::Community),
        EntityKind::Grid => 0.0,
        EntityKind::Road => found(Level::Road),
        EntityKind::Building => {
            // A road without its door plate counts as half; a community counts where nothing finer is known.
            let on_road = 0.4 * found(Level::Road) + 0.6 * found(Level::Plate) * found(Level::Road);
            let in_community = if share(Level::Village).is_none() { 0.9 * found(Level::Community) } else { 0.0 };
            let place = on_road.max(found(Level::Village)).max(in_community);
            match share(Level::Building) {
                Some(own) => 0.5 * own + 0.5 * place,
                // Without a building name, the door plate or the village identifies the building.
                None if share(Level::Plate).is_some() => on_road,
                None => place,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::token::tokenize;
    use super::*;

    fn score(text: &str, entity: &Entity<'_>) -> f32 {
        let mut tokens = Vec::new();
        tokenize(text, &mut tokens);
        Judge::default().judge(&tokens, entity).score(0.0)
    }

    fn building() -> Entity<'static> {
        Entity {
            province: "广东省",
            city: "深圳市",
            district: "宝安区",
            street: "松辉街道",
            community: "丰香社区",
            road: "兴寿一路",
            road_num: "19号",
            village: "德坊老村",
            building: "3巷5号",
            others: vec!["德坊3巷5号".into()],
            ..Entity::nameless(EntityKind::Building)
        }
    }

    #[test]
    fn every_form_of_a_name_is_whole() {
        for text in [
            "广东省深圳市宝安区松辉街道丰香社区兴寿一路19号德坊老村3巷5号",
            "广东省深圳市宝安区松辉街道丰香社区德坊老村3巷5号",
            "深圳市宝安区兴寿一路19号德坊老村3巷5号",
            "宝安区德坊3巷5号",
            "德坊老村三巷五号",
        ] {
            assert_eq!(score(text, &building()), 1.0, "{text}");
        }
    }
}
