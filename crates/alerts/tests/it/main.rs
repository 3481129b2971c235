//! Alerts, their formats and their store, from outside.

#[cfg(test)]
mod formats;
#[cfg(test)]
mod store;
#[cfg(test)]
mod support;
