// The API as the page uses it; described by the server at /api/v1/openapi.json.

/** The kinds of rules, as `docs/RULES.md` names them. */
export type Kind =
  | "presence"
  | "line_crossing"
  | "dwell"
  | "count"
  | "density"
  | "gathering"
  | "stopped"
  | "wrong_way"
  | "zone_entry"
  | "zone_exit"
  | "left_object"
  | "removed_object"
  | "speed"
  | "running"
  | "tailgating"
  | "sequence"
  | "absence"
  | "together"
  | "offline"
  | "low_frame_rate"
  | "clock_drift"
  | "frozen"
  | "covered"
  | "blurred"
  | "moved";
export type Severity = "critical" | "high" | "medium" | "low";
export type Decision = "confirmed" | "false_alarm";

export interface Candidate {
  code: string;
  text: string;
  distance_m: number;
  confidence: number;
}

/** A working grid (police, fire ...) that answers for a place. */
export interface Unit {
  kind: string;
  code: string;
  name: string;
}

export interface Address extends Candidate {
  level: string;
  alternatives: Candidate[];
  ambiguous: boolean;
  road: { name: string; distance_m: number } | null;
  plate: { text: string; code: string; distance_m: number } | null;
  responsible: Unit[];
  base_version: string;
  synthetic: boolean;
}

export interface Place {
  latitude: number;
  longitude: number;
  error_m: number;
  source: string;
  address: Address | null;
}

export interface Verdict {
  verdict: Decision;
  by: string;
  note: string;
  at: string;
}

/** The alert of another camera that shows the same event. */
export interface View {
  id: string;
  revision: number;
  status: "open" | "ended";
  severity: Severity;
  camera: string;
  rule: string;
  started: string;
  raised: string;
  ended: string | null;
  place: Place;
  snapshot: string;
  verdict: Verdict | null;
}

export interface Alert {
  id: string;
  revision: number;
  status: "open" | "ended";
  kind: Kind;
  severity: Severity;
  camera: string;
  started: string;
  raised: string;
  ended: string | null;
  objects: { track: number; class: string; score: number; box_px: { x: number; y: number; width: number; height: number } }[];
  direction: "left_to_right" | "right_to_left" | "both" | null;
  why: { rule: string; rule_name: string; policy_version: number; quantity: string; measured: number; threshold: number };
  place: Place;
  evidence: {
    snapshot: string;
    captured: string;
    frame_width_px: number;
    frame_height_px: number;
    path: { at: string; x_px: number; y_px: number }[];
  };
  quality: { clock_drift: boolean; degraded: boolean; corrupt: boolean; shed_frames: number };
  model: { name: string; version: string };
  verdict: Verdict | null;
  /** The alert that leads the event; absent when this one does. */
  view_of?: string;
  /** The alerts of other cameras that show the same event. */
  views: View[];
}

/** What became of frames: each was analysed, or shed for one reason. */
export interface Frames {
  cameras: number;
  frames: number;
  analysed: number;
  shed: Record<string, number>;
}

export interface Camera {
  id: string;
  name: string;
  purpose: string;
  enabled: boolean;
  latitude: number;
  longitude: number;
  address: string | null;
  view: [number, number][];
}

export interface Filter {
  kind: string;
  status: string;
  verdict: string;
  address: string;
  responsible: string;
}

/** What a code names in the base that serves now. */
export interface Entity {
  code: string;
  level: string;
  text: string;
  geometry: GeoJSON.Geometry | null;
  base_version: string;
}

export interface Bases {
  current: { version: string; synthetic: boolean; from: string | null } | null;
  standing_refusal: { version: string; detail: string } | null;
}

/** How one stage is, and since when (RFC 3339). */
export interface Stage {
  condition: "starting" | "running" | "degraded" | "failed" | "stopped";
  detail: string;
  since: string;
}

/** How the process is. */
export interface Health {
  ready: boolean;
  stages: Record<string, Stage>;
}

/** Part of the map; `truncated` when there is more than fits in one answer. */
export type Features = GeoJSON.FeatureCollection & { truncated: boolean };

/** Milliseconds after which a verdict without an answer is given up. */
export const VERDICT_MS = 10_000;

/** A refusal with what the server says about it. */
export class Refused extends Error {
  constructor(readonly status: number, detail: string, readonly fix: string) {
    super(detail);
  }
}

async function refuse(response: Response): Promise<never> {
  const problem = await response.json().catch(() => ({}));
  throw new Refused(response.status, problem.detail ?? `the server answered ${response.status}`, problem.fix ?? "");
}

async function json<T>(path: string, init?: RequestInit): Promise<T> {
  const response = await fetch(path, init);
  return response.ok ? response.json() : refuse(response);
}

export function listAlerts(filter: Filter, before?: string): Promise<{ alerts: Alert[]; next: string | null }> {
  const query = new URLSearchParams({ limit: "100" });
  for (const [name, value] of Object.entries({ ...filter, before })) if (value) query.set(name, value);
  return json(`/api/v1/alerts?${query}`);
}

export const getAlert = (id: string): Promise<Alert> => json(`/api/v1/alerts/${encodeURIComponent(id)}`);

export const listCameras = (): Promise<{ cameras: Camera[]; centre: { latitude: number; longitude: number } | null }> =>
  json("/api/v1/cameras");

export const getFeatures = (kind: "footprints" | "grids" | "roads", bbox: string, signal: AbortSignal): Promise<Features> =>
  json(`/api/v1/map/${kind}?bbox=${bbox}`, { signal });

export const getEntity = (code: string): Promise<Entity> => json(`/api/v1/addresses/${encodeURIComponent(code)}`);

export const getFrames = (): Promise<Frames> => json("/api/v1/frames");

export const getBases = (): Promise<Bases> => json("/api/v1/addresses/base");

export const getHealth = (signal: AbortSignal): Promise<Health> => json("/healthz", { signal });

/** A verdict about an alert as it was shown: its id and revision go with it. */
export function setVerdict(about: Alert, verdict: Decision, by: string, note: string): Promise<Alert> {
  return json(`/api/v1/alerts/${encodeURIComponent(about.id)}/verdict`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ verdict, by, note, revision: about.revision }),
    signal: AbortSignal.timeout(VERDICT_MS),
  });
}

/** The snapshot; every call is recorded on the server with who looks and why. */
export async function getSnapshot(path: string, by: string, reason: string, signal: AbortSignal): Promise<Blob> {
  const query = new URLSearchParams({ reason });
  if (by) query.set("by", by);
  const response = await fetch(`${path}?${query}`, { signal });
  return response.ok ? response.blob() : refuse(response);
}
