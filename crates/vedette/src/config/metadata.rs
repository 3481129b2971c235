//! `[[metadata]]`: validation errors of the entries, between entries, and against the cameras.

use std::collections::BTreeSet;

use vedette_core::ValidationError;
use vedette_stages::MetadataSettings;

use super::location::related;
use super::{ConfigRule, Known, Mistake};

/// Validates all entries against each other and against the cameras. `unread` are the paths that failed to parse: errors about
/// them are consequential.
pub(super) fn check(
    file: &str,
    entries: &[MetadataSettings],
    prefix: &str,
    cameras: &Known,
    unread: &[String],
    mistakes: &mut Vec<Mistake>,
) {
    let (mut seen, mut mapped) = (BTreeSet::new(), BTreeSet::new());
    for (index, entry) in entries.iter().enumerate() {
        let at = format!("metadata[{index}] ({})", entry.topic);
        let is_unread = |field: &str| unread.iter().any(|path| related(path, &format!("{at}.{field}")));
        let mut found = entry.mistakes(prefix);
        let is_wrong = found.iter().any(|mistake| mistake.path == "topic");
        if !is_wrong && !seen.insert(&*entry.topic) {
            found.insert(0, ValidationError::new("topic", &entry.topic, ConfigRule::SameTopic));
        }
        for (sensor, camera) in &entry.cameras {
            let wrong = if !cameras.may_have(camera) {
                ConfigRule::UnknownCamera
            } else if cameras.with_source(camera) {
                ConfigRule::AnalysedTwice
            } else if !mapped.insert(camera.clone()) {
                ConfigRule::SameCamera
            } else {
                continue;
            };
            found.push(ValidationError::new(format!("cameras.{sensor}"), camera, wrong));
        }
        for mistake in found {
            let field = &*mistake.path;
            if is_unread(field) || (is_unread("format") && matches!(field, "frame" | "time")) {
                continue;
            }
            mistakes.push(Mistake::in_section(file, &at, mistake));
        }
    }
}

#[cfg(test)]
mod tests {
    fn mistakes(text: &str) -> String {
        let text = "[site]\n".to_owned() + text;
        let folder = tempfile::tempdir().unwrap();
        let camera = |id: &str, source: &str| {
            format!(
                "[[camera]]\nid = \"{id}\"\nname = \"n\"\npurpose = \"p\"\n{source}\n\
                     position = {{ latitude = 22.5, longitude = 113.9, error_m = 1.0 }}\n"
            )
        };
        let own = "source = { kind = \"rtsp\", url = \"rtsp://10.0.0.1/live\" }";
        std::fs::write(folder.path().join("cameras.toml"), camera("gate", "") + &camera("own", own)).unwrap();
        std::fs::write(folder.path().join("policies.toml"), "").unwrap();
        let file = folder.path().join("vedette.toml");
        std::fs::write(&file, text).unwrap();
        super::super::Config::load(&file).err().map(|mistakes| mistakes.to_string()).unwrap_or_default()
    }

    #[test]
    fn a_good_entry_is_taken() {
        let said = mistakes(
            "[[metadata]]\ntopic = \"mdx-raw\"\nformat = \"nvschema\"\ncameras = { \"Sensor 1\" = \"gate\" }\n\
             frame = { width = 1920, height = 1080 }\nframes = { gate = { width = 640, height = 360 } }\n\
             classes = { forklift = \"truck\" }\nmissing_confidence = 0.25\nsince = \"2026-01-01T00:00:00Z\"\n\
             [[metadata]]\ntopic = \"dls\"\nformat = \"dlstreamer\"\ntime = \"record\"\n",
        );
        assert_eq!(said, "");
    }

    #[test]
    fn no_topic_of_the_product_is_foreign() {
        let specs = vedette_topics::topics::specs(&vedette_topics::BusSettings::default());
        assert!(specs.len() >= 9);
        for topic in specs {
            let said = mistakes(&format!("[[metadata]]\ntopic = \"{}\"\nformat = \"dlstreamer\"\n", topic.name));
            assert!(said.contains("a topic of the product itself"), "{}: {said}", topic.name);
            let full = format!("[[metadata]]\ntopic = \"vedette.{}\"\nformat = \"dlstreamer\"\n", topic.name);
            assert!(mistakes(&full).contains("a topic of the product itself"), "vedette.{}", topic.name);
        }
    }

    #[test]
    fn every_mistake_is_said_at_once() {
        let said = mistakes(
            "[[metadata]]\ntopic = \"alerts\"\nformat = \"onvif\"\ntime = \"record\"\n\
             cameras = { a = \"nobody\", b = \"own\", c = \"gate\", d = \"gate\" }\n\
             [[metadata]]\ntopic = \"a b\"\nformat = \"dlstreamer\"\nframe = { width = 0, height = 5 }\n\
             [[metadata]]\ntopic = \"x\"\nformat = \"dlstreamer\"\n[[metadata]]\ntopic = \"x\"\nformat = \"dlstreamer\"\n",
        );
        for expected in [
            "metadata[0] (alerts).topic = alerts",
            "metadata[0] (alerts).frame",
            "metadata[0] (alerts).time",
            "metadata[0] (alerts).cameras.a = nobody",
            "metadata[0] (alerts).cameras.b = own",
            "metadata[0] (alerts).cameras.d = gate",
            "metadata[1] (a b).topic = a b",
            "metadata[1] (a b).frame = 0x5",
            "metadata[3] (x).topic = x",
        ] {
            assert!(said.contains(expected), "{expected} is not in\n{said}");
        }
        assert!(said.starts_with("9 errors"), "{said}");
        let unreadable = mistakes("[[metadata]]\ntopic = \"x\"\nformat = \"xml\"\nsince = \"yesterday\"\n");
        assert!(unreadable.contains("nvschema") && unreadable.contains("metadata[0] (x).format"), "{unreadable}");
    }
}
