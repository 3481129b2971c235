//! The tracker, from outside.

#[cfg(test)]
mod ground;
#[cfg(test)]
mod tracker;
