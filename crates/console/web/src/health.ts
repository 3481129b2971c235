// Polls the health of the process and shows it in a banner across the top.
import type { Health, Stage } from "./api";
import { Refused, getHealth } from "./api";
import { byId, el } from "./dom";
import { time } from "./format";

const EVERY_MS = 5_000;
/** Timeout of a response. */
const PATIENCE_MS = 4_000;

/** Display names of the stages; others are shown by their own name. */
const TITLES: Record<string, string> = {
  ingest: "Camera intake",
  adopt: "Metadata import",
  detect: "Detection",
  analyse: "Analysis",
  alert_sink: "Alert storage",
  alert_store: "Alert database",
  console: "Page",
  bus: "Message bus",
  addresses: "Address base",
  frames: "Frames",
  cameras: "Camera settings",
  policies: "Rules of the cameras",
  signals: "Camera signals",
  heartbeats: "Heartbeats",
  ingest_heartbeats: "Heartbeats of camera intake",
  detect_heartbeats: "Heartbeats of detection",
  open_alerts: "Open alerts",
  frame_counts: "Frame counts",
  retention: "Deletion of old alerts",
  operations: "Health and metrics port",
  inbox: "Address base updates",
  startup: "Start of the process",
};

/** Prefix of the stages of sinks. */
const SINK = "sink_";

const title = (stage: string): string => (stage.startsWith(SINK) ? `Delivery to ${stage.slice(SINK.length)}` : (TITLES[stage] ?? stage));

/** One fault: name, state, time and cause. */
interface Fault {
  title: string;
  condition: string;
  since: string;
  detail: string;
}

interface Report {
  level: "works" | "degraded" | "down";
  headline: string;
  faults: Fault[];
}

/** Since when the state of the process is unknown. */
let silentSince = "";
/** The content of the banner. */
let said = "";
let asking = false;

function read(health: Health): Report {
  const stages = Object.entries(health.stages ?? {});
  const faults = (which: (stage: Stage) => boolean): Fault[] =>
    stages.filter(([, stage]) => which(stage)).map(([name, stage]) => ({ title: title(name), ...stage }));
  const degraded = faults((it) => it.condition === "degraded");
  const broken = faults((it) => it.condition !== "running" && it.condition !== "degraded");
  const names = (of: Fault[]): string => of.map((it) => it.title).join(", ");
  if (health.ready !== true || broken.length) {
    return { level: "down", headline: `Not working: ${names(broken) || "no stage has reported yet"}`, faults: [...broken, ...degraded] };
  }
  if (degraded.length) return { level: "degraded", headline: `Working, but with a fault: ${names(degraded)}`, faults: degraded };
  return { level: "works", headline: "", faults: [] };
}

/** A missing report, which counts as a bad one. */
function unanswered(error: unknown): Report {
  silentSince ||= new Date().toISOString();
  const fault = (condition: string, detail: string): Fault => ({ title: "Server", condition, since: silentSince, detail });
  if (error instanceof Refused) {
    const headline = `Not working: the server responds with an error (${error.status})`;
    return { level: "down", headline, faults: [fault("failing", [error.message, error.fix].filter(Boolean).join("; "))] };
  }
  const late = error instanceof DOMException && error.name === "TimeoutError";
  const why = late ? `no response within ${PATIENCE_MS / 1000} s` : error instanceof SyntaxError ? "its response cannot be read" : "it cannot be reached";
  return { level: "down", headline: "Not working: the server does not respond", faults: [fault("silent", `${why}; retried every ${EVERY_MS / 1000} s`)] };
}

function line({ title, condition, since, detail }: Fault): HTMLElement {
  const known = !Number.isNaN(Date.parse(since));
  return el("li", {}, el("strong", {}, title), ` ${condition}`, ...(known ? [" since ", time(since)] : []), detail ? `: ${detail}` : "");
}

function show(report: Report): void {
  // Only changes are rendered: the headline is read aloud, and somebody may be copying a line.
  const words = JSON.stringify(report);
  if (words === said) return;
  said = words;
  const banner = byId("banner");
  banner.dataset["level"] = report.level;
  banner.hidden = report.level === "works";
  byId("banner-faults").replaceChildren(...report.faults.map(line));
  const headline = byId("banner-headline");
  const text = report.level === "down" ? `${report.headline}. Alerts may be missing until this is fixed.` : report.headline;
  headline.setAttribute("role", report.level === "down" ? "alert" : "status");
  if (headline.textContent !== text) headline.textContent = text;
}

async function ask(tell: (works: boolean) => void): Promise<void> {
  if (asking) return;
  asking = true;
  let report: Report;
  try {
    report = read(await getHealth(AbortSignal.timeout(PATIENCE_MS)));
    silentSince = "";
  } catch (error) {
    report = unanswered(error);
  }
  asking = false;
  show(report);
  tell(report.level !== "down");
}

/** Polls now and from now on; `tell` is called with the result after every response and timeout. */
export function followHealth(tell: (works: boolean) => void): void {
  void ask(tell);
  setInterval(() => void ask(tell), EVERY_MS);
  // Browsers throttle the timers of a hidden page.
  document.addEventListener("visibilitychange", () => document.hidden || void ask(tell));
}
