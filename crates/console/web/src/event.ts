// An event: an alert with the alerts of other cameras about the same event.
import type { Alert, Verdict, View } from "./api";

/** All its alerts, the lead first. */
export const seenBy = (alert: Alert): (Alert | View)[] => [alert, ...alert.views];

/** It is open while one of its alerts is. */
export const isOpen = (alert: Alert): boolean => seenBy(alert).some((it) => it.status === "open");

/** The last verdict on any of its alerts. */
export function decided(alert: Alert): Verdict | null {
  const said = seenBy(alert).flatMap((it) => it.verdict ?? []);
  return said.sort((a, b) => (a.at < b.at ? 1 : -1))[0] ?? null;
}
