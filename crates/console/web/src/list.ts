import type { Alert, Filter } from "./api";
import { byId, el } from "./dom";
import { decided, isOpen, seenBy } from "./event";
import { addressText, ambiguity, code, metres, namesUnit, time } from "./format";
import { title } from "./kinds";

/** Rows kept in the page; older ones are loaded again on demand. */
const KEPT = 500;

/** A row that appeared less than this before a click is not the intended one. */
const AIM_MS = 500;

const order = (a: Alert, b: Alert): number =>
  a.raised === b.raised ? (a.id < b.id ? 1 : -1) : a.raised < b.raised ? 1 : -1;

/** Whether the event matches the filters on the server: one of its alerts matches place and unit, and the event the others. */
export function matches(alert: Alert, filter: Filter): boolean {
  const verdicts = seenBy(alert).flatMap((it) => it.verdict?.verdict ?? []);
  return (
    (!filter.kind || alert.kind === filter.kind) &&
    (!filter.status || isOpen(alert) === (filter.status === "open")) &&
    (!filter.verdict || (filter.verdict === "none" ? verdicts.length === 0 : verdicts.some((it) => it === filter.verdict))) &&
    seenBy(alert).some(
      ({ place: { address } }) =>
        (!filter.address || !!address?.code.startsWith(filter.address)) &&
        (!filter.responsible || !!address?.responsible.some((unit) => namesUnit(filter.responsible, unit))),
    )
  );
}

/** The list of alerts, newest first, one row per event. */
export class AlertList {
  readonly alerts: Alert[] = [];
  selected: string | null = null;
  private readonly rows = new Map<string, HTMLLIElement>();
  private readonly box = byId<HTMLUListElement>("alerts");

  /** Called when rows are added or removed. */
  private moved = -Infinity;
  /** The selected alert after it left the list: steps continue from its place. */
  private left: Alert | null = null;

  /** `choose` is called with the alert that a person selected, and whether another row may have been intended. */
  constructor(private readonly choose: (alert: Alert, unsure: boolean) => void) {
    this.box.addEventListener("click", (event) => {
      const row = (event.target as Element).closest<HTMLElement>("li[data-id]");
      const alert = row && this.get(row.dataset["id"] ?? "");
      if (alert) this.choose(alert, performance.now() - this.moved < AIM_MS);
    });
    this.box.addEventListener("keydown", (event) => {
      const steps: Record<string, number> = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8, Home: -1e9, End: 1e9 };
      const step = steps[event.key];
      if (step === undefined) return;
      event.preventDefault();
      this.step(step);
    });
  }

  get(id: string): Alert | undefined {
    return this.alerts.find((alert) => alert.id === id);
  }

  /** Selects the alert `step` rows further down. */
  step(step: number): void {
    const next = this.alerts[Math.max(0, Math.min(this.alerts.length - 1, this.from(step) + step))];
    if (next) this.choose(next, false);
  }

  /** The row from which a step starts. */
  private from(step: number): number {
    const now = this.alerts.findIndex((alert) => alert.id === this.selected);
    if (now >= 0 || this.left?.id !== this.selected) return now;
    const left = this.left!;
    const below = this.alerts.findIndex((alert) => order(left, alert) < 0);
    return (below < 0 ? this.alerts.length : below) - (step > 0 ? 1 : 0);
  }

  clear(): void {
    this.left = this.get(this.selected ?? "") ?? this.left;
    this.moved = performance.now();
    this.alerts.length = 0;
    this.rows.clear();
    this.box.replaceChildren();
  }

  /** Adds current alerts; an existing row is replaced. */
  put(alerts: Alert[], fresh = false): void {
    for (const alert of alerts) {
      const at = this.alerts.findIndex((it) => it.id === alert.id);
      if (at >= 0) this.alerts.splice(at, 1);
      else this.moved = performance.now();
      const index = this.alerts.findIndex((it) => order(alert, it) < 0);
      const row = this.row(alert, fresh && at < 0);
      this.rows.get(alert.id)?.remove();
      this.rows.set(alert.id, row);
      if (index < 0) {
        this.alerts.push(alert);
        this.box.append(row);
      } else {
        this.box.insertBefore(row, this.rows.get(this.alerts[index]!.id) ?? null);
        this.alerts.splice(index, 0, alert);
      }
    }
    if (fresh) while (this.alerts.length > KEPT) this.remove(this.alerts[this.alerts.length - 1]!.id);
  }

  /** Renders every row again. */
  renamed(): void {
    this.put([...this.alerts]);
  }

  remove(id: string): void {
    const at = this.alerts.findIndex((alert) => alert.id === id);
    if (at < 0) return;
    const [alert] = this.alerts.splice(at, 1);
    if (id === this.selected) this.left = alert!;
    this.moved = performance.now();
    this.rows.get(id)?.remove();
    this.rows.delete(id);
  }

  select(id: string): void {
    const before = this.selected && this.rows.get(this.selected);
    if (before) before.setAttribute("aria-selected", "false");
    this.selected = id;
    const row = this.rows.get(id);
    if (!row) return;
    row.setAttribute("aria-selected", "true");
    this.box.setAttribute("aria-activedescendant", row.id);
    row.scrollIntoView({ block: "nearest" });
  }

  private row(alert: Alert, fresh: boolean): HTMLLIElement {
    const { address, error_m } = alert.place;
    const said = decided(alert)?.verdict;
    const cameras = seenBy(alert).map((it) => it.camera);
    return el(
      "li",
      {
        id: `alert-${alert.id}`,
        role: "option",
        "aria-selected": String(alert.id === this.selected),
        "data-id": alert.id,
        "data-severity": alert.severity,
        class: `row${fresh ? " fresh" : ""}${said === "false_alarm" ? " dismissed" : ""}`,
      },
      el(
        "p",
        { class: "row-head" },
        el("span", { class: "severity" }, alert.severity),
        el("strong", {}, title(alert.kind)),
        isOpen(alert) ? el("span", { class: "chip open" }, "open") : null,
        said ? el("span", { class: `chip ${said}` }, said === "confirmed" ? "Confirmed" : "False alarm") : null,
        time(alert.raised),
      ),
      el("p", { class: "row-place" }, addressText(address)),
      el(
        "p",
        { class: "row-foot" },
        address ? code(address.code) : null,
        address?.ambiguous ? el("span", { class: "chip warn" }, ambiguity(address)) : null,
        el(
          "span",
          { class: "row-camera" },
          cameras.length > 1 ? el("span", { class: "chip views", title: cameras.join(", ") }, `${cameras.length} cameras`) : alert.camera,
        ),
        address ? el("span", { title: "From the point to the footprint" }, address.distance_m === 0 ? "inside" : `${metres(address.distance_m)} away`) : null,
        el("span", { title: "95 % radius of the position error" }, `± ${metres(error_m)}`),
      ),
    );
  }
}
