//! The locator, from outside.

#[cfg(test)]
mod locator;
