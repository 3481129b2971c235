//! A stored draft, where a request names it: its own text is tried, checked or applied.

use vedette_alert_store::{DraftForm, DraftKey, StoredDraft};
use vedette_core::{PolicyScope, Timestamp};

use super::draft_text::DraftText;
use super::proposals::{PolicyBody, scope_text, within_tag};
use super::within::require_scope;
use super::{Shared, with_store};
use crate::api_rule::ApiRule;
use crate::guard::Allowed;
use crate::problem::{Problem, ProblemKind};

/// The word for whichever version of the caller's draft is stored.
const MINE: &str = "mine";
/// In force from no time: the version of a policy that there is not.
const NO_VERSION: Timestamp = Timestamp::from_micros(i64::MIN);

/// A draft that a request names.
pub(super) struct UsedDraft {
    key: DraftKey,
    scope: PolicyScope,
    pub(super) stored: StoredDraft,
}

impl UsedDraft {
    /// The caller's draft of a scope: `mine`, or the one of an `ETag`.
    pub(super) async fn find(
        app: &Shared,
        allowed: &Allowed,
        scope: &PolicyScope,
        named: &str,
    ) -> Result<Self, Problem> {
        let scope = require_scope(app, allowed, scope.clone())?;
        let seen = if named == MINE { None } else { Some(number_of("draft", named)?) };
        let key = key(allowed, &scope);
        let stored = stored(app, &key).await?;
        match (stored, seen) {
            (Some(stored), None) => Ok(Self { key, scope, stored }),
            (Some(stored), Some(seen)) if stored.number == seen => Ok(Self { key, scope, stored }),
            (None, None) => Err(no_draft(&scope)),
            (other, Some(_)) => Err(came_first(&scope, other.as_ref(), "")),
        }
    }

    /// The rules in it.
    pub(super) fn read(&self) -> Result<PolicyBody, Problem> {
        let DraftText { body, mistakes, .. } = self.text();
        match body.filter(|_| mistakes.is_empty()) {
            Some(body) => Ok(body),
            None => {
                let rule = ApiRule::DraftUnreadable { count: mistakes.len() as f64 };
                Err(Problem::new(ProblemKind::REFUSED, rule).with_refusals(mistakes, 0))
            }
        }
    }

    /// Its text.
    pub(super) fn text(&self) -> DraftText {
        DraftText::read(self.stored.form, &self.stored.content, &self.scope)
    }

    /// The version of the policy that it changes, which no other may follow.
    pub(super) fn based_on(&self) -> Timestamp {
        self.stored.based_on.unwrap_or(NO_VERSION)
    }

    /// It is in force from then on. On all cameras, it is no draft any more.
    pub(super) async fn applied(self, app: &Shared, from: Timestamp, is_whole: bool) {
        let Self { key, stored, .. } = self;
        let done = with_store(app, move |store| match is_whole {
            true => store.remove_draft(&key, stored.number).map(drop),
            false => store.rebase_draft(&key, stored.number, from),
        });
        if let Err(problem) = done.await {
            // The change is in force all the same.
            tracing::warn!(detail = problem.detail(), "the draft of a change was not removed");
        }
    }
}

/// Whose draft of which scope a request is about.
pub(super) fn key(allowed: &Allowed, scope: &PolicyScope) -> DraftKey {
    DraftKey { owner: allowed.caller.who.to_string(), scope: scope_text(scope) }
}

/// The draft that is stored.
pub(super) async fn stored(app: &Shared, key: &DraftKey) -> Result<Option<StoredDraft>, Problem> {
    let (key, now) = (key.clone(), (app.parts.clock)());
    with_store(app, move |store| store.draft(&key, now)).await
}

/// The `ETag` of a draft. Its letter keeps it from those of versions.
pub(super) fn draft_tag(number: u64) -> String {
    format!("\"d{number}\"")
}

/// The number in such a tag, of the parameter `name`; also without quotes, as it may stand in a body.
pub(super) fn number_of(name: &str, text: &str) -> Result<u64, Problem> {
    let digits = within_tag(text).unwrap_or(text).strip_prefix('d');
    let number =
        digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit())).and_then(|it| it.parse().ok());
    number.ok_or_else(|| Problem::parameter(name, text, ApiRule::DraftTag))
}

pub(super) fn no_draft(scope: &PolicyScope) -> Problem {
    Problem::new(ProblemKind::NOT_FOUND, ApiRule::NoDraft { scope: scope_text(scope) })
}

/// Another write came first: that of the draft that is stored, or its removal. `differs` says in what.
pub(super) fn came_first(scope: &PolicyScope, other: Option<&StoredDraft>, differs: &str) -> Problem {
    let scope = scope_text(scope);
    let rule = match other {
        None => ApiRule::DraftGone { scope },
        Some(StoredDraft { number, changed, changed_by, .. }) => ApiRule::DraftChanged {
            scope,
            by: changed_by.clone(),
            at: *changed,
            tag: draft_tag(*number),
            differs: differs.to_owned(),
        },
    };
    Problem::new(ProblemKind::PRECONDITION, rule)
}

/// A text of a body: as in the API, or as in a policy file. None where the body has neither or both.
pub(super) fn text_of(policy: Option<serde_json::Value>, toml: Option<String>) -> Option<(DraftForm, String)> {
    match (policy, toml) {
        (Some(policy), None) => Some((DraftForm::Json, policy.to_string())),
        (None, Some(toml)) => Some((DraftForm::Toml, toml)),
        _ => None,
    }
}
