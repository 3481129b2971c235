/// A permission that a request needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Permission {
    /// See alerts, cameras and the map.
    SeeAlerts,
    /// Give verdicts.
    Judge,
    /// See pictures and clips.
    SeeEvidence,
    /// See policies, cameras and their versions.
    SeeSettings,
    /// See detections and near-misses, and try drafts of policies on them.
    Tune,
    /// Change policies.
    ChangePolicies,
    /// Change cameras.
    ChangeCameras,
    /// Administer accounts, sessions and tokens.
    Administer,
    /// Read the audit log.
    ReadAudit,
    /// See health, frame accounting and metrics of the whole site.
    Operate,
}

impl Permission {
    /// All permissions.
    pub const ALL: [Self; 10] = [
        Self::SeeAlerts,
        Self::Judge,
        Self::SeeEvidence,
        Self::SeeSettings,
        Self::Tune,
        Self::ChangePolicies,
        Self::ChangeCameras,
        Self::Administer,
        Self::ReadAudit,
        Self::Operate,
    ];

    /// The name in the API's description and in refusals.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SeeAlerts => "see_alerts",
            Self::Judge => "judge",
            Self::SeeEvidence => "see_evidence",
            Self::SeeSettings => "see_settings",
            Self::Tune => "tune",
            Self::ChangePolicies => "change_policies",
            Self::ChangeCameras => "change_cameras",
            Self::Administer => "administer",
            Self::ReadAudit => "read_audit",
            Self::Operate => "operate",
        }
    }

    /// Whether it is about the whole site, so that a role within areas does not have it.
    #[must_use]
    pub const fn is_for_whole_site(self) -> bool {
        matches!(self, Self::Administer | Self::ReadAudit | Self::Operate)
    }
}
