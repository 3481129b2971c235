//! How often the search by text ranks the right entity first, and its latency, on a city's tables.
//!
//! `cargo run --release -p vedette-address --features disturb --example evaluate -- CITY_FOLDER [TEXTS] [MISSES_SHOWN]`
//!
//! Texts are clean (every form, with and without a unit), disturbed (one to three disturbances each, of eleven kinds), with a
//! number that does not exist, or of other cities. Same city, same texts. One thread.

mod city;
#[path = "../../../../benches/figures.rs"]
mod figures;
mod texts;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use city::City;
use texts::{Form, Written};
use vedette_address::text::disturb::{Dice, disturb};
use vedette_address::text::{Entities, Hit, IndexBuilder, OwnedBytes, TextIndex};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().ok_or("say which folder holds the city's tables")?);
    let count = arguments.next().map_or(Ok(20_000), |text| text.parse())?;
    let shown = arguments.next().map_or(Ok(0), |text| text.parse())?;
    let start = Instant::now();
    let city = City::read(&folder)?;
    println!(
        "{} buildings, {} units, {} entities, read in {:.1?}",
        city.buildings,
        city.unit_count(),
        city.entities.len(),
        start.elapsed()
    );

    let start = Instant::now();
    let mut builder = IndexBuilder::new(64_000_000)?;
    for id in 0..city.entities.len() as u32 {
        builder.add(id, &city.entity(id).ok_or("an entity is gone")?)?;
    }
    let blob = builder.finish()?;
    println!("index: {:.1} MB, built in {:.1?}", blob.len() as f64 / 1e6, start.elapsed());
    let start = Instant::now();
    let index = TextIndex::open(OwnedBytes::new(blob))?;
    println!("opened in {:.1?}", start.elapsed());

    let mut bench = Bench { city: &city, index: &index, shown };
    let (written, passed_over) = texts::write(&city, count, &mut Dice::new(1));
    println!("{} texts; {passed_over} passed over: no text of the form is theirs alone", written.len());
    bench.clean(&written);
    bench.disturbed(&written);
    bench.areas_and_roads(&mut Dice::new(4));
    bench.other_numbers(&written);
    bench.other_cities(count / 4);
    Ok(())
}

struct Bench<'a> {
    city: &'a City,
    index: &'a TextIndex,
    shown: usize,
}

/// Number of texts, of correct first hits, of correct hits among ten.
#[derive(Default, Clone, Copy)]
struct Tally {
    asked: u32,
    first: u32,
    in_ten: u32,
}

impl Tally {
    fn first_percent(&self) -> f64 {
        f64::from(self.first) * 100.0 / f64::from(self.asked.max(1))
    }

    fn line(&self, what: &str) {
        let share = |part: u32| f64::from(part) * 100.0 / f64::from(self.asked.max(1));
        println!(
            "  {what}: right one first {:.2} %, among ten {:.2} % of {}",
            share(self.first),
            share(self.in_ten),
            self.asked
        );
    }
}

impl Bench<'_> {
    fn ask(
        &mut self,
        what: &str,
        text: &str,
        written: &Written,
        tallies: &mut [&mut Tally],
        took: &mut Vec<Duration>,
    ) -> f32 {
        let start = on_the_processor();
        let hits = self.index.search(text, 10, self.city);
        took.push(on_the_processor() - start);
        let right = |hit: &Hit| hit.id == written.building && hit.unit == written.unit;
        let first = hits.first().is_some_and(right);
        for tally in tallies {
            tally.asked += 1;
            tally.first += u32::from(first);
            tally.in_ten += u32::from(hits.iter().any(right));
        }
        if !first && self.shown > 0 {
            self.shown -= 1;
            println!("  missed ({what}): {text}  for {} {:?}", written.text, (written.building, written.unit));
            for hit in hits.iter().take(2) {
                let name = self.city.entity(hit.id).map(|entity| {
                    format!(
                        "{}{}{}{}{}{}{} {:?}",
                        entity.district,
                        entity.street,
                        entity.community,
                        entity.road,
                        entity.road_num,
                        entity.village,
                        entity.building,
                        entity.others
                    )
                });
                println!("    {:?} {}", hit, name.unwrap_or_default());
            }
        }
        hits.iter().find(|hit| right(hit)).map_or(0.0, |hit| hit.score)
    }

    fn clean(&mut self, written: &[Written]) {
        let (mut all, mut forms, mut took) = (Tally::default(), BTreeMap::new(), Vec::new());
        let mut scores: Vec<f32> = Vec::new();
        for text in written {
            let form: &mut Tally = forms.entry((text.form, text.unit.is_some())).or_default();
            let mut tallies = [&mut all, form];
            scores.push(self.ask("clean", &text.text, text, &mut tallies, &mut took));
        }
        println!("clean texts");
        figures::at_least("text, clean, right one first", all.first_percent(), 99.0, "%");
        all.line("all");
        for form in Form::ALL {
            for unit in [false, true] {
                forms
                    .get(&(form, unit))
                    .copied()
                    .unwrap_or_default()
                    .line(&format!("{form:?}, {}", if unit { "unit" } else { "building" }));
            }
        }
        quantiles(&mut scores);
        let p99 = times(&mut took);
        figures::at_most("text, clean, p99, 10 candidates, processor time", p99, 2.0, "ms");
    }

    fn disturbed(&mut self, written: &[Written]) {
        let mut dice = Dice::new(2);
        let (mut all, mut took) = (Tally::default(), Vec::new());
        let mut kinds: BTreeMap<&str, Tally> = BTreeMap::new();
        let mut counts = [Tally::default(); 4];
        let mut scores: Vec<f32> = Vec::new();
        for text in written {
            let mut times = 1 + dice.below(3);
            let mut names = Vec::new();
            let mut line = text.text.clone();
            if let Some(shorter) = text.level_missing.as_ref().filter(|_| dice.below(3) == 0) {
                line.clone_from(shorter);
                names.push("level missing");
                times -= 1;
            }
            let (line, done) = disturb(&line, times, &mut dice);
            names.extend(done.iter().map(|kind| kind.as_str()));
            let mut one = Tally::default();
            scores.push(self.ask(
                &names.join(" + "),
                &line,
                text,
                &mut [&mut one, &mut all, &mut counts[names.len()]],
                &mut took,
            ));
            for name in names {
                let tally = kinds.entry(name).or_default();
                tally.asked += one.asked;
                tally.first += one.first;
                tally.in_ten += one.in_ten;
            }
        }
        println!("disturbed texts");
        figures::at_least("text, 1 to 3 disturbances of 11 kinds, right one first", all.first_percent(), 95.0, "%");
        all.line("all");
        (1..4).for_each(|count| counts[count].line(&format!("{count} disturbances")));
        kinds.iter().for_each(|(name, tally)| tally.line(name));
        quantiles(&mut scores);
        let p99 = times(&mut took);
        figures::at_most("text, disturbed, p99, 10 candidates, processor time", p99, 2.0, "ms");
    }

    /// Every area and road by its levels, and with one disturbance; a road in several districts with its first one.
    fn areas_and_roads(&mut self, dice: &mut Dice) {
        let (mut clean, mut disturbed, mut took) = (Tally::default(), Tally::default(), Vec::new());
        for id in self.city.buildings..self.city.entities.len() {
            let names = &self.city.entities[id];
            let text: String = match names.others.first() {
                Some((name, _)) => self.city.text(*name).to_owned(),
                None => (0..9).map(|level| self.city.level(id, level)).collect(),
            };
            for (text, tally) in [(disturb(&text, 1, dice).0, &mut disturbed), (text, &mut clean)] {
                let start = on_the_processor();
                let hits = self.index.search(&text, 10, self.city);
                took.push(on_the_processor() - start);
                tally.asked += 1;
                tally.first += u32::from(hits.first().is_some_and(|hit| hit.id == id as u32));
                tally.in_ten += u32::from(hits.iter().any(|hit| hit.id == id as u32));
            }
        }
        println!("areas and roads");
        clean.line("clean");
        disturbed.line("one disturbance");
        times(&mut took);
    }

    /// A number that no building has must not come back as a good match.
    fn other_numbers(&mut self, written: &[Written]) {
        let (mut took, mut tops) = (Vec::new(), Vec::new());
        for text in written.iter().filter(|text| text.unit.is_none() && text.form != Form::Other) {
            // A wrong door plate before `A栋` is an error that still identifies the building; a wrong building number does not.
            let line = text.text.trim_end_matches(|last: char| !last.is_ascii_digit());
            let in_building = self.city.level(text.building as usize, 8).ends_with(&text.text[line.len()..]);
            if line.is_empty()
                || !in_building
                || !self.city.level(text.building as usize, 8).contains(|one: char| one.is_ascii_digit())
            {
                continue;
            }
            let line = format!("{line}7777{}", &text.text[line.len()..]);
            let start = on_the_processor();
            let hits = self.index.search(&line, 1, self.city);
            took.push(on_the_processor() - start);
            tops.push(hits.first().map_or(0.0, |hit| hit.score));
        }
        println!("texts with a number that nobody has: {} asked; scores of what came first", tops.len());
        quantiles(&mut tops);
        times(&mut took);
    }

    fn other_cities(&mut self, count: usize) {
        let mut dice = Dice::new(3);
        let (mut took, mut tops) = (Vec::new(), Vec::new());
        let mut shown = 5;
        for _ in 0..count {
            let line = foreign(&mut dice);
            let start = on_the_processor();
            let hits = self.index.search(&line, 1, self.city);
            took.push(on_the_processor() - start);
            if let (Some(hit), true) = (hits.first(), shown > 0) {
                shown -= 1;
                println!("  not of this city: {line} {hit:?}");
            }
            tops.push(hits.first().map_or(0.0, |hit| hit.score));
        }
        let none = tops.iter().filter(|score| **score == 0.0).count();
        println!(
            "texts of other cities and of no place: no match for {:.2} % of {count}",
            none as f64 * 100.0 / count.max(1) as f64
        );
        quantiles(&mut tops);
        times(&mut took);
    }
}

/// An address elsewhere, or letters that form no address.
fn foreign(dice: &mut Dice) -> String {
    const CITIES: [&str; 8] =
        ["北京市", "上海市", "浙江省杭州市", "四川省成都市", "湖北省武汉市", "广州市", "陕西省西安市", "天津市"];
    const LETTERS: &str = "海淀浦黄朝阳静安徐汇长宁闵宝山普陀闸虹杨浦滨江拱墅西湖余杭锦青羊武侯汉口昌洪越秀荔天河雁塔碑林莲未央和平河东南开北辰";
    let letters: Vec<char> = LETTERS.chars().collect();
    let mut name = |count: usize| -> String { (0..count).map(|_| letters[dice.below(letters.len())]).collect() };
    let (district, road, estate, noise) = (name(2), name(2), name(3), name(9));
    let (city, kind) = (CITIES[dice.below(8)], dice.below(5));
    let (plate, block) = (dice.below(300) + 1, dice.below(20) + 1);
    match kind {
        0 => format!("{city}{district}区{road}路{plate}号"),
        1 => format!("{city}{district}区{road}街{plate}号{estate}小区{block}栋{}室", 101 + dice.below(1500)),
        2 => format!("{city}{district}区{estate}花园{block}栋"),
        3 => noise,
        _ => format!("{city}{district}区{road}街道{estate}社区{block}号"),
    }
}

/// Processor time of this thread: waiting on a shared machine does not count.
fn on_the_processor() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn quantiles(scores: &mut [f32]) {
    scores.sort_by(f32::total_cmp);
    let at = |share: f64| scores.get((scores.len() as f64 * share) as usize).copied().unwrap_or(0.0);
    println!(
        "  scores: 0.1 % {:.2}, 1 % {:.2}, 5 % {:.2}, 50 % {:.2}, 95 % {:.2}, 99 % {:.2}",
        at(0.001),
        at(0.01),
        at(0.05),
        at(0.5),
        at(0.95),
        at(0.99)
    );
}

/// Prints the latency of the texts: p99 in milliseconds.
fn times(took: &mut [Duration]) -> f64 {
    took.sort_unstable();
    let at = |share: f64| took.get((took.len() as f64 * share) as usize).copied().unwrap_or_default();
    let per_second = took.len() as f64 / took.iter().sum::<Duration>().as_secs_f64().max(1e-9);
    println!(
        "  time: p50 {:.2?}, p99 {:.2?}, p99.9 {:.2?}, most {:.2?}; {per_second:.0} texts a second",
        at(0.5),
        at(0.99),
        at(0.999),
        took.last().copied().unwrap_or_default()
    );
    at(0.99).as_secs_f64() * 1e3
}
