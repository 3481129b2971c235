use std::time::Duration;

/// Why there is no connection, or no longer. No variant ever holds an address or credentials.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The address is no `rtsp://HOST...`.
    #[error("the address is unusable: {0}")]
    Address(&'static str),
    /// Nothing listens there, or the host is unreachable or unknown; the text of the operating system.
    #[error("the camera cannot be reached: {0}; check its address, power and network")]
    Unreachable(String),
    /// No answer in time.
    #[error("the camera gave no answer within {0:?}; check its power and network")]
    Timeout(Duration),
    /// User or password are wrong or missing.
    #[error("the camera refuses the credentials; check user and password")]
    Unauthorized,
    /// Each of the camera's authentication schemes is unsupported; their names.
    #[error("the camera asks for the authentication `{0}`; set it to Digest (SHA-256 or MD5) or Basic")]
    Authentication(String),
    /// The camera has no such stream.
    #[error("the camera has no stream of that name; check the path of its address")]
    NotFound,
    /// The camera answered with another status.
    #[error("the camera answers with RTSP status {0}")]
    Status(u16),
    /// The camera redirects to where nobody can follow.
    #[error("the camera redirects {0}")]
    Redirect(#[from] RedirectError),
    /// The camera refuses the transport that is set.
    #[error("the camera refuses {0}")]
    Transport(#[from] TransportError),
    /// The camera offers no video.
    #[error("the camera offers no video stream; check the path of its address")]
    NoVideo,
    /// The camera offers video in an unsupported encoding.
    #[error("the camera encodes video as `{0}`; set it to H.264, H.265 or JPEG")]
    UnsupportedCodec(String),
    /// What listens there speaks another protocol.
    #[error("what answers there speaks no RTSP; check the port of the address, which is usually 554")]
    NotRtsp,
    /// The camera sends more than is allowed.
    #[error(
        "the camera sends {what} of more than {most} bytes; check that the address is a camera's, and its firmware"
    )]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// Most bytes allowed.
        most: usize,
    },
    /// The camera violates the protocol.
    #[error("{0}; restart the camera, and check its firmware")]
    Protocol(&'static str),
    /// Too many packets in a row are useless.
    #[error(
        "{count} packets in a row are useless, the last one since {last}; restart the camera, and check its firmware"
    )]
    TooManyBadPackets {
        /// How many.
        count: u32,
        /// Why the last one is useless.
        last: &'static str,
    },
    /// JPEG larger than its RTP header can tell, without the size told in another way.
    #[error(
        "the camera sends JPEG wider or higher than 2040 pixels without its size; lower the resolution or set it to H.264"
    )]
    NoPictureSize,
    /// The camera ended the stream.
    #[error("the camera ended the stream")]
    Ended,
    /// The connection broke; the text of the operating system.
    #[error("the connection to the camera broke: {0}; check its power and network")]
    Broken(String),
}

/// Why a redirection is not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RedirectError {
    /// Too often.
    #[error("more than {0} times; give the address of the stream itself")]
    TooMany(u32),
    /// To another protocol.
    #[error("to an address that does not start with rtsp://; give an rtsp:// address of the stream")]
    Scheme,
    /// Nowhere.
    #[error("without a usable address; give the address of the stream itself")]
    NoLocation,
    /// To another host or port, which asks for credentials: they are for the configured one.
    #[error("to another host or port that asks for credentials; give the address of the stream itself")]
    Credentials,
}

/// Why no transport can be agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// TCP is refused.
    #[error("RTP over TCP; allow it (RTP over RTSP) in its network settings")]
    Tcp,
    /// UDP is refused.
    #[error("RTP over UDP; allow it in its network settings")]
    Udp,
    /// Both are refused.
    #[error("RTP over TCP and over UDP unicast; allow one of them in its network settings")]
    Both,
    /// The operating system refuses sockets for UDP.
    #[error(
        "RTP over TCP, and this machine has no free pair of UDP ports; allow RTP over TCP in the camera's network settings"
    )]
    NoPorts,
}
