// Content that a person had time to read: not content that appeared a moment ago.
import type { Alert } from "./api";

/** In less time nobody sees that the alert is another one, reads it and decides. */
const READ_MS = 1_500;

/** The alert on screen and those just before it. */
export class Reading {
  now: Alert | null = null;
  private since = -Infinity;
  private warned: { before: Alert | null } | null = null;
  private before: { alert: Alert; until: number }[] = [];

  /** `alert` is on screen, as a person `chose` it or by itself. */
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
   * Null when a person who decides now can have read what is on screen; else what they must have read instead. After a warning
   * it takes the same time again, so that a key pressed twice in a hurry is not an answer to it.
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

  /** Nobody looked at the page until now: what came meanwhile was read by nobody. */
  back(): void {
    this.since = performance.now();
    this.warned = null;
  }

  private leave(at: number): void {
    if (this.now) this.before = [...this.before.filter((it) => it.until >= at - READ_MS), { alert: this.now, until: at }];
  }
}
