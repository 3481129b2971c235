import type { Alert } from "./api";
import { getClip } from "./api";
import { byId, el } from "./dom";

/** The clip of the alert on screen, beneath its picture: some seconds that repeat, or the reason why there is none. */
export class ClipPanel {
  private readonly box = byId("clip");
  private loading: AbortController | null = null;
  private url = "";
  /** The alert on display, and the state of its clip. */
  private shown = "";

  constructor(private readonly operator: () => string) {}

  /** Shows what there is of the clip of `alert`; `reason` is recorded with the access to it. */
  show(alert: Alert, reason: string): void {
    const { state, missing } = alert.evidence.clip;
    const now = `${alert.id} ${state}`;
    if (this.shown === now) return;
    this.clear();
    this.shown = now;
    if (state === "made") return void this.load(alert, reason);
    if (state === "pending") return this.say("pending", "The clip is being made.");
    this.say("none", `No clip: ${missing?.text ?? "the reason is unknown"}.`);
  }

  /** Until another alert is shown. */
  clear(): void {
    this.loading?.abort();
    this.shown = "";
    this.box.replaceChildren();
    this.box.dataset["state"] = "none";
    if (this.url) URL.revokeObjectURL(this.url);
    this.url = "";
  }

  private say(state: "loading" | "pending" | "none", text: string): void {
    this.box.dataset["state"] = state;
    this.box.replaceChildren(el("p", { class: "no-clip" }, text));
  }

  private async load(alert: Alert, reason: string): Promise<void> {
    const loading = (this.loading = new AbortController());
    this.say("loading", "Loading the clip.");
    try {
      const blob = await getClip(alert.id, this.operator(), reason, loading.signal);
      if (!loading.signal.aborted) this.play(alert, blob);
    } catch (error) {
      if (!loading.signal.aborted) this.say("none", `No clip: ${(error as Error).message}.`);
    }
  }

  private play(alert: Alert, blob: Blob): void {
    this.url = URL.createObjectURL(blob);
    const video = el("video", { controls: "", loop: "", playsinline: "", disablepictureinpicture: "", "aria-label": `Clip of camera ${alert.camera}` });
    // The attribute would only set the default.
    video.muted = true;
    video.autoplay = !matchMedia("(prefers-reduced-motion: reduce)").matches;
    video.addEventListener("loadeddata", () => (this.box.dataset["state"] = "loaded"));
    video.addEventListener("error", () => this.say("none", "No clip: the browser cannot play it."));
    video.src = this.url;
    this.box.replaceChildren(video);
  }
}
