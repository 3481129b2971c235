//! The analysis on recorded and scripted detections, from outside.

#[cfg(test)]
mod addresses;
#[cfg(test)]
mod changes;
#[cfg(test)]
mod examples;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod idle;
#[cfg(test)]
mod support;
