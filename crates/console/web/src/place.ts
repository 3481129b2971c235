import type { Address, Alert, Bases } from "./api";
import { el } from "./dom";
import { SOURCES, metres, percent, unitKey, unitKind } from "./format";

/** A named fact of a card. */
export const fact = (name: string, ...value: (Node | string)[]): HTMLElement => el("div", {}, el("dt", {}, name), el("dd", {}, ...value));

/** Cards one below the other. */
export const stack = (...cards: (HTMLElement | null)[]): HTMLElement => el("div", { class: "stack" }, ...cards);

export const card = (title: string, ...facts: HTMLElement[]): HTMLElement =>
  el("section", { class: "card" }, el("h3", {}, title), el("dl", {}, ...facts));

const chinese = (text: string): HTMLElement => el("span", { lang: "zh-Hans" }, text);

/** Where it happened, and how sure that is. */
export function whereCard(alert: Alert): HTMLElement {
  const { place } = alert;
  const { address } = place;
  return card(
    "Where",
    fact("Camera", alert.camera),
    fact("WGS 84", `${place.latitude.toFixed(6)}, ${place.longitude.toFixed(6)} ± ${metres(place.error_m)}`),
    fact("Found by", SOURCES[place.source]),
    ...(address ? [fact("Address is right with", percent(address.confidence))] : []),
  );
}

/** What else is near: road and door plate of a place outdoors, and the addresses that may be meant instead. */
export function nearbyCard(address: Address | null): HTMLElement | null {
  if (!address) return null;
  const { road, plate, alternatives: others } = address;
  const facts = [
    ...(road ? [fact("Nearest road", chinese(road.name), `, ${metres(road.distance_m)}`)] : []),
    ...(plate ? [fact("Nearest door plate", chinese(plate.text), `, ${metres(plate.distance_m)}`)] : []),
    ...(others.length
      ? [
          fact(
            address.ambiguous ? "Nearly as likely" : "May also be",
            el("ul", { lang: "zh-Hans" }, ...others.map((other) => el("li", {}, other.text, ` ${percent(other.confidence)}, ${metres(other.distance_m)}`))),
          ),
        ]
      : []),
  ];
  return facts.length ? card("Nearby", ...facts) : null;
}

/** Who answers for the place; a unit lists its alerts when it is pressed. */
export function unitsCard(address: Address | null, choose: (unit: string) => void): HTMLElement {
  const units = (address?.responsible ?? []).map((unit) => {
    const button = el("button", { type: "button", class: "unit", "data-unit": unitKey(unit), title: `List the alerts of ${unitKey(unit)}` });
    button.append(el("b", {}, unitKind(unit)), chinese(unit.name || unit.code), el("code", {}, unit.code));
    button.addEventListener("click", () => choose(unitKey(unit)));
    return el("li", {}, button);
  });
  const card = el("section", { class: "card" }, el("h3", {}, "Who answers for it"));
  card.append(units.length ? el("ul", { class: "units" }, ...units) : el("p", { class: "said" }, "No working grid of the address base holds this place."));
  return card;
}

/** The base that the address is from, and whether it still serves. */
export function baseFact(address: Address, bases: Bases | null): HTMLElement {
  const serving = bases?.current?.version;
  const said = !serving
    ? ""
    : serving === address.base_version
      ? ", serves now"
      : `, no longer current: ${serving} serves now`;
  return fact("Address base", el("span", { id: "base", class: said.includes("no longer") ? "old" : "" }, address.base_version + said));
}
