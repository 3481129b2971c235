import "leaflet/dist/leaflet.css";
import "./style.css";
import type { Alert, Decision, Filter } from "./api";
import { getAlert, getBases, listAlerts, listCameras, setVerdict } from "./api";
import { Detail } from "./detail";
import { byId } from "./dom";
import { decided, isOpen } from "./event";
import { KINDS } from "./format";
import { followFrames } from "./frames";
import { followHealth } from "./health";
import { AlertList, matches } from "./list";
import { AlertMap, spoken } from "./map";
import type { Connection } from "./stream";
import { follow } from "./stream";

const operator = byId<HTMLInputElement>("operator");
const followNewest = byId<HTMLInputElement>("follow");
const filters = byId<HTMLFormElement>("filters");
const older = byId<HTMLButtonElement>("older");
let next: string | null = null;
let request = 0;
/** What the stream brought while the list is being read: it may be newer than the answer. */
let arrived: Alert[] = [];

operator.value = localStorage.getItem("vedette.operator") ?? "";
operator.addEventListener("change", () => localStorage.setItem("vedette.operator", operator.value.trim()));

const list = new AlertList((alert) => {
  followNewest.checked = false;
  choose(alert, "review");
});
const map = new AlertMap((id) => {
  const alert = list.get(id);
  if (!alert) return;
  followNewest.checked = false;
  choose(alert, "review");
});
const detail = new Detail(() => operator.value.trim(), decide, (unit) => {
  filters.querySelector<HTMLInputElement>("input[name=responsible]")!.value = unit;
  void reload();
});

/** Chooses an entry; `view` is the alert of it whose picture is wanted. */
function choose(alert: Alert, reason: string, view?: string): void {
  list.select(alert.id);
  history.replaceState(null, "", `#${alert.id}`);
  detail.show(alert, reason, view);
  map.show(alert);
  map.alerts(list.alerts, alert.id);
}

/** Chooses the entry of an alert that may not be in the list. */
async function chooseById(id: string, view?: string): Promise<void> {
  const alert = await getAlert(id).catch(() => null);
  if (alert?.view_of) return chooseById(alert.view_of, id);
  if (alert) choose(alert, "review", view);
}

for (const [value, text] of Object.entries(KINDS)) {
  (filters.elements.namedItem("kind") as HTMLSelectElement).add(new Option(text, value));
}

function chooseNewest(): void {
  const newest = list.alerts[0];
  if (newest && newest.id !== list.selected) choose(newest, "live watch");
}

function filter(): Filter {
  const data = new FormData(filters);
  const text = (name: string): string => String(data.get(name) ?? "").trim();
  return { kind: text("kind"), status: text("status"), verdict: text("verdict"), address: text("address"), responsible: text("responsible") };
}

function changed(): void {
  const { alerts } = list;
  byId("tally-listed").textContent = String(alerts.length) + (next ? "+" : "");
  byId("tally-open").textContent = String(alerts.filter(isOpen).length);
  byId("tally-review").textContent = String(alerts.filter((alert) => !decided(alert)).length);
  const filtered = Object.values(filter()).some(Boolean);
  byId("empty").hidden = alerts.length > 0;
  byId("empty-text").textContent = filtered ? "No alert passes these filters." : "All quiet. Alerts appear here the moment they are raised.";
  older.hidden = !next;
  if (followNewest.checked) chooseNewest();
  map.alerts(alerts, list.selected);
}

function problem(text: string): void {
  const node = byId("filter-error");
  node.textContent = text;
  node.hidden = !text;
}

async function reload(): Promise<void> {
  const mine = ++request;
  arrived = [];
  try {
    const page = await listAlerts(filter());
    if (mine !== request) return;
    problem("");
    list.clear();
    list.put(page.alerts);
    for (const alert of arrived) if (alert.view_of) list.remove(alert.id);
    const entries = arrived.filter((alert) => !alert.view_of && matches(alert, filter()));
    list.put(entries.filter((alert) => alert.revision >= (list.get(alert.id)?.revision ?? 0)));
    next = page.next;
    changed();
  } catch (error) {
    if (mine === request) problem((error as Error).message);
  }
}

older.addEventListener("click", async () => {
  if (!next) return;
  const mine = request;
  try {
    const page = await listAlerts(filter(), next);
    if (mine !== request) return;
    list.put(page.alerts);
    next = page.next;
    changed();
  } catch (error) {
    problem((error as Error).message);
  }
});

function take(alert: Alert): void {
  arrived.push(alert);
  if (arrived.length > 200) arrived.shift();
  const known = list.get(alert.id);
  if (alert.view_of) {
    // It is shown in the entry of another alert now.
    list.remove(alert.id);
    if (alert.id === list.selected) void chooseById(alert.view_of, alert.id);
    changed();
    return;
  }
  if (matches(alert, filter())) {
    list.put([alert], true);
    if (!known) byId("announce").textContent = spoken(alert, KINDS[alert.kind] ?? alert.kind);
  } else {
    list.remove(alert.id);
  }
  if (alert.id === list.selected) detail.show(alert, "review");
  changed();
}

async function decide(alert: Alert, decision: Decision, note: string): Promise<void> {
  const fail = (text: string): void => {
    const node = byId("verdict-error");
    node.textContent = text;
    node.hidden = false;
  };
  const by = operator.value.trim();
  if (!by) {
    fail("Say who you are first: a verdict carries a name.");
    operator.focus();
    return;
  }
  try {
    take(await setVerdict(alert.id, decision, by, note));
  } catch (error) {
    fail((error as Error).message);
  }
}

let typing = 0;
filters.addEventListener("submit", (event) => event.preventDefault());
filters.addEventListener("change", () => void reload());
filters.addEventListener("input", (event) => {
  clearTimeout(typing);
  const { target } = event;
  if (!(target instanceof HTMLInputElement)) return;
  // A code is asked for when it is whole at some level, a unit when its code has begun; in between there is nothing wrong yet.
  const text = target.value.trim();
  const whole = target.name === "address" ? [0, 6, 9, 12, 14, 19, 25].includes(text.length) : !text.endsWith(":");
  if (whole) typing = window.setTimeout(() => void reload(), 200);
});
followNewest.addEventListener("change", changed);

document.addEventListener("keydown", (event) => {
  const busy = event.target instanceof HTMLInputElement && event.target.type !== "checkbox";
  if (busy || event.target instanceof HTMLSelectElement || event.ctrlKey || event.metaKey || event.altKey) return;
  const press = (verdict: string): void => document.querySelector<HTMLButtonElement>(`button[data-verdict=${verdict}]`)?.click();
  const keys: Record<string, () => void> = {
    c: () => press("confirmed"),
    f: () => press("false_alarm"),
    j: () => list.step(1),
    k: () => list.step(-1),
    n: () => followNewest.click(),
  };
  keys[event.key.toLowerCase()]?.();
});

/** The chip in the head: green only when the stream is open and every stage works. */
let stream: Connection = "connecting";
let works: boolean | null = null;
function chip(): void {
  const state = stream === "lost" ? "lost" : works === false ? "down" : works === null ? "connecting" : stream;
  const words = { connecting: "Connecting", live: "Live", lost: "Connection lost, trying again", down: "Not working" };
  const node = byId("connection");
  if (node.dataset["state"] === state) return;
  node.dataset["state"] = state;
  node.querySelector("span")!.textContent = words[state];
}

/** Which address base serves; a change shows within half a minute. */
async function followBases(): Promise<void> {
  const bases = await getBases().catch(() => null);
  if (bases) {
    detail.bases(bases);
    map.bases(bases);
  }
  setTimeout(() => void followBases(), 30_000);
}

async function start(): Promise<void> {
  followHealth((yes) => {
    works = yes;
    chip();
  });
  void followBases();
  void followFrames();
  try {
    const { cameras, centre } = await listCameras();
    map.cameras(cameras, centre);
  } catch (error) {
    problem(`Cameras cannot be loaded: ${(error as Error).message}`);
  }
  const wanted = location.hash.slice(1);
  if (wanted) {
    followNewest.checked = false;
    await chooseById(wanted);
  }
  follow({
    alert: take,
    reload: () => void reload(),
    state: (state) => {
      stream = state;
      chip();
    },
  });
}

void start();
