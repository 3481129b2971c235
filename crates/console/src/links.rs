use vedette_alerts::StoredAlert;
use vedette_alerts::json::AlertJson;

use crate::base_path::BasePath;

impl BasePath {
    /// An alert whose paths of the API are those that clients see.
    #[must_use]
    pub fn link(&self, mut alert: AlertJson) -> AlertJson {
        if *self == Self::ROOT {
            return alert;
        }
        let views = alert.views.iter_mut().flatten().map(|view| &mut view.snapshot);
        let clip = alert.evidence.clip.iter_mut().filter_map(|clip| clip.path.as_mut());
        for path in views.chain([&mut alert.evidence.snapshot]).chain(clip) {
            *path = self.join(path);
        }
        alert
    }

    /// The JSON form of a stored alert.
    pub(crate) fn json(&self, stored: &StoredAlert) -> AlertJson {
        self.link(AlertJson::from(stored))
    }
}
