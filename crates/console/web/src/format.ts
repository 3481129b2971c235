import type { Address, PlaceSource, Unit } from "./api";
import { el } from "./dom";

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { day: "2-digit", month: "short" });
const dayAndYear = new Intl.DateTimeFormat("en-GB", { day: "2-digit", month: "short", year: "numeric" });

/** A time in the browser's zone, with UTC on hover. */
export function time(iso: string, dated = false): HTMLTimeElement {
  const at = new Date(iso);
  const now = new Date();
  let text = clock.format(at);
  if (at.getFullYear() !== now.getFullYear()) text = `${dayAndYear.format(at)} ${text}`;
  else if (dated || at.toDateString() !== now.toDateString()) text = `${day.format(at)} ${text}`;
  return el("time", { datetime: iso, title: `${iso.replace("T", " ").replace(/\.?\d*Z$/, "")} UTC` }, text);
}

export function duration(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const minutes = Math.floor(seconds / 60);
  const rest = `${String(Math.round(seconds % 60)).padStart(2, "0")} s`;
  return minutes < 60 ? `${minutes} min ${rest}` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export const metres = (value: number): string => `${value < 10 ? value.toFixed(1) : Math.round(value)} m`;
export const percent = (value: number): string => `${Math.round(value * 100)} %`;

/** Distance of the point from the ground of the address: a building's footprint, or outdoors the basic grid. */
export const distance = (address: { distance_m: number; level: string }): string => {
  const ground = address.level === "grid" ? "grid" : "footprint";
  return address.distance_m === 0 ? `inside the ${ground}` : `${metres(address.distance_m)} from the ${ground}`;
};

/** The code in its parts (district, street, community, grid, building, room); copied as one. */
export function code(text: string): HTMLElement {
  const node = el("code", { class: "code", title: "Standard address code (SZDB/Z 281-2017)" });
  const names = ["district", "street", "community", "grid", "building", "room"];
  let from = 0;
  [6, 3, 3, 2, 5, 6].forEach((length, index) => {
    const part = text.slice(from, from + length);
    from += length;
    if (part) node.append(el("span", { class: part.startsWith("*") ? "pad" : "", title: names[index] ?? "" }, part));
  });
  return node;
}

export function addressText(address: Address | null): HTMLElement {
  return address
    ? el("span", { class: "address", lang: "zh-Hans" }, address.text)
    : el("span", { class: "address none" }, "No standard address");
}

/** Number of candidate addresses, if ambiguous. */
export const ambiguity = (address: Address): string => (address.ambiguous ? `one of ${address.alternatives.length + 1}` : "");

/** A unit in the format of the filter. */
export const unitKey = (unit: Unit): string => `${unit.kind}:${unit.code}`;

/** `city_management` in readable form. */
export const unitKind = (unit: Unit): string => unit.kind.replaceAll("_", " ");

/** Whether `wanted`, `KIND:CODE` or `CODE`, names the unit. */
export const namesUnit = (wanted: string, unit: Unit): boolean => wanted === unitKey(unit) || wanted === unit.code;

export const SOURCES: Record<PlaceSource, string> = {
  calibration: "projected through the camera's calibration",
  above_horizon: "the camera's own place: the point lies above the horizon",
  camera_position: "the camera's own place: it is not calibrated, or the alert is about the camera",
};
