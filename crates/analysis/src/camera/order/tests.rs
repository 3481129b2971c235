use proptest::prelude::*;
use vedette_core::{AccountOnly, FrameAccount, ShedRange, SignalLoss, SignalLossReason, Timestamp};

use super::*;
use crate::camera::test_frame::frame;

/// A record at ten frames per second, with frame accounting.
fn with_account(epoch: u64, sequence: u64, account: Option<FrameAccount>) -> CameraRecord {
    let captured = Timestamp::from_micros((epoch * 1_000_000 + sequence * 100) as i64 * 1_000);
    let mut record = frame(epoch, sequence, captured);
    record.processed_mut().unwrap().account = account;
    record
}

/// One that accounts for its own frame only.
fn record(epoch: u64, sequence: u64) -> CameraRecord {
    with_account(epoch, sequence, Some(FrameAccount { previous: sequence.checked_sub(1), shed: Vec::new() }))
}

fn accounting(epoch: u64, sequence: u64, previous: Option<u64>, shed: &[(u64, u64, ShedReason)]) -> CameraRecord {
    let shed = shed.iter().map(|(first, count, reason)| ShedRange { first: *first, count: *count, reason: *reason });
    let account = FrameAccount { previous, shed: shed.collect() };
    if account.sheds_own(sequence) {
        let body = RecordBody::AccountOnly(AccountOnly { account, frame: None });
        return CameraRecord { body, ..record(epoch, sequence) };
    }
    with_account(epoch, sequence, Some(account))
}

fn unnumbered(sequence: u64) -> CameraRecord {
    with_account(1, sequence, None)
}

fn signal_loss(epoch: u64) -> CameraRecord {
    let at = Timestamp::from_micros(epoch as i64 * 1_000_000_000);
    let CameraRecord { camera, model, .. } = record(1, 0);
    CameraRecord::signal_loss(SignalLoss { camera, epoch, at, reason: SignalLossReason::NoData }, model)
}

fn shed_frames(record: &CameraRecord) -> u32 {
    record.processed().unwrap().quality.shed_frames
}

#[test]
fn a_signal_loss_is_told_in_its_place_and_counts_as_no_frame() {
    let mut order = Order::default();
    assert_eq!(give(&mut order, [record(1, 0), record(1, 1)]), [0, 1]);
    // A record is missing; the signal loss comes after it.
    assert_eq!(give(&mut order, [record(1, 3)]), Vec::<u64>::new());
    assert_eq!(give(&mut order, [record(1, 2), signal_loss(2)]), [2, 3, 0]);
    assert_eq!(order.admit(&signal_loss(2)).0, Admission::Repeated);
    // The next may be lost unnoticed.
    assert_eq!(give(&mut order, [signal_loss(5), record(6, 0)]), [0, 0]);
    assert_eq!(order.counts(), &FrameCounts { analysed: 5, ..FrameCounts::default() });
}

fn give(order: &mut Order, records: impl IntoIterator<Item = CameraRecord>) -> Vec<u64> {
    let mut given = Vec::new();
    for record in records {
        let (_, passed) = order.admit(&record);
        given.extend(passed.map(|record| record.at.sequence));
        given.extend(std::iter::from_fn(|| order.next()).map(|record| record.at.sequence));
    }
    given
}

#[test]
fn what_follows_on_is_passed_at_once_and_what_came_again_is_not() {
    let mut order = Order::default();
    assert_eq!(give(&mut order, (0..5).map(|n| record(1, n))), [0, 1, 2, 3, 4]);
    assert_eq!(order.admit(&record(1, 3)).0, Admission::Repeated);
    assert_eq!(give(&mut order, [record(1, 3), record(1, 5)]), [5]);
    assert_eq!(give(&mut order, [record(2, 0)]), [0]);
    assert_eq!(order.admit(&record(1, 5)).0, Admission::Repeated);
    assert_eq!(order.counts(), &FrameCounts { analysed: 7, ..FrameCounts::default() });
}

#[test]
fn a_record_within_the_window_is_sorted_in_and_one_beyond_is_counted() {
    let mut order = Order::default();
    assert_eq!(give(&mut order, [0, 2, 3, 1].map(|n| record(1, n))), [0, 1, 2, 3]);
    // 4 has not arrived after two seconds of later frames.
    assert_eq!(give(&mut order, (5..25).map(|n| record(1, n))), Vec::<u64>::new());
    assert_eq!(give(&mut order, [record(1, 25)]), (5..=25).collect::<Vec<_>>());
    assert_eq!(order.counts().shed_for(ShedReason::Missing), 1);
    assert_eq!(order.admit(&record(1, 4)).0, Admission::Late);
    assert_eq!(order.admit(&record(1, 4)).0, Admission::Repeated);
    assert_eq!(order.counts().shed_for(ShedReason::Missing), 0);
    assert_eq!(order.counts().shed_for(ShedReason::Late), 1);
    assert_eq!(order.counts().frames(), 26);
}

#[test]
fn an_account_tells_shed_frames_from_missing_ones() {
    let mut order = Order::default();
    give(&mut order, [record(1, 0)]);
    // Skipped by configuration: does not weaken the alert. Lost by overload: reported.
    let planned = accounting(1, 3, Some(0), &[(1, 2, ShedReason::MaxFps)]);
    assert_eq!(shed_frames(&order.admit(&planned).1.unwrap()), 0);
    let marker = accounting(1, 6, Some(3), &[(4, 3, ShedReason::Overload)]);
    assert!(order.admit(&marker).1.is_none());
    assert_eq!(shed_frames(&order.admit(&record(1, 7)).1.unwrap()), 3);
    assert_eq!(order.counts().analysed, 3);
    assert_eq!(order.counts().frames(), 8);
    // Accounting that omits a frame.
    give(&mut order, [accounting(1, 10, Some(7), &[(8, 1, ShedReason::MaxFps)])]);
    assert_eq!(order.counts().shed_for(ShedReason::Missing), 1);
    assert_eq!(order.counts().frames(), 11);
}

#[test]
fn a_camera_that_is_met_in_the_middle_waits_for_what_may_be_missing_and_counts_from_there() {
    let mut order = Order::default();
    assert_eq!(give(&mut order, [1, 2, 0, 3].map(|n| record(1, n))), [0, 1, 2, 3]);
    let mut order = Order::default();
    assert_eq!(give(&mut order, (50..70).map(|n| record(1, n))), Vec::<u64>::new());
    assert_eq!(give(&mut order, [record(1, 70)]), (50..=70).collect::<Vec<_>>());
    assert_eq!(order.counts().frames(), 21);
}

#[test]
fn a_new_epoch_ends_the_waiting_and_its_own_lost_start_is_counted() {
    let mut order = Order::default();
    give(&mut order, [record(1, 0)]);
    assert_eq!(give(&mut order, [record(1, 2), record(2, 0)]), [2, 0]);
    assert_eq!(order.counts().shed_for(ShedReason::Missing), 1);
    give(&mut order, [record(3, 4)]);
    assert_eq!(std::iter::from_fn(|| order.next_of_rest()).count(), 1);
    assert_eq!(order.counts().shed_for(ShedReason::Missing), 5);
    assert_eq!(order.admit(&record(2, 1)).0, Admission::Late);
}

#[test]
fn frames_that_nobody_numbers_in_full_are_sorted_but_their_gaps_are_none() {
    let mut order = Order::default();
    assert_eq!(give(&mut order, [3, 4].map(unnumbered)), [3, 4]);
    assert_eq!(give(&mut order, [8, 6].map(unnumbered)), Vec::<u64>::new());
    assert_eq!(give(&mut order, [unnumbered(11)]), [6]);
    assert_eq!(give(&mut order, [unnumbered(13)]), [8]);
    assert_eq!(order.counts().shed_for(ShedReason::Missing), 0);
    assert_eq!(order.admit(&unnumbered(5)).0, Admission::Late);
    assert_eq!(order.counts().shed_for(ShedReason::Late), 1);
}

#[test]
fn a_gap_is_seen_before_it_is_passed() {
    let mut order = Order::default();
    assert!(order.is_gap_before(&record(1, 7)) && !order.is_gap_before(&record(1, 0)));
    give(&mut order, [record(1, 0), record(1, 1)]);
    for (frame, gap) in [(record(1, 1), false), (record(1, 2), false), (record(1, 3), true), (record(2, 0), true)] {
        assert_eq!(order.is_gap_before(&frame), gap, "{:?}", frame.at);
    }
}

proptest! {
    /// Records of one session in nearly any order, some twice, some never: each frame passes at most once and in order,
    /// and every frame up to the last is counted once. A checkpoint at any point changes nothing.
    #[test]
    fn every_frame_is_counted_once(
        order_of in proptest::collection::vec((0_u64..40, 0_u64..6), 1..80), cut in 0_usize..80,
    ) {
        let mut sent: Vec<(u64, u64)> = order_of.iter().map(|(at, late)| (at + late, *at)).collect();
        sent.sort_unstable();
        let frames: Vec<CameraRecord> = std::iter::once(0).chain(sent.iter().map(|(_, n)| *n)).map(|n| record(1, n)).collect();
        let mut order = Order::default();
        let mut given = Vec::new();
        for (index, frame) in frames.iter().enumerate() {
            if index == cut {
                let bytes = postcard::to_stdvec(&order.save()).unwrap();
                let restored = Order::restore(postcard::from_bytes(&bytes).unwrap()).unwrap();
                prop_assert_eq!(&restored, &order);
                order = restored;
            }
            given.extend(give(&mut order, [frame.clone()]));
        }
        given.extend(std::iter::from_fn(|| order.next_of_rest()).map(|record| record.at.sequence));
        prop_assert!(given.windows(2).all(|pair| pair[0] < pair[1]), "{:?}", given);
        let newest = frames.iter().map(|frame| frame.at.sequence).max().unwrap();
        prop_assert_eq!(order.counts().frames(), newest + 1);
        prop_assert_eq!(order.counts().analysed, given.len() as u64);
        let distinct: std::collections::BTreeSet<u64> = frames.iter().map(|frame| frame.at.sequence).collect();
        let late = order.counts().shed_for(ShedReason::Late);
        prop_assert_eq!(given.len() as u64 + late, distinct.len() as u64);
    }
}

/// The records of one session by the fate of each frame: processed where there is no reason, else shed and accounted for by
/// the record of the next processed frame, or at once by a pure accounting record.
fn stream(fates: &[(Option<ShedReason>, bool)]) -> Vec<CameraRecord> {
    let (mut records, mut shed, mut previous) = (Vec::new(), Vec::new(), None);
    for (number, (fate, at_once)) in (0..).zip(fates) {
        shed.extend(fate.map(|reason| (number, 1, reason)));
        if fate.is_none() || *at_once || number + 1 == fates.len() as u64 {
            records.push(accounting(1, number, previous, &std::mem::take(&mut shed)));
            previous = Some(number);
        }
    }
    records
}

proptest! {
    /// Records that account for shed frames, out of order within the allowed lateness, some twice: each frame counts under its
    /// fate. Where records are lost, each frame up to the last still counts once.
    #[test]
    fn every_frame_counts_as_what_became_of_it(
        fates in proptest::collection::vec((0_usize..4, any::<bool>()), 1..60),
        late in proptest::collection::vec(0_usize..6, 60), lost in proptest::collection::vec(any::<bool>(), 60),
    ) {
        const REASONS: [Option<ShedReason>; 4] = [None, None, Some(ShedReason::MaxFps), Some(ShedReason::Overload)];
        let fates: Vec<_> = fates.into_iter().map(|(fate, at_once)| (REASONS[fate], at_once)).collect();
        let records = stream(&fates);
        let mut expected = FrameCounts::default();
        for (fate, _) in &fates {
            match fate {
                None => expected.analysed += 1,
                Some(reason) => expected.add_shed(*reason, 1),
            }
        }
        let mut sent: Vec<(usize, usize)> = (1..records.len()).map(|index| (index + late[index], index)).collect();
        sent.sort_unstable();
        let counted = |sent: &[usize]| {
            let mut order = Order::default();
            give(&mut order, std::iter::once(0).chain(sent.iter().copied()).map(|index| records[index].clone()));
            while order.next_of_rest().is_some() {}
            order.counts().clone()
        };
        let all: Vec<usize> = sent.iter().flat_map(|(due, index)| vec![*index; 1 + due % 2]).collect();
        prop_assert_eq!(counted(&all), expected);
        let some: Vec<usize> = all.into_iter().filter(|index| !lost[*index]).collect();
        let newest = some.iter().copied().max().map_or(0, |index| records[index].at.sequence);
        let newest = newest.max(records[0].at.sequence);
        prop_assert_eq!(counted(&some).frames(), newest + 1);
    }
}
