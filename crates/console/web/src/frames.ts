// Frame accounting in the head of the page.

import type { Frames } from "./api";
import { getFrames } from "./api";
import { byId } from "./dom";

const EVERY_MS = 2_000;
const number = new Intl.NumberFormat("en-GB");

/** Shed reasons by configuration; every other one is a loss. */
const PLANNED = new Set(["max_fps", "not_key_frame"]);

const WORDS: Record<string, string> = {
  max_fps: "above max_fps",
  not_key_frame: "not key frames",
  overload: "shed while the machine was behind",
  joined_mid_group: "before the first key frame",
  not_decoded: "not decodable",
  inference_failed: "inference failed",
  dead_lettered: "in the dead letters",
  not_received: "lost before detection",
  missing: "missing",
  late: "too late",
};

function show(frames: Frames): void {
  const of = (planned: boolean): [string, number][] => Object.entries(frames.shed).filter(([reason, count]) => count > 0 && PLANNED.has(reason) === planned);
  const sum = (part: [string, number][]): number => part.reduce((total, [, count]) => total + count, 0);
  const put = (id: string, value: number, part: [string, number][] = []): void => {
    const node = byId(id);
    node.textContent = number.format(value);
    node.parentElement!.title = part.map(([reason, count]) => `${number.format(count)} ${WORDS[reason] ?? reason}`).join("\n");
  };
  const [left, lost] = [of(true), of(false)];
  put("frames-all", frames.frames);
  put("frames-analysed", frames.analysed);
  put("frames-left", sum(left), left);
  put("frames-lost", sum(lost), lost);
  byId("frames-lost").parentElement!.dataset["some"] = String(sum(lost) > 0);
  byId("frames").hidden = frames.cameras === 0;
}

/** Polls the counts. */
export async function followFrames(): Promise<void> {
  const frames = await getFrames().catch(() => null);
  if (frames) show(frames);
  setTimeout(() => void followFrames(), EVERY_MS);
}
