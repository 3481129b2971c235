import type { Alert, Bases, Decision } from "./api";
import { Refused, getAlert, getSnapshot } from "./api";
import { byId, el, svg } from "./dom";
import { isOpen, seenBy } from "./event";
import { KINDS, addressText, ambiguity, code, distance, duration, metres, percent, time, why } from "./format";
import { baseFact, card, fact, nearbyCard, stack, unitsCard, whereCard } from "./place";

const RETRIES = 5;

/** What the page says about the chosen alert: statement, picture, facts. */
export class Detail {
  /** The entry. */
  private shown: Alert | null = null;
  /** The alert of it whose picture and facts are shown: itself, or one of its views. */
  private seen: Alert | null = null;
  private loading: AbortController | null = null;
  private serving: Bases | null = null;
  private url = "";
  private readonly statement = byId("statement");
  private readonly picture = byId("picture");
  private readonly facts = byId("facts");

  constructor(
    private readonly operator: () => string,
    private readonly decide: (alert: Alert, decision: Decision, note: string) => Promise<void>,
    private readonly chooseUnit: (unit: string) => void,
  ) {
    this.statement.append(el("p", { class: "hint" }, "Alerts appear here as they are raised."));
    this.message("No alert is chosen", "");
  }

  /** Shows an entry, by the picture of the alert `view` of it. `reason` is recorded with the look at the picture. */
  show(alert: Alert, reason: string, view = this.seen?.id): void {
    const another = this.shown?.id !== alert.id;
    const note = another ? "" : (this.statement.querySelector<HTMLInputElement>("#note")?.value ?? "");
    const focused = document.activeElement?.id;
    this.shown = alert;
    this.statement.replaceChildren(this.heading(alert), this.verdict(alert, note));
    if (focused === "note") byId("note").focus();
    if (alert.views.some((it) => it.id === view)) void this.turnTo(view!, reason);
    else this.look(alert, reason);
  }

  /** Shows what the camera of a view saw. */
  private async turnTo(id: string, reason: string): Promise<void> {
    const entry = this.shown;
    const view = await getAlert(id).catch(() => null);
    // Meanwhile something else may have been chosen.
    if (view && this.shown?.id === entry?.id) this.look(view, reason);
  }

  /** Shows facts and picture of one alert of the entry. */
  private look(alert: Alert, reason: string): void {
    const another = this.seen?.id !== alert.id;
    this.seen = alert;
    this.facts.replaceChildren(...this.cards(alert));
    this.tabs();
    if (another) void this.load(alert, reason);
  }

  /** One button for each camera that saw it, when there are several. */
  private tabs(): void {
    const entry = this.shown;
    const box = byId("views");
    const cameras = entry ? seenBy(entry) : [];
    box.hidden = cameras.length < 2;
    box.replaceChildren(
      ...cameras.map((it) => {
        const pressed = String(it.id === this.seen?.id);
        const button = el("button", { type: "button", class: "view", "data-view": it.id, "aria-pressed": pressed }, it.camera, " ", time(it.raised));
        button.addEventListener("click", () => (it.id === entry?.id ? this.look(entry, "review") : void this.turnTo(it.id, "review")));
        return button;
      }),
    );
  }

  /** Says which address base serves now. */
  bases(bases: Bases): void {
    const same = this.serving?.current?.version === bases.current?.version;
    this.serving = bases;
    if (!same && this.seen) this.facts.replaceChildren(...this.cards(this.seen));
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
        el("strong", {}, KINDS[alert.kind] ?? alert.kind),
        el("span", { class: `chip ${isOpen(alert) ? "open" : "ended"}` }, isOpen(alert) ? "open" : "ended"),
        alert.views.length ? el("span", { class: "chip views", title: "Alerts of these cameras show the same event" }, `${alert.views.length + 1} cameras`) : null,
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
        address?.synthetic ? el("span", { class: "chip warn", title: "This address base holds made-up addresses" }, "synthetic base") : null,
      ),
    );
  }

  private verdict(alert: Alert, note: string): HTMLElement {
    const input = el("input", { id: "note", maxlength: "1000", placeholder: "Note (optional)", "aria-label": "Note" });
    input.value = note;
    const button = (decision: Decision, text: string, key: string): HTMLButtonElement => {
      const chosen = alert.verdict?.verdict === decision;
      const node = el("button", { type: "button", class: decision, "data-verdict": decision, "aria-pressed": String(chosen) }, text, " ", el("kbd", {}, key));
      node.addEventListener("click", () => void this.decide(alert, decision, input.value));
      return node;
    };
    const said = seenBy(alert).flatMap((it) => (it.verdict ? [{ ...it.verdict, camera: it.id === alert.id ? "" : ` about ${it.camera}` }] : []));
    return el(
      "div",
      { class: "verdict", role: "group", "aria-label": "Verdict" },
      el("div", { class: "buttons" }, button("confirmed", "Confirm", "C"), button("false_alarm", "False alarm", "F")),
      input,
      ...(said.length
        ? said.map((it) => el("p", { class: "said" }, it.verdict === "confirmed" ? "Confirmed" : "False alarm", ` by ${it.by}${it.camera}, `, time(it.at, true), it.note ? `: ${it.note}` : ""))
        : [el("p", { class: "said" }, "Not reviewed yet")]),
      el("p", { class: "error", id: "verdict-error", role: "alert", hidden: "" }),
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
          fact("Objects", alert.objects.map((object) => `${object.class} ${percent(object.score)}`).join(", ") || "none"),
        ),
        card(
          "When",
          fact("Began", time(alert.started, true)),
          fact("Raised", time(alert.raised, true)),
          fact("Ended", ...(ended ? [time(ended, true), ` after ${lasted}`] : ["goes on"])),
        ),
      ),
      whereCard(alert),
      stack(unitsCard(place.address, this.chooseUnit), nearbyCard(place.address)),
      card(
        "Trust",
        fact("Quality", doubts.join("; ") || "nothing to note"),
        fact("Model", `${alert.model.name} ${alert.model.version}`),
        ...(place.address ? [baseFact(place.address, this.serving)] : []),
        fact("Alert", el("code", { class: "id" }, alert.id)),
      ),
    ];
  }

  private message(title: string, text: string): void {
    this.picture.dataset["state"] = "none";
    this.picture.replaceChildren(el("div", { class: "no-picture" }, el("strong", {}, title), el("span", {}, text)));
  }

  private async load(alert: Alert, reason: string): Promise<void> {
    this.loading?.abort();
    const loading = (this.loading = new AbortController());
    this.message("Loading the snapshot", "");
    for (let attempt = 1; ; attempt++) {
      try {
        const blob = await getSnapshot(alert.evidence.snapshot, this.operator(), reason, loading.signal);
        if (!loading.signal.aborted) this.draw(alert, blob);
        return;
      } catch (error) {
        if (loading.signal.aborted) return;
        const busy = error instanceof Refused && error.status === 503;
        this.message(busy ? "The snapshot is not there yet" : "No snapshot", (error as Error).message);
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
    const what = `${KINDS[alert.kind]} seen by ${alert.camera}: ${alert.objects.map((it) => it.class).join(", ")}`;
    const image = el("img", { src: this.url, alt: `Snapshot. ${what}.` });
    image.addEventListener("load", () => (this.picture.dataset["state"] = "loaded"));
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
      el("figcaption", {}, el("span", {}, alert.camera), time(alert.evidence.captured, true), el("span", {}, "looks are recorded")),
    );
  }
}
