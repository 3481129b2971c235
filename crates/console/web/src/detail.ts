import type { Alert, Bases, Decision } from "./api";
import { Refused, getAlert, getSnapshot } from "./api";
import { ClipPanel } from "./clip";
import { byId, el, refill, svg } from "./dom";
import { isOpen, seenBy } from "./event";
import { addressText, ambiguity, code, distance, duration, metres, percent, time } from "./format";
import { title, why } from "./kinds";
import { baseFact, card, fact, nearbyCard, stack, unitsCard, whereCard } from "./place";
import { Reading } from "./reading";
import { VerdictPanel, named } from "./verdict";

const RETRIES = 5;

/** The selected alert: statement, picture, facts. */
export class Detail {
  /** The entry. */
  private shown: Alert | null = null;
  /** The alert with the displayed picture and facts: the entry itself, or one of its views. */
  private seen: Alert | null = null;
  /** The id of the alert in `seen`, or being loaded into it. */
  private wanted = "";
  private readonly reading = new Reading();
  readonly panel = new VerdictPanel((decision, note) => this.press(decision, note));
  private loading: AbortController | null = null;
  private serving: Bases | null = null;
  private url = "";
  private readonly statement = byId("statement");
  private readonly picture = byId("picture");
  private readonly clip: ClipPanel;
  private readonly facts = byId("facts");

  constructor(
    private readonly operator: () => string,
    private readonly decide: (about: Alert, decision: Decision, note: string) => void,
    private readonly goBack: (alert: Alert) => void,
    private readonly chooseUnit: (unit: string) => void,
  ) {
    this.clip = new ClipPanel(operator);
    this.statement.append(el("p", { class: "hint" }, "Alerts appear here as they are raised."));
    this.message("No alert selected", "");
    document.addEventListener("visibilitychange", () => !document.hidden && this.reading.back());
  }

  /**
   * Shows an entry with the picture of its alert `view`. `reason` is recorded with the access to the picture; `chosen`: a person
   * selected it now.
   */
  show(alert: Alert, reason: string, chosen: boolean, view = this.wanted): void {
    const before = this.shown;
    if (before?.id === alert.id && before.revision > alert.revision) return;
    this.shown = alert;
    const isView = alert.views.some((it) => it.id === view);
    // The lead of the event may have become a view of another event; it is then still the same event, with the same note.
    const another = before?.id !== alert.id && !(isView && view === this.seen?.id);
    if (another) this.panel.renew();
    const heading = this.heading(alert);
    if (before) this.statement.firstElementChild!.replaceWith(heading);
    else this.statement.replaceChildren(heading, this.panel.box);
    if (!isView) return this.look(alert, reason, chosen);
    if (another) this.blank();
    void this.turnTo(view, reason, chosen);
  }

  /** Shows the alert of a view; until it is loaded, the previous one stays. */
  private async turnTo(id: string, reason: string, chosen: boolean): Promise<void> {
    const entry = this.shown;
    this.wanted = id;
    const view = await getAlert(id).catch((error: Error) => error);
    // Another alert may have been selected meanwhile.
    if (!entry || this.shown?.id !== entry.id || this.wanted !== id) return;
    if (!(view instanceof Error)) return this.look(view, reason, chosen);
    this.look(this.seen ?? this.shown, reason, false);
    this.panel.fail(`The other camera's alert cannot be loaded: ${view.message}`);
  }

  /** Shows facts and picture of one alert of the entry. */
  private look(alert: Alert, reason: string, chosen: boolean): void {
    const another = this.seen?.id !== alert.id;
    this.seen = alert;
    this.wanted = alert.id;
    this.reading.show(alert, chosen);
    refill(this.facts, ...this.cards(alert));
    if (this.shown) this.panel.show(this.shown, alert);
    this.tabs();
    if (another) void this.load(alert, reason);
    this.clip.show(alert, reason);
  }

  /** Until the picture is loaded, no verdict is possible. */
  private blank(): void {
    this.seen = null;
    this.reading.clear();
    this.loading?.abort();
    this.clip.clear();
    this.message("Loading the snapshot", "", "loading");
    this.facts.replaceChildren();
  }

  /** One button per camera that saw the event, if there are several. */
  private tabs(): void {
    const entry = this.shown;
    const box = byId("views");
    const cameras = entry ? seenBy(entry) : [];
    box.hidden = cameras.length < 2;
    refill(
      box,
      ...cameras.map((it) => {
        const pressed = String(it.id === this.seen?.id);
        const button = el("button", { type: "button", class: "view", "data-view": it.id, "aria-pressed": pressed }, it.camera, " ", time(it.raised));
        button.addEventListener("click", () => (it.id === entry?.id ? this.look(entry, "review", true) : void this.turnTo(it.id, "review", true)));
        return button;
      }),
    );
  }

  /** Gives a verdict on the alert on screen, once a person had time to read it. */
  private press(decision: Decision, note: string): void {
    this.panel.fail();
    const { now } = this.reading;
    if (!now || now.id !== this.wanted) {
      if (this.shown) this.panel.fail("Not stored: the other camera's picture is still being loaded. Press again when it is shown.");
      return;
    }
    const tooSoon = this.reading.tooSoon();
    if (!tooSoon) {
      if (this.picture.dataset["state"] !== "loading") return this.decide(now, decision, note);
      this.panel.fail("Not stored: the picture is still being loaded. Press again when you have seen it.");
      return;
    }
    const { before } = tooSoon;
    const back = el("button", { type: "button", class: "back" }, "Back to the previous alert");
    back.addEventListener("click", () => before && this.goBack(before));
    this.panel.fail(
      el("p", {}, el("strong", {}, "Not stored. "), "This alert appeared only just now: ", named(now), "."),
      ...(before ? [el("p", {}, "Before it was ", named(before), ".")] : []),
      el("p", {}, "Read it, then press again."),
      ...(before ? [back] : []),
    );
  }

  /** Titles and units of the kinds are loaded. */
  renamed(): void {
    if (this.shown) this.statement.querySelector(".heading")?.replaceWith(this.heading(this.shown));
    if (this.seen) refill(this.facts, ...this.cards(this.seen));
  }

  /** Sets the address base in force. */
  bases(bases: Bases): void {
    const same = this.serving?.current?.version === bases.current?.version;
    this.serving = bases;
    if (!same && this.seen) refill(this.facts, ...this.cards(this.seen));
  }

  private heading(alert: Alert): HTMLElement {
    const { address, error_m } = alert.place;
    return el(
      "div",
      { class: "heading", "data-severity": alert.severity },
      el(
        "p",
        { class: "eyebrow" },
        el("span", { class: "severity" }, alert.severity),
        el("strong", {}, title(alert.kind)),
        el("span", { class: `chip ${isOpen(alert) ? "open" : "ended"}` }, isOpen(alert) ? "open" : "ended"),
        alert.views.length ? el("span", { class: "chip views", title: "Alerts of these cameras are about the same event" }, `${alert.views.length + 1} cameras`) : null,
        time(alert.raised, true),
      ),
      el("h2", { id: "address" }, addressText(address)),
      el(
        "p",
        { class: "where" },
        address ? code(address.code) : null,
        address ? el("span", { class: "chip" }, address.level) : null,
        address ? el("span", {}, distance(address)) : null,
        address?.ambiguous ? el("span", { class: "chip warn", title: "Another address is nearly as likely" }, ambiguity(address)) : null,
        el("span", {}, `± ${metres(error_m)}`),
        address?.synthetic ? el("span", { class: "chip warn", title: "This address base contains synthetic addresses" }, "synthetic base") : null,
      ),
    );
  }

  private cards(alert: Alert): HTMLElement[] {
    const { place, quality } = alert;
    const ended = alert.ended;
    const lasted = ended ? duration((Date.parse(ended) - Date.parse(alert.started)) / 1000) : "";
    const doubts = [
      quality.clock_drift ? "the camera's clock drifts" : "",
      quality.degraded ? "detection ran degraded" : "",
      quality.corrupt ? "the picture was damaged" : "",
      quality.shed_frames ? `${quality.shed_frames} frames were shed before` : "",
    ].filter(Boolean);
    return [
      stack(
        card(
          "Why",
          fact("Rule", `${alert.why.rule_name} (${alert.why.rule}, policy ${alert.why.policy_version})`),
          fact("Measured", why(alert)),
          ...(alert.signal_loss ? [fact("Cause", alert.signal_loss.text, el("p", { lang: "zh-Hans" }, alert.signal_loss.text_zh))] : []),
          fact("Objects", alert.objects.map((object) => `${object.class} ${percent(object.score)}`).join(", ") || "none"),
        ),
        card(
          "When",
          fact("Began", time(alert.started, true)),
          fact("Raised", time(alert.raised, true)),
          fact("Ended", ...(ended ? [time(ended, true), ` after ${lasted}`] : ["ongoing"])),
        ),
      ),
      whereCard(alert),
      stack(unitsCard(place.address, this.chooseUnit), nearbyCard(place.address)),
      card(
        "Quality",
        fact("Quality", doubts.join("; ") || "nothing to note"),
        fact("Model", `${alert.model.name} ${alert.model.version}`),
        ...(place.address ? [baseFact(place.address, this.serving)] : []),
        fact("Alert", el("code", { class: "id" }, alert.id)),
      ),
    ];
  }

  private message(title: string, text: string, state: "loading" | "none" = "none"): void {
    this.picture.dataset["state"] = state;
    this.picture.replaceChildren(el("div", { class: "no-picture" }, el("strong", {}, title), el("span", {}, text)));
  }

  private async load(alert: Alert, reason: string): Promise<void> {
    this.loading?.abort();
    const loading = (this.loading = new AbortController());
    this.message("Loading the snapshot", "", "loading");
    for (let attempt = 1; ; attempt++) {
      try {
        const blob = await getSnapshot(alert.id, this.operator(), reason, loading.signal);
        if (!loading.signal.aborted) this.draw(alert, blob);
        return;
      } catch (error) {
        if (loading.signal.aborted) return;
        const busy = error instanceof Refused && error.status === 503;
        this.message(busy ? "The snapshot is not ready yet" : "No snapshot", (error as Error).message);
        if (!busy || attempt >= RETRIES) return;
        await new Promise((resolve) => setTimeout(resolve, 2000));
        if (loading.signal.aborted) return;
      }
    }
  }

  private draw(alert: Alert, blob: Blob): void {
    if (this.url) URL.revokeObjectURL(this.url);
    this.url = URL.createObjectURL(blob);
    const { frame_width_px: width, frame_height_px: height, path } = alert.evidence;
    const what = `${title(alert.kind)} seen by ${alert.camera}: ${alert.objects.map((it) => it.class).join(", ")}`;
    const image = el("img", { src: this.url, alt: `Snapshot. ${what}.` });
    image.addEventListener("load", () => (this.picture.dataset["state"] = "loaded"));
    image.addEventListener("error", () => (this.picture.dataset["state"] = "none"));
    const unit = Math.max(width, height) / 1000;
    const overlay = svg("svg", { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "xMidYMid meet", "aria-hidden": "true" });
    if (path.length > 1) {
      overlay.append(svg("polyline", { class: "way", points: path.map((step) => `${step.x_px},${step.y_px}`).join(" "), "stroke-width": 2.5 * unit }));
    }
    for (const { box_px: box, class: name, score } of alert.objects) {
      overlay.append(
        svg("rect", { class: "object", x: box.x, y: box.y, width: box.width, height: box.height, "stroke-width": 2.5 * unit, rx: 3 * unit }),
        svg("text", { class: "label", x: box.x, y: Math.max(box.y - 7 * unit, 18 * unit), "font-size": 18 * unit }, `${name} ${percent(score)}`),
      );
    }
    overlay.setAttribute("data-severity", alert.severity);
    this.picture.replaceChildren(
      el("div", { class: "frame" }, image, overlay),
      el("figcaption", {}, el("span", {}, alert.camera), time(alert.evidence.captured, true), el("span", {}, "views are logged")),
    );
  }
}
