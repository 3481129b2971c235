//! The adapters of the bus, each held to the same contract.

#[cfg(test)]
#[macro_use]
mod suite;

#[cfg(test)]
mod broker;
#[cfg(test)]
mod embedded;
#[cfg(test)]
mod kafka;
#[cfg(test)]
mod relay;
#[cfg(test)]
#[cfg(feature = "simulated")]
mod simulated;
