//! The hash chain of the audit log, from outside.

#[cfg(test)]
mod chain;
