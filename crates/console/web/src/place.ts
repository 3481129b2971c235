import type { Address, Alert, Bases } from "./api";
import { el } from "./dom";
import { SOURCES, metres, percent, unitKey, unitKind } from "./format";

/** A named fact of a card. */
export const fact = (name: string, ...value: (Node | string)[]): HTMLElement => el("div", {}, el("dt", {}, name), el("dd", {}, ...value));

/** Stacked cards. */
export const stack = (...cards: (HTMLElement | null)[]): HTMLElement => el("div", { class: "stack" }, ...cards);

export const card = (title: string, ...facts: HTMLElement[]): HTMLElement =>
  el("section", { class: "card" }, el("h3", {}, title), el("dl", {}, ...facts));

const chinese = (text: string): HTMLElement => el("span", { lang: "zh-Hans" }, text);

/** The place of the alert, with its accuracy. */
export function whereCard(alert: Alert): HTMLElement {
  const { place } = alert;
  const { address } = place;
  return card(
    "Where",
    fact("Camera", alert.camera),
    fact("WGS 84", `${place.latitude.toFixed(6)}, ${place.longitude.toFixed(6)} ± ${metres(place.error_m)}`),
    fact("Located by", SOURCES[place.source]),
    ...(address ? [fact("Address confidence", percent(address.confidence))] : []),
  );
}

/** Nearby: road and door plate of a place outdoors, and the alternative addresses. */
export function nearbyCard(address: Address | null): HTMLElement | null {
  if (!address) return null;
  const { road, plate, alternatives: others } = address;
  const facts = [
    ...(road ? [fact("Nearest road", chinese(road.name), `, ${metres(road.distance_m)}`)] : []),
    ...(plate ? [fact("Nearest door plate", chinese(plate.text), `, ${metres(plate.distance_m)}`)] : []),
    ...(others.length
      ? [
          fact(
            address.ambiguous ? "Nearly as likely" : "Alternatives",
            el("ul", { lang: "zh-Hans" }, ...others.map((other) => el("li", {}, other.text, ` ${percent(other.confidence)}, ${metres(other.distance_m)}`))),
          ),
        ]
      : []),
  ];
  return facts.length ? card("Nearby", ...facts) : null;
}

/** The responsible units; pressing one lists its alerts. */
export function unitsCard(address: Address | null, choose: (unit: string) => void): HTMLElement {
  const units = (address?.responsible ?? []).map((unit) => {
    const button = el("button", { type: "button", class: "unit", "data-unit": unitKey(unit), title: `List the alerts of ${unitKey(unit)}` });
    button.append(el("b", {}, unitKind(unit)), chinese(unit.name || unit.code), el("code", {}, unit.code));
    button.addEventListener("click", () => choose(unitKey(unit)));
    return el("li", {}, button);
  });
  const card = el("section", { class: "card" }, el("h3", {}, "Responsible units"));
  card.append(units.length ? el("ul", { class: "units" }, ...units) : el("p", { class: "said" }, "No working grid of the address base contains this place."));
  return card;
}

/** The base of the address, and whether it is still in force. */
export function baseFact(address: Address, bases: Bases | null): HTMLElement {
  const serving = bases?.current?.version;
  const said = !serving
    ? ""
    : serving === address.base_version
      ? ", in force"
      : `, no longer current: ${serving} is in force`;
  return fact("Address base", el("span", { id: "base", class: said.includes("no longer") ? "old" : "" }, address.base_version + said));
}
