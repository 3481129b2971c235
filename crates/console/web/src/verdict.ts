import type { Alert, Decision } from "./api";
import { Refused, VERDICT_MS } from "./api";
import { el } from "./dom";
import { seenBy } from "./event";
import { addressText, time } from "./format";
import { title } from "./kinds";

/** An alert in a few words: event, camera, time and place. */
export const named = (alert: Alert): HTMLElement =>
  el("b", { class: "named" }, `${title(alert.kind)}, ${alert.camera}, `, time(alert.raised), ", ", addressText(alert.place.address));

/** Why a verdict is not stored, as far as the page knows. */
export function unstored(error: unknown): string {
  if (error instanceof Refused) return `is not stored: ${[error.message, error.fix].filter(Boolean).join("; ")}`;
  if (error instanceof DOMException) return `may not be stored: the server gave no response within ${VERDICT_MS / 1000} s`;
  return "may not be stored: the server cannot be reached";
}

/**
 * Buttons, note and verdicts of an alert. Created once and kept across revisions, so that focus and half a word are not lost.
 */
export class VerdictPanel {
  readonly box: HTMLElement;
  private readonly about = el("p", { class: "about", hidden: "" });
  private readonly note = el("input", { id: "note", maxlength: "1000", placeholder: "Note (optional)", "aria-label": "Note" });
  private readonly said = el("div", { class: "sayings" });
  private readonly error = el("div", { class: "error", id: "verdict-error", role: "alert", hidden: "" });
  private readonly lost = el("div", { class: "error", id: "verdict-lost", role: "alert", hidden: "" });
  private readonly buttons: Record<Decision, HTMLButtonElement>;

  constructor(press: (decision: Decision, note: string) => void) {
    const button = (decision: Decision, text: string, key: string): HTMLButtonElement => {
      const node = el("button", { type: "button", class: decision, "data-verdict": decision }, text, " ", el("kbd", {}, key));
      node.addEventListener("click", () => press(decision, this.note.value));
      return node;
    };
    this.buttons = { confirmed: button("confirmed", "Confirm", "C"), false_alarm: button("false_alarm", "False alarm", "F") };
    this.box = el(
      "div",
      { class: "verdict", role: "group", "aria-label": "Verdict" },
      el("div", { class: "buttons" }, ...Object.values(this.buttons)),
      this.note,
      this.about,
      this.error,
      this.lost,
      this.said,
    );
  }

  /** Shows the verdict on `entry`; the next verdict is on `seen`, one of its alerts. */
  show(entry: Alert, seen: Alert): void {
    const alerts = seenBy(entry);
    const several = alerts.length > 1;
    const verdict = alerts.find((it) => it.id === seen.id)?.verdict ?? null;
    for (const [decision, node] of Object.entries(this.buttons)) node.setAttribute("aria-pressed", String(verdict?.verdict === decision));
    this.about.hidden = !several;
    this.about.replaceChildren("About the picture of ", el("b", {}, seen.camera), ", ", time(seen.raised));
    const said = alerts.flatMap((it) => (it.verdict ? [{ ...it.verdict, camera: several ? ` about ${it.camera}` : "" }] : []));
    this.said.replaceChildren(
      ...(said.length
        ? said.map((it) => el("p", { class: "said" }, it.verdict === "confirmed" ? "Confirmed" : "False alarm", ` by ${it.by}${it.camera}, `, time(it.at, true), it.note ? `: ${it.note}` : ""))
        : [el("p", { class: "said" }, "Not reviewed yet")]),
    );
  }

  /** Another event: note and refusal belong to the previous one. */
  renew(): void {
    this.note.value = "";
    this.fail();
  }

  /** Shows that a verdict on `alert` is lost. It stays until the person has dismissed it, even after moving on. */
  lose(alert: Alert, why: string): void {
    const seen = el("button", { type: "button", class: "quit" }, "I have seen it");
    seen.addEventListener("click", () => this.keep(alert.id));
    this.keep(alert.id);
    this.lost.append(el("div", { "data-about": alert.id }, el("p", {}, "The verdict about ", named(alert), ` ${why}.`), seen));
    this.lost.hidden = false;
  }

  /** Removes the notice of a lost verdict on alert `id`. */
  keep(id: string): void {
    this.lost.querySelector(`[data-about="${id}"]`)?.remove();
    this.lost.hidden = !this.lost.hasChildNodes();
  }

  /** Shows why no verdict was given; empty without content. */
  fail(...content: (Node | string)[]): void {
    this.error.replaceChildren(...content);
    this.error.hidden = content.length === 0;
  }

  /** Whether a verdict is being sent. */
  busy(busy: boolean): void {
    this.box.setAttribute("aria-busy", String(busy));
  }
}
