//! What a camera takes while nothing happens: most cameras of a city show nobody most of the time.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;

use vedette_analysis::{CameraAnalysis, Serving, Setups};
use vedette_core::{
    CameraId, CameraRecord, Detection, FrameAccount, FrameAt, FrameSize, ModelRef, ObjectClass, PixelBox,
    ProcessedFrame, RecordBody, Score, Timestamp, VideoRef,
};
use vedette_rules::SharedPolicy;

use crate::support::{cameras, policies, root};

/// Counts what this thread has allocated and not freed, in the steps of 16 bytes of allocators.
struct Counting;

thread_local! {
    static HELD: Cell<usize> = const { Cell::new(0) };
}

fn charge(layout: Layout) -> usize {
    layout.size().next_multiple_of(16)
}

#[expect(unsafe_code, reason = "an allocator is unsafe; this one passes on to the system's")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.set(HELD.get().wrapping_add(charge(layout)));
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        HELD.set(HELD.get().wrapping_sub(charge(layout)).wrapping_add(size.next_multiple_of(16)));
        unsafe { System.realloc(memory, layout, size) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        HELD.set(HELD.get().wrapping_sub(charge(layout)));
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Seconds for which the camera sees people before it is idle, and for which it is idle.
const SEEN: u64 = 5;
const REST: u64 = 45;

/// Three walking people, or nobody.
fn frame(camera: &CameraId, tick: u64) -> CameraRecord {
    let person = |number: u64| Detection {
        class: ObjectClass::Person,
        score: Score::new(0.8).unwrap(),
        bbox: PixelBox::new(100.0 + (number * 180 + tick * 25) as f32, 150.0 + (number * 90) as f32, 40.0, 110.0),
    };
    let frame = ProcessedFrame {
        detections: if tick < SEEN { (0..3).map(person).collect() } else { Vec::new() },
        video: Some(VideoRef { partition: 1, offset: 1_000 + tick, sequence: tick }),
        account: Some(FrameAccount { previous: tick.checked_sub(1), shed: Vec::new() }),
        ..ProcessedFrame::empty(FrameSize { width: 768, height: 576 })
    };
    let captured = Timestamp::from_micros(1_795_555_442_988_319 + tick as i64 * 1_000_000);
    CameraRecord {
        camera: camera.clone(),
        at: FrameAt { epoch: 1_795_555_442_988_257, sequence: tick, captured },
        model: ModelRef { name: "nanodet-g".into(), version: "1.0.0".into() },
        body: RecordBody::Processed(frame),
    }
}

/// Most bytes of an idle camera in memory: what is on the heap, to which an allocator adds its own. The product's allocator has the
/// steps 640 and 384 for the two largest parts.
const MOST_HELD: usize = 1_792;
/// Most bytes of its checkpoint, two thirds of them the policy of the demo.
const MOST_SAVED: usize = 1_230;

#[test]
fn an_idle_camera_is_small_in_memory_and_in_its_checkpoint() {
    let demo = root().join("deploy/demo");
    let policy = Arc::new(SharedPolicy::new(policies(&demo.join("policies.toml"))[0].clone()));
    let camera = Arc::new(cameras(&demo.join("cameras.toml"))[0].clone());
    let setups = Setups::fixed(camera.clone(), Some(policy));
    let serving = Serving { setups: &setups, base: &|_| None };
    let tracker = Arc::default();
    let idle = || {
        let mut analysis = Box::new(CameraAnalysis::new(camera.clone(), &tracker).unwrap());
        let outcomes: Vec<_> = (0..SEEN + REST).map(|tick| analysis.take(&frame(&camera.id, tick), serving)).collect();
        assert!(outcomes.iter().any(|outcome| !outcome.alerts.is_empty()), "nobody was seen");
        drop(outcomes);
        analysis
    };
    // The first one compiles and encodes the policy for all.
    let first = idle();
    let saved = first.save().unwrap();
    let before = HELD.get();
    let second = idle();
    let held = HELD.get().wrapping_sub(before);
    assert_eq!(second.save().unwrap(), saved);
    println!("an idle camera: {held} bytes in memory, {} in its checkpoint", saved.len());
    assert!(held <= MOST_HELD, "{held} bytes in memory are more than {MOST_HELD}");
    assert!(saved.len() <= MOST_SAVED, "{} bytes in the checkpoint are more than {MOST_SAVED}", saved.len());
}
