//! The real runtime on real models, and the converter of one.

#[cfg(test)]
mod converter;
#[cfg(test)]
mod model;
#[cfg(test)]
mod service;
#[cfg(test)]
mod support;
