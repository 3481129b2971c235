import type { Camera, CameraList } from "./api";
import { listCameras } from "./api";
import { byId, el } from "./dom";
import { metres, time } from "./format";

const EVERY_MS = 10_000;
/** Cameras that are listed; a site whose network is down has all of them here. */
const MOST_LISTED = 50;

/** Polls the cameras: `show` is told when something about one of them is another. */
export async function followCameras(show: (list: CameraList) => void): Promise<void> {
  let shown = "";
  const look = async (): Promise<void> => {
    const list = await listCameras();
    const now = JSON.stringify(list);
    if (now === shown) return;
    shown = now;
    say(list.cameras.filter((camera) => camera.signal_loss));
    show(list);
  };
  // The old state stays on screen when the server does not answer; the page says elsewhere that it does not.
  const again = (): void => void setTimeout(() => void look().catch(() => undefined).then(again), EVERY_MS);
  await look().finally(again);
}

/** Lists the cameras without signal, with the reason of each. */
function say(lost: Camera[]): void {
  byId("offline").hidden = lost.length === 0;
  byId("offline-count").textContent = lost.length === 1 ? "1 camera without signal" : `${lost.length} cameras without signal`;
  const more = lost.length - MOST_LISTED;
  byId("offline-list").replaceChildren(
    ...lost.slice(0, MOST_LISTED).map((camera) => el("li", {}, el("strong", {}, camera.name), ` (${camera.id})`, ...reason(camera))),
    ...(more > 0 ? [el("li", {}, `and ${more} more`)] : []),
  );
}

function reason({ signal_loss: loss }: Camera): HTMLElement[] {
  if (!loss) return [];
  return [el("p", {}, "since ", time(loss.since), ": ", loss.text), el("p", { lang: "zh-Hans" }, loss.text_zh)];
}

/** What is to be known of a camera on the map. */
export function about(camera: Camera): HTMLElement {
  const worth = calibration(camera);
  return el("div", { class: "camera-tip" }, `${camera.name} (${camera.id})`, ...reason(camera), worth ? el("p", {}, worth) : null);
}

/** What its calibration is worth, in words. */
function calibration({ calibration: found }: Camera): string {
  if (!found) return "";
  const { residuals_m: residuals, odd_point: odd, mostly_above_horizon: lost } = found;
  return [
    // Four points always agree.
    residuals.length > 4 ? `control points agree within ${metres(Math.max(...residuals))}` : "calibrated",
    odd === null ? "" : `points[${odd}] is odd, check it`,
    lost ? "most of the picture has no place on the ground, check the calibration" : "",
  ].filter(Boolean).join("; ");
}
