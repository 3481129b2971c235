//! Alerts and their formats, from outside.

#[cfg(test)]
mod formats;
#[cfg(test)]
mod scene;
