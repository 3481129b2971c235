use std::net::SocketAddr;

/// Both ends of the connection that a request came on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival {
    pub(crate) peer: SocketAddr,
    pub(crate) local: SocketAddr,
}
