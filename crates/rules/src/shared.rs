use std::sync::{Arc, OnceLock};

use vedette_core::{Policy, ValidationError};

use crate::ground::Ground;
use crate::{RuleSet, ruleset};

/// A policy and its compiled rules, once for all its cameras. Each camera has its own rules that depend on the ground, and
/// combinations of them.
#[derive(Debug)]
pub struct SharedPolicy {
    policy: Policy,
    depends_on_ground: bool,
    /// Compiled when first requested.
    rules: OnceLock<Result<Arc<RuleSet>, Vec<ValidationError>>>,
    /// Encoded when first requested: it is in the checkpoint of each camera.
    encoded: OnceLock<Arc<[u8]>>,
}

impl SharedPolicy {
    /// A policy that was not validated yet.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        let depends_on_ground = ruleset::depends_on_ground(&policy);
        Self { policy, depends_on_ground, rules: OnceLock::new(), encoded: OnceLock::new() }
    }

    /// The original policy.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The policy as bytes, which `encode` makes once.
    pub fn encoded(&self, encode: impl FnOnce(&Policy) -> Vec<u8>) -> &[u8] {
        self.encoded.get_or_init(|| encode(&self.policy).into())
    }

    /// The rules for a camera with this ground, which is requested only when a rule needs it.
    ///
    /// # Errors
    /// All validation errors of the policy, at each call.
    pub fn rules(
        &self,
        ground: impl FnOnce() -> Option<Arc<dyn Ground>>,
    ) -> Result<Arc<RuleSet>, Vec<ValidationError>> {
        if !self.depends_on_ground {
            return self.rules.get_or_init(|| RuleSet::compile(&self.policy, None).map(Arc::new)).clone();
        }
        let mut own = RuleSet::compile(&self.policy, ground())?;
        match self.rules.get() {
            Some(Ok(first)) => own.share(first),
            _ => drop(self.rules.set(Ok(Arc::new(own.clone())))),
        }
        Ok(Arc::new(own))
    }
}

impl PartialEq for SharedPolicy {
    fn eq(&self, other: &Self) -> bool {
        self.policy == other.policy
    }
}
