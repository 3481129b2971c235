import "leaflet/dist/leaflet.css";
import type { Alert, Decision, Filter } from "./api";
import { getAlert, getBases, listAlerts, setVerdict } from "./api";
import { followCameras } from "./cameras";
import { Detail } from "./detail";
import { byId, isTyping } from "./dom";
import { account } from "./session";
import { decided, isOpen } from "./event";
import { Following } from "./following";
import { followFrames } from "./frames";
import { followHealth } from "./health";
import { loadKinds, title } from "./kinds";
import { AlertList, matches } from "./list";
import { AlertMap, spoken } from "./map";
import type { Connection } from "./stream";
import { follow } from "./stream";
import { unstored } from "./verdict";

/** The name of the person while there are no accounts. */
const operator = byId<HTMLInputElement>("operator");
const operatorError = byId("operator-error");
const filters = byId<HTMLFormElement>("filters");
const older = byId<HTMLButtonElement>("older");
let next: string | null = null;
let request = 0;
/** Changes from the stream while the list is being loaded: they may be newer than the response. */
let arrived: Alert[] = [];

operator.value = localStorage.getItem("vedette.operator") ?? "";
operator.addEventListener("input", () => nameless(false));
operator.addEventListener("change", () => localStorage.setItem("vedette.operator", operator.value.trim()));

const following = new Following(changed);
const list = new AlertList((alert, unsure) => {
  following.pause();
  choose(alert, "review", !unsure);
});
const map = new AlertMap((id) => {
  const alert = list.get(id);
  if (!alert) return;
  following.pause();
  choose(alert, "review", true);
});
const goBack = (alert: Alert): void => void chooseById(alert.id, true);
const detail = new Detail(() => (account() ? "" : operator.value.trim()), decide, goBack, (unit) => {
  filters.querySelector<HTMLInputElement>("input[name=responsible]")!.value = unit;
  void reload();
});

/** Selects an entry; `chosen` by a person; `view` is the alert whose picture is to be shown. */
function choose(alert: Alert, reason: string, chosen: boolean, view?: string): void {
  list.select(alert.id);
  history.replaceState(null, "", `#${alert.id}`);
  detail.show(alert, reason, chosen, view);
  map.show(alert);
  map.alerts(list.alerts, alert.id);
}

/** Selects the entry of an alert that may not be in the list, unless another one is selected meanwhile. */
async function chooseById(id: string, chosen: boolean, view?: string): Promise<void> {
  const before = list.selected;
  const alert = await getAlert(id).catch(() => null);
  if (list.selected !== before) return;
  if (alert?.view_of) return chooseById(alert.view_of, chosen, id);
  if (alert) choose(alert, "review", chosen, view);
}

/** The kinds are loaded: they can be selected and have titles. */
function renamed(names: string[]): void {
  const box = filters.elements.namedItem("kind") as HTMLSelectElement;
  for (const name of names) box.add(new Option(title(name), name));
  list.renamed();
  detail.renamed();
}

function chooseNewest(): void {
  const newest = list.alerts[0];
  if (newest && newest.id !== list.selected) choose(newest, "live watch", false);
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
  byId("empty-text").textContent = filtered ? "No alert matches these filters." : "No alerts. Alerts appear here as soon as they are raised.";
  older.hidden = !next;
  if (following.on) chooseNewest();
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
  // The response to a verdict may arrive after newer changes from the stream.
  if (known && known.revision > alert.revision) return;
  if (alert.view_of) {
    // It is shown in the entry of another alert now.
    list.remove(alert.id);
    if (alert.id === list.selected) void chooseById(alert.view_of, false, alert.id);
    changed();
    return;
  }
  if (matches(alert, filter())) {
    list.put([alert], true);
    if (!known) byId("announce").textContent = spoken(alert, title(alert.kind));
  } else {
    list.remove(alert.id);
  }
  if (alert.id === list.selected) detail.show(alert, "review", false);
  changed();
}

/** Shows next to the field that a verdict needs a name. */
function nameless(yes: boolean): void {
  operatorError.hidden = !yes;
  operator.setAttribute("aria-invalid", String(yes));
  if (yes) operator.focus();
}

/** Verdicts are sent one after the other, so that of two on the same alert the later one stays. */
let sent: Promise<void> = Promise.resolve();
/** The last of them, until its response: two quick presses count once. */
let leaving = "";

function decide(about: Alert, decision: Decision, note: string): void {
  // An account acts under its own name.
  const by = account() ? null : operator.value.trim();
  if (by === "") return nameless(true);
  const words = JSON.stringify([about.id, decision, by, note]);
  if (words === leaving) return;
  leaving = words;
  detail.panel.busy(true);
  sent = sent.then(async () => {
    await send(about, decision, by, note);
    if (leaving !== words) return;
    leaving = "";
    detail.panel.busy(false);
  });
}

async function send(about: Alert, decision: Decision, by: string | null, note: string): Promise<void> {
  try {
    const stored = await setVerdict(about, decision, by, note);
    detail.panel.keep(about.id);
    // A verdict on a view is shown in the entry of its event; if that cannot be fetched now, the stream brings it.
    const entry = stored.view_of ? await getAlert(stored.view_of).catch(() => null) : stored;
    if (entry) take(entry);
  } catch (error) {
    detail.panel.lose(about, unstored(error));
  }
}

let typing = 0;
filters.addEventListener("submit", (event) => event.preventDefault());
filters.addEventListener("change", () => void reload());
filters.addEventListener("input", (event) => {
  clearTimeout(typing);
  const { target } = event;
  if (!(target instanceof HTMLInputElement)) return;
  // A code is searched once it is complete at some level, a unit once its code has begun; anything in between is no error yet.
  const text = target.value.trim();
  const whole = target.name === "address" ? [0, 6, 9, 12, 14, 19, 25].includes(text.length) : !text.endsWith(":");
  if (whole) typing = window.setTimeout(() => void reload(), 200);
});
document.addEventListener("keydown", (event) => {
  // A key in a dialog is not for the page beneath.
  if (document.querySelector("dialog[open]")) return;
  if (isTyping(event) || event.ctrlKey || event.metaKey || event.altKey || event.getModifierState("AltGraph")) return;
  const press = (verdict: string): void => document.querySelector<HTMLButtonElement>(`button[data-verdict=${verdict}]`)?.click();
  const moves: Record<string, () => void> = { j: () => list.step(1), k: () => list.step(-1) };
  const acts: Record<string, () => void> = { c: () => press("confirmed"), f: () => press("false_alarm"), n: () => following.toggle() };
  const key = event.key.toLowerCase();
  const act = moves[key] ?? acts[key];
  // A held key keeps moving, and decides once: as a letter, and on a focused button.
  const held = event.repeat && !moves[key];
  if (act || (held && (event.target as Element).closest("[data-verdict]"))) event.preventDefault();
  if (!held) act?.();
});

/** The status in the head: green only when the stream is open and every stage works. */
let stream: Connection = "connecting";
let works: boolean | null = null;
function chip(): void {
  const state = stream === "lost" ? "lost" : works === false ? "down" : works === null ? "connecting" : stream;
  const words = { connecting: "Connecting", live: "Live", lost: "Connection lost, reconnecting", down: "Not working" };
  const node = byId("connection");
  if (node.dataset["state"] === state) return;
  node.dataset["state"] = state;
  node.querySelector("span")!.textContent = words[state];
}

/** Updates the address base in force; a change is shown within half a minute. */
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
  const kinds = loadKinds(renamed);
  try {
    await followCameras(({ cameras, centre }) => map.cameras(cameras, centre));
  } catch (error) {
    problem(`Cameras cannot be loaded: ${(error as Error).message}`);
  }
  // Show no raw name when its title is about to arrive.
  await kinds;
  const wanted = location.hash.slice(1);
  if (wanted) {
    following.pause();
    await chooseById(wanted, true);
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
