use std::path::Path;

use ort::ep;
use ort::session::Session;
use ort::session::builder::GraphOptimizationLevel;
use ort::value::{TensorElementType, TensorRef, ValueType};

use crate::error::{DetectError, ProviderRefusal};
use crate::manifest::Manifest;
use crate::provider::Provider;
use crate::runtime::{ProviderReport, Runtime};
use crate::settings::DetectorSettings;

/// Starts the model on the first execution provider that works, and runs it once: some fail only then.
pub(crate) fn start(
    runtime: &Runtime,
    manifest: &Manifest,
    path: &Path,
    settings: &DetectorSettings,
) -> Result<(Session, ProviderReport), DetectError> {
    let mut refused = Vec::new();
    for &provider in &runtime.providers {
        match build(runtime, manifest, path, settings, provider) {
            Ok(mut session) => {
                check_input(&session, manifest)?;
                match warm_up(&mut session, manifest) {
                    Ok(()) => {
                        tracing::info!(model = %manifest.name, %provider, "model started");
                        return Ok((session, ProviderReport { chosen: provider, refused }));
                    }
                    Err(reason) => refused.push(ProviderRefusal { provider, reason }),
                }
            }
            Err(reason) => refused.push(ProviderRefusal { provider, reason }),
        }
        if let Some(ProviderRefusal { provider, reason }) = refused.last() {
            tracing::info!(model = %manifest.name, %provider, %reason, "execution provider cannot start the model");
        }
    }
    Err(DetectError::NoProvider { model: manifest.name.clone(), refusals: refused })
}

fn said<R>(error: ort::Error<R>) -> String {
    error.to_string()
}

fn build(
    runtime: &Runtime,
    manifest: &Manifest,
    path: &Path,
    settings: &DetectorSettings,
    provider: Provider,
) -> Result<Session, String> {
    // Height and width are dynamic in some models; fixing them lets the runtime plan memory ahead. Names that a model does
    // not have are ignored.
    Session::builder(&runtime.environment)
        .map_err(said)?
        .with_optimization_level(GraphOptimizationLevel::All)
        .map_err(said)?
        .with_intra_threads(runtime.intra_threads)
        .map_err(said)?
        // A waiting thread that spins takes a core from decoding.
        .with_intra_op_spinning(false)
        .map_err(said)?
        .with_dimension_override("height", i64::from(manifest.input.height))
        .map_err(said)?
        .with_dimension_override("width", i64::from(manifest.input.width))
        .map_err(said)?
        .with_execution_providers(dispatches(runtime, manifest, settings, provider))
        .map_err(said)?
        .commit_from_file(path)
        .map_err(said)
}

fn dispatches(
    runtime: &Runtime,
    manifest: &Manifest,
    settings: &DetectorSettings,
    provider: Provider,
) -> Vec<ep::ExecutionProviderDispatch> {
    let cpu = || ep::CPU::default().with_arena_allocator(true).build();
    let cuda = || ep::CUDA::default().with_conv_algorithm_search(ep::cuda::ConvAlgorithmSearch::Heuristic).build();
    match provider {
        Provider::Cpu => vec![cpu()],
        Provider::OpenVino => {
            let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
            let threads = if runtime.intra_threads == 0 { threads } else { runtime.intra_threads };
            let openvino = ep::OpenVINO::default().with_device_type("CPU").with_num_threads(threads);
            vec![openvino.build().error_on_failure(), cpu()]
        }
        Provider::Cuda => vec![cuda().error_on_failure(), cpu()],
        Provider::TensorRt => vec![tensorrt(manifest, settings).error_on_failure(), cuda(), cpu()],
    }
}

/// TensorRT builds an engine for a range of batch sizes, which takes minutes; so it is cached if a cache is configured.
fn tensorrt(manifest: &Manifest, settings: &DetectorSettings) -> ep::ExecutionProviderDispatch {
    let input = &manifest.input;
    let most = if input.dynamic_batch { settings.max_batch.max(1) } else { 1 };
    let shape = |batch: usize| format!("{}:{batch}x3x{}x{}", input.name, input.height, input.width);
    let mut provider = ep::TensorRT::default()
        .with_fp16(settings.half_precision)
        .with_profile_min_shapes(shape(1))
        .with_profile_opt_shapes(shape(most))
        .with_profile_max_shapes(shape(most));
    if let Some(folder) = &settings.engine_cache {
        provider = provider.with_engine_cache(true).with_engine_cache_path(folder.display());
    }
    provider.build()
}

fn check_input(session: &Session, manifest: &Manifest) -> Result<(), DetectError> {
    let input = &manifest.input;
    let unfit = |reason| Err(DetectError::Unfit { model: manifest.name.clone(), reason });
    let [found] = session.inputs() else {
        return unfit(format!("it has {} inputs instead of one", session.inputs().len()));
    };
    if found.name() != input.name {
        return unfit(format!("its input is `{}`, the manifest says `{}`", found.name(), input.name));
    }
    let wanted = [1, 3, i64::from(input.height), i64::from(input.width)];
    match found.dtype() {
        ValueType::Tensor { ty: TensorElementType::Float32, shape, .. }
            if shape.len() == wanted.len()
                && shape.iter().zip(wanted).all(|(&has, wants)| has == -1 || has == wants)
                && (shape[0] == -1 || !input.dynamic_batch) =>
        {
            Ok(())
        }
        other => unfit(format!(
            "its input is {other:?}, the manifest wants 32-bit floats of shape {wanted:?}, batch free: {}",
            input.dynamic_batch
        )),
    }
}

fn warm_up(session: &mut Session, manifest: &Manifest) -> Result<(), String> {
    let (height, width) = (manifest.input.height as usize, manifest.input.width as usize);
    let zeros = vec![0.0_f32; 3 * height * width];
    let tensor = TensorRef::from_array_view(([1, 3, height, width], zeros.as_slice())).map_err(said)?;
    session.run(ort::inputs![manifest.input.name.as_str() => tensor]).map(drop).map_err(said)
}
