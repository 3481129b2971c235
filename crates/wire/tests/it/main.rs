//! Every message on the bus, from outside.

#[cfg(test)]
mod older_readers;
#[cfg(test)]
mod round_trip;
#[cfg(test)]
mod support;
