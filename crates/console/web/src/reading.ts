// Content that a person had time to read: not content that appeared a moment ago.
import type { Alert } from "./api";

/** Least time to notice another alert, read it and decide. */
const READ_MS = 1_500;

/** The alert on screen and the previous ones. */
export class Reading {
  now: Alert | null = null;
  private since = -Infinity;
  private warned: { before: Alert | null } | null = null;
  private before: { alert: Alert; until: number }[] = [];

  /** `alert` is on screen, `chose` by a person or automatically. */
  show(alert: Alert, chose: boolean): void {
    const at = performance.now();
    if (alert.id !== this.now?.id) {
      this.leave(at);
      this.since = at;
      this.warned = null;
    }
    if (chose) this.since = -Infinity;
    this.now = alert;
  }

  /** Nothing is on screen. */
  clear(): void {
    this.leave(performance.now());
    this.now = null;
  }

  /**
   * Null when the alert on screen was shown long enough to be read; else the previous one. After a warning the time starts
   * again, so that a key pressed twice in a hurry does not confirm it.
   */
  tooSoon(): { before: Alert | null } | null {
    const at = performance.now();
    if (at - this.since >= READ_MS) return null;
    if (!this.warned) {
      this.warned = { before: this.before.find((it) => it.until >= at - READ_MS)?.alert ?? null };
      this.since = at;
    }
    return this.warned;
  }

  /** The page was hidden until now: nobody read the alerts of that time. */
  back(): void {
    this.since = performance.now();
    this.warned = null;
  }

  private leave(at: number): void {
    if (this.now) this.before = [...this.before.filter((it) => it.until >= at - READ_MS), { alert: this.now, until: at }];
  }
}
