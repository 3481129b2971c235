//! The rule kinds and the engine that runs them, from outside.

#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod combinations;
#[cfg(test)]
mod conditions;
#[cfg(test)]
mod docs;
#[cfg(test)]
mod engine;
#[cfg(test)]
mod health;
#[cfg(test)]
mod near_misses;
#[cfg(test)]
mod shared;
#[cfg(test)]
mod support;
#[cfg(test)]
mod traffic;
