use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

use crate::BusError;

/// Whether the error is transient: caused by brokers or the network.
pub(super) fn is_passing(code: Code) -> bool {
    matches!(
        code,
        Code::AllBrokersDown
            | Code::BrokerTransportFailure
            | Code::BrokerNotAvailable
            | Code::CoordinatorLoadInProgress
            | Code::CoordinatorNotAvailable
            | Code::FencedLeaderEpoch
            | Code::LeaderNotAvailable
            | Code::MessageTimedOut
            | Code::NetworkException
            | Code::NotCoordinator
            | Code::NotEnoughReplicas
            | Code::NotEnoughReplicasAfterAppend
            | Code::NotLeaderForPartition
            | Code::OperationTimedOut
            | Code::PollExceeded
            | Code::RequestTimedOut
            | Code::Resolve
            | Code::TimedOutQueue
            | Code::UnknownLeaderEpoch
            | Code::WaitingForCoordinator
    )
}

/// Converts `error` to the bus's error type.
pub(super) fn bus_error(action: &'static str, topic: &str, brokers: &str, error: &KafkaError) -> BusError {
    match error.rdkafka_error_code() {
        Some(Code::UnknownTopicOrPartition | Code::UnknownTopic) => BusError::UnknownTopic(topic.to_owned()),
        Some(code) if is_passing(code) => unreachable_at(brokers, error.to_string()),
        Some(Code::TopicAuthorizationFailed | Code::GroupAuthorizationFailed | Code::ClusterAuthorizationFailed) => {
            refused(action, topic, format!("{error}; give this client's principal the right in the cluster"))
        }
        Some(Code::UnsupportedVersion | Code::UnsupportedFeature) => refused(
            action,
            topic,
            format!(
                "{error}; the brokers are too old for it or have it switched off (the group protocol `consumer` needs Kafka 4.0)"
            ),
        ),
        Some(Code::MessageSizeTooLarge) => refused(
            action,
            topic,
            format!("{error}; raise `max.message.bytes` of the topic and `message.max.bytes` of the brokers"),
        ),
        _ => refused(action, topic, error.to_string()),
    }
}

pub(super) fn unreachable_at(brokers: &str, cause: String) -> BusError {
    BusError::Unreachable { at: brokers.to_owned(), cause }
}

pub(super) fn refused(action: &'static str, topic: &str, cause: String) -> BusError {
    BusError::Refused { action, topic: topic.to_owned(), cause }
}
