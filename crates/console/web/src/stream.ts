import type { Alert } from "./api";
import { below } from "./api";

export type Connection = "connecting" | "live" | "lost";

/** The live stream. The browser reconnects automatically and sends the last number, so nothing is missed. */
export function follow(on: { alert: (alert: Alert) => void; reload: () => void; state: (state: Connection) => void }): void {
  const source = new EventSource(below("api/v1/alerts/stream"));
  let began = false;
  source.addEventListener("ready", () => {
    on.state("live");
    // The list is loaded once the stream is open: changes in between are in both.
    if (!began) on.reload();
    began = true;
  });
  source.addEventListener("alert", (event) => on.alert(JSON.parse(event.data) as Alert));
  source.addEventListener("lagged", () => on.reload());
  source.addEventListener("error", () => {
    on.state("lost");
    // A refusal (not a lost connection) ends an event source for good; a new one starts over.
    if (source.readyState === EventSource.CLOSED) setTimeout(() => follow(on), 3000);
  });
}
