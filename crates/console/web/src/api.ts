// The API as the page uses it. Its types are generated from ../openapi.json, the description that the server publishes at
// /api/v1/openapi.json: no response is described here again.
import type { components, operations } from "./openapi";

type Schemas = components["schemas"];

export type Account = Schemas["AccountJson"];
export type AccountChange = Schemas["AccountChangeRequest"];
export type AccountRequest = Schemas["AccountRequest"];
export type Address = Schemas["AddressJson"];
export type Alert = Schemas["AlertJson"];
export type AlertPage = Schemas["AlertList"];
export type Bases = Schemas["BaseReport"];
export type Camera = Schemas["CameraSummary"];
export type CameraList = Schemas["CameraList"];
export type Decision = Schemas["Decision"];
export type Direction = Schemas["Direction"];
/** The entity of a code in the base in force. */
export type Entity = Schemas["EntityJson"];
/** Part of the map; `truncated` when it exceeds one response. */
export type Features = Schemas["FeatureCollection"];
export type Frames = Schemas["FrameReport"];
export type Grant = Schemas["GrantJson"];
export type Health = Schemas["HealthReport"];
export type LoginWays = Schemas["WaysJson"];
export type Measure = Schemas["MeasureJson"];
export type NewToken = Schemas["NewTokenJson"];
export type OpenSession = Schemas["OpenSessionJson"];
export type PlaceSource = Schemas["PlaceSource"];
export type Problem = Schemas["ProblemJson"];
export type RuleKind = Schemas["RuleKindJson"];
export type Session = Schemas["SessionJson"];
export type Severity = Schemas["Severity"];
export type Stage = Schemas["StageReport"];
export type Text = Schemas["TextJson"];
export type Token = Schemas["TokenJson"];
export type TokenRequest = Schemas["TokenRequest"];
/** A working grid (police, fire ...) responsible for a place. */
export type Unit = Schemas["UnitJson"];
export type Verdict = Schemas["VerdictJson"];
export type VerdictRequest = Schemas["VerdictRequest"];
/** The alert of another camera about the same event. */
export type View = Schemas["ViewJson"];

type ListQuery = NonNullable<operations["listAlerts"]["parameters"]["query"]>;
/** The filters of the list, as in the form; empty matches anything. */
export type Filter = Record<keyof Pick<ListQuery, "kind" | "status" | "verdict" | "address" | "responsible">, string>;

/** The folder of the page, with a final slash: the script is at `assets/` in it. A proxy may publish it under any path. */
const BASE = new URL("..", import.meta.url);

/** The address of a path below the page's folder; it begins without a slash. */
export const below = (path: string): string => new URL(`./${path}`, BASE).href;

/** Timeout of a verdict, in milliseconds. */
export const VERDICT_MS = 10_000;

/** A refusal with the server's reason. */
export class Refused extends Error {
  constructor(readonly status: number, detail: string, readonly fix: string, readonly problem: Partial<Problem> = {}) {
    super(detail);
  }
}

/** The event of a request that was refused because nobody is logged in any more. */
export const UNKNOWN = "vedette-unknown";

async function refuse(response: Response): Promise<never> {
  if (response.status === 401) document.dispatchEvent(new Event(UNKNOWN));
  const problem: Partial<Problem> = await response.json().catch(() => ({}));
  throw new Refused(response.status, problem.detail ?? `the server answered ${response.status}`, problem.fix ?? "", problem);
}

async function json<T>(path: string, init?: RequestInit): Promise<T> {
  const response = await fetch(below(path), init);
  if (!response.ok) return refuse(response);
  return response.status === 204 ? (undefined as T) : response.json();
}

const posted = (body: unknown): RequestInit => ({
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify(body),
});

/** The caller. */
export const getSession = (): Promise<Session> => json("api/v1/session");

/** The ways to log in besides name and password. */
export const getLoginWays = (): Promise<LoginWays> => json("api/v1/session/ways");

export const logIn = (name: string, password: string): Promise<Session> => json("api/v1/session", posted({ name, password }));

export const logOut = (): Promise<void> => json("api/v1/session", { method: "DELETE" });

/** Sets the person's own password. All sessions of the account end. */
export const setPassword = (old: string, fresh: string): Promise<void> => json("api/v1/session/password", posted({ old, new: fresh }));

export const listAccounts = (): Promise<Account[]> => json("api/v1/accounts");

export const addAccount = (account: AccountRequest): Promise<Account> => json("api/v1/accounts", posted(account));

export const changeAccount = (name: string, change: AccountChange): Promise<Account> =>
  json(`api/v1/accounts/${encodeURIComponent(name)}`, posted(change));

export const removeAccount = (name: string): Promise<void> => json(`api/v1/accounts/${encodeURIComponent(name)}`, { method: "DELETE" });

export const listSessions = (): Promise<OpenSession[]> => json("api/v1/sessions");

export const endSession = (id: string): Promise<void> => json(`api/v1/sessions/${encodeURIComponent(id)}`, { method: "DELETE" });

export const listTokens = (): Promise<Token[]> => json("api/v1/tokens");

/** Makes a token. Its secret is in this answer only. */
export const addToken = (token: TokenRequest): Promise<NewToken> => json("api/v1/tokens", posted(token));

export const revokeToken = (name: string): Promise<void> => json(`api/v1/tokens/${encodeURIComponent(name)}`, { method: "DELETE" });

export function listAlerts(filter: Filter, before?: string): Promise<AlertPage> {
  const query = new URLSearchParams({ limit: "100" });
  for (const [name, value] of Object.entries({ ...filter, before })) if (value) query.set(name, value);
  return json(`api/v1/alerts?${query}`);
}

export const getAlert = (id: string): Promise<Alert> => json(`api/v1/alerts/${encodeURIComponent(id)}`);

export const listCameras = (): Promise<CameraList> => json("api/v1/cameras");

export const listRuleKinds = (signal: AbortSignal): Promise<RuleKind[]> => json("api/v1/rule-kinds", { signal });

export const getFeatures = (kind: "footprints" | "grids" | "roads", bbox: string, signal: AbortSignal): Promise<Features> =>
  json(`api/v1/map/${kind}?bbox=${bbox}`, { signal });

export const getEntity = (code: string): Promise<Entity> => json(`api/v1/addresses/${encodeURIComponent(code)}`);

export const getFrames = (): Promise<Frames> => json("api/v1/frames");

export const getBases = (): Promise<Bases> => json("api/v1/addresses/base");

export const getHealth = (signal: AbortSignal): Promise<Health> => json("healthz", { signal });

/** A verdict on an alert as displayed, with its id and revision. */
export function setVerdict(about: Alert, verdict: Decision, by: string | null, note: string): Promise<Alert> {
  const request: VerdictRequest = { verdict, by, note, revision: about.revision };
  const signal = AbortSignal.timeout(VERDICT_MS);
  return json(`api/v1/alerts/${encodeURIComponent(about.id)}/verdict`, { ...posted(request), signal });
}

/** The snapshot; the server records every call with viewer and purpose. */
export const getSnapshot = (id: string, by: string, reason: string, signal: AbortSignal): Promise<Blob> =>
  evidence(id, "snapshot", by, reason, signal);

/** The clip; likewise. */
export const getClip = (id: string, by: string, reason: string, signal: AbortSignal): Promise<Blob> =>
  evidence(id, "clip", by, reason, signal);

async function evidence(id: string, what: "snapshot" | "clip", by: string, reason: string, signal: AbortSignal): Promise<Blob> {
  const query = new URLSearchParams({ reason });
  if (by) query.set("by", by);
  const response = await fetch(below(`api/v1/alerts/${encodeURIComponent(id)}/${what}?${query}`), { signal });
  return response.ok ? response.blob() : refuse(response);
}
