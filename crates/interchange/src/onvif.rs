//! ONVIF scene description (Analytics Service Specification, "Scene Description"): XML `tt:MetadataStream`.
//!
//! Boxes lie in a coordinate system from -1 to 1, x to the right and y upwards; a `Transformation` of the frame or of an appearance
//! (`value * Scale + Translate`, the inner one first) maps any other system to it.

mod xml;

use vedette_core::Timestamp;

use crate::ReadError;
use crate::frame::{self, ForeignBox, ForeignFrame, ForeignObject, MOST_FRAMES};
use xml::Element;

const FORMAT: &str = "ONVIF metadata";
const NAMESPACE: &str = "http://www.onvif.org/ver10/schema";

pub(crate) fn read(bytes: &[u8]) -> Result<Vec<ForeignFrame>, ReadError> {
    let text = std::str::from_utf8(bytes).map_err(|cause| ReadError::unparsable(FORMAT, cause))?;
    let root = xml::parse(text, NAMESPACE).map_err(|cause| ReadError::unparsable(FORMAT, cause))?;
    if root.name != "MetadataStream" {
        let cause = format!("its root is `{}`, not `MetadataStream` of {NAMESPACE}", root.name);
        return Err(ReadError::unparsable(FORMAT, cause));
    }
    let frames: Vec<&Element> = root.all("VideoAnalytics").flat_map(|analytics| analytics.all("Frame")).collect();
    if frames.len() > MOST_FRAMES {
        let rule = format!("{} frames in one message; at most {MOST_FRAMES} are taken", frames.len());
        return Err(ReadError::invalid("Frame", rule));
    }
    frames.into_iter().map(read_frame).collect()
}

fn read_frame(frame: &Element) -> Result<ForeignFrame, ReadError> {
    let Some(time) = frame.attribute("UtcTime") else {
        return Err(ReadError::invalid("Frame/@UtcTime", "it is missing"));
    };
    let to_default = Transformation::of(frame)?;
    let objects: Vec<&Element> = frame.all("Object").collect();
    frame::check_count("Frame/Object", objects.len())?;
    Ok(ForeignFrame {
        sensor: frame::name("Frame/@Source", frame.attribute("Source").unwrap_or_default())?,
        captured: utc(time)?,
        size: None,
        version: String::new(),
        objects: objects.into_iter().map(|object| read_object(object, to_default)).collect::<Result<_, _>>()?,
    })
}

/// The schema allows a time without offset; by its name it is UTC.
fn utc(text: &str) -> Result<Option<Timestamp>, ReadError> {
    let text = text.trim();
    let read = text.parse::<Timestamp>().or_else(|_| format!("{text}Z").parse::<Timestamp>());
    let time = read.map_err(|cause| ReadError::invalid("Frame/@UtcTime", format!("no time: {cause}")))?;
    Ok(frame::capture_time(time.as_micros()))
}

fn read_object(object: &Element, to_default: Transformation) -> Result<ForeignObject, ReadError> {
    let Some(appearance) = object.first("Appearance") else { return Ok(ForeignObject::default()) };
    let (class, confidence) = appearance.first("Class").map_or(Ok((None, None)), best_class)?;
    let inner = Transformation::of(appearance)?;
    let bbox = appearance.first("Shape").and_then(|shape| shape.first("BoundingBox"));
    let shape = bbox.map(|bbox| fractions(bbox, inner, to_default)).transpose()?;
    Ok(ForeignObject { class, confidence, shape })
}

/// The likeliest of `Type` elements and the older `ClassCandidate` ones; on a tie the first.
fn best_class(class: &Element) -> Result<(Option<String>, Option<f32>), ReadError> {
    let types = class.all("Type").map(|kind| (kind.text.as_str(), kind.attribute("Likelihood")));
    let candidates = class.all("ClassCandidate").filter_map(|candidate| {
        let likelihood = candidate.first("Likelihood").map(|likelihood| likelihood.text.as_str());
        Some((candidate.first("Type")?.text.as_str(), likelihood))
    });
    let mut best: (Option<&str>, Option<f32>) = (None, None);
    for (kind, likelihood) in types.chain(candidates) {
        let likelihood = likelihood.map(|text| number("Class/Likelihood", text)).transpose()?.map(|value| value as f32);
        if best.0.is_none() || likelihood > best.1 {
            best = (Some(kind.trim()), likelihood);
        }
    }
    Ok((frame::name("Class/Type", best.0.unwrap_or_default())?, best.1))
}

/// The box in fractions from the left-top corner. In the standard `top` is above `bottom`; a device whose `top` has the smaller
/// value counts downwards, as some do.
fn fractions(bbox: &Element, inner: Transformation, outer: Transformation) -> Result<ForeignBox, ReadError> {
    let edge = |name: &'static str| match bbox.attribute(name) {
        Some(text) => number("BoundingBox", text),
        None => Err(ReadError::invalid("BoundingBox", format!("its `{name}` is missing"))),
    };
    let x = |value| outer.x.apply(inner.x.apply(value));
    let y = |value| outer.y.apply(inner.y.apply(value));
    let (left, right) = (x(edge("left")?), x(edge("right")?));
    let (top, bottom) = (y(edge("top")?), y(edge("bottom")?));
    let (top, bottom) = if top >= bottom { (-top, -bottom) } else { (top, bottom) };
    let half = |value: f64| (value + 1.0) / 2.0;
    Ok(ForeignBox::Fractions { left: half(left), top: half(top), right: half(right), bottom: half(bottom) })
}

/// From a child's coordinates to its parent's.
#[derive(Debug, Clone, Copy, Default)]
struct Transformation {
    x: Axis,
    y: Axis,
}

#[derive(Debug, Clone, Copy)]
struct Axis {
    scale: f64,
    translate: f64,
}

impl Default for Axis {
    fn default() -> Self {
        Self { scale: 1.0, translate: 0.0 }
    }
}

impl Axis {
    fn apply(self, value: f64) -> f64 {
        value * self.scale + self.translate
    }
}

impl Transformation {
    fn of(parent: &Element) -> Result<Self, ReadError> {
        let mut found = Self::default();
        let Some(element) = parent.first("Transformation") else { return Ok(found) };
        let read = |vector: &str, axis: &str, otherwise: f64| {
            let text = element.first(vector).and_then(|vector| vector.attribute(axis));
            text.map_or(Ok(otherwise), |text| number("Transformation", text))
        };
        for (axis, name) in [(&mut found.x, "x"), (&mut found.y, "y")] {
            axis.scale = read("Scale", name, 1.0)?;
            axis.translate = read("Translate", name, 0.0)?;
        }
        Ok(found)
    }
}

fn number(field: &'static str, text: &str) -> Result<f64, ReadError> {
    match text.trim().parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(value),
        _ => Err(ReadError::invalid(
            field,
            format!("`{}` is not a valid number", text.chars().take(40).collect::<String>()),
        )),
    }
}
