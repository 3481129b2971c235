//! Whether a consumer is a member of its group.

use rdkafka::bindings::{
    rd_kafka_consumer_group_metadata, rd_kafka_consumer_group_metadata_destroy,
    rd_kafka_consumer_group_metadata_generation_id, rd_kafka_consumer_group_metadata_member_id,
};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};

/// Whether the consumer has joined the group and not left again, according to librdkafka's membership data: a member has
/// an id and a generation (an epoch with the protocol `consumer`).
#[expect(unsafe_code, reason = "rdkafka hands out the membership of a consumer, but none of its fields")]
pub(super) fn is_member<C: ConsumerContext>(consumer: &BaseConsumer<C>) -> bool {
    // SAFETY: the client lives as long as the consumer. The returned value is ours until destroyed below, its member id is a
    // C string that lives as long, and neither is used after that.
    unsafe {
        let metadata = rd_kafka_consumer_group_metadata(consumer.client().native_ptr());
        if metadata.is_null() {
            return false;
        }
        let id = rd_kafka_consumer_group_metadata_member_id(metadata);
        let has_id = !id.is_null() && *id != 0;
        let generation = rd_kafka_consumer_group_metadata_generation_id(metadata);
        rd_kafka_consumer_group_metadata_destroy(metadata);
        has_id && generation > 0
    }
}
