// The rule kinds as described by the server: titles, quantities and order.
import type { Alert, Direction, Measure, RuleKind, Text } from "./api";
import { listRuleKinds } from "./api";
import { duration } from "./format";

/** Interval of retries. */
const AGAIN_MS = 5_000;
/** Timeout of a response. */
const PATIENCE_MS = 4_000;
/** The page's language among those of the server's texts. */
const LANGUAGE: keyof Text = "en";

/** By name, in the server's order; empty until loaded. */
let kinds = new Map<string, RuleKind>();

const say = (text: Text): string => text[LANGUAGE];

/** Title of a kind; the name of an unknown one. */
export function title(name: string): string {
  const kind = kinds.get(name);
  return kind ? say(kind.title) : name;
}

const WAYS: Record<Direction, string> = { left_to_right: ", from left to right", right_to_left: ", from right to left", both: "" };

/** The rule's measured value against its threshold, in words. */
export function why(alert: Alert): string {
  const { quantity, measured, threshold } = alert.why;
  const kind = kinds.get(alert.kind);
  // A crossing has no measured value.
  if (kind && quantity === "crossings") return say(kind.sentence).replace(/\.$/, "") + (alert.direction ? WAYS[alert.direction] : "");
  const measure = kind?.measures.find((it) => it.quantity === quantity);
  return `${amount(quantity, measured, measure)}, threshold ${bare(quantity, threshold)}${measure ? (measure.at_most ? " or less" : " or more") : ""}`;
}

function amount(quantity: string, value: number, measure: Measure | undefined): string {
  if (quantity === "duration_seconds") return `held ${duration(value)}`;
  return measure ? `${bare(quantity, value)} ${say(measure.unit)}` : `${quantity.replaceAll("_", " ")} ${bare(quantity, value)}`;
}

function bare(quantity: string, value: number): string {
  if (quantity === "duration_seconds") return duration(value);
  return String(Number(value.toFixed(2)));
}

/** Polls the kinds until they are loaded, then calls `loaded`. Resolves after the first response or timeout. */
export async function loadKinds(loaded: (names: string[]) => void): Promise<void> {
  const told = await listRuleKinds(AbortSignal.timeout(PATIENCE_MS))
    .then((answer) => new Map(answer.map((kind) => [kind.name, kind])))
    .catch(() => null);
  if (!told) return void setTimeout(() => void loadKinds(loaded), AGAIN_MS);
  kinds = told;
  loaded([...kinds.keys()]);
}
