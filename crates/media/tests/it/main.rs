//! Streams of real encoders and servers, from outside.

#[cfg(test)]
mod cameras;
#[cfg(test)]
mod clip;
#[cfg(test)]
mod clock;
#[cfg(test)]
mod common;
#[cfg(test)]
mod decode;
#[cfg(test)]
mod files;
#[cfg(test)]
mod order;
#[cfg(test)]
mod rtsp;
#[cfg(test)]
mod shape;
#[cfg(test)]
mod snapshot;
#[cfg(test)]
mod stamp;
#[cfg(test)]
mod truth;
#[cfg(test)]
mod webm;
