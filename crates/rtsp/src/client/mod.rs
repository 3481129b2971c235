mod connection;
mod session;
mod setup;
mod talk;
mod udp;

pub use session::Session;
pub use setup::connect;
