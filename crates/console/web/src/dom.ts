/** Creates an element. Text is always text, never markup. */
export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Record<string, string> = {},
  ...children: (Node | string | null)[]
): HTMLElementTagNameMap[K] {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children.filter((child) => child !== null));
  return node;
}

export function svg(tag: string, attributes: Record<string, string | number>, ...children: (Node | string)[]): SVGElement {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, String(value));
  node.append(...children);
  return node;
}

export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  const node = document.getElementById(id);
  if (!node) throw new Error(`index.html has no #${id}`);
  return node as T;
}

/** Replaces the content of a box. A focused button passes the focus on to the one of the same name. */
export function refill(box: HTMLElement, ...children: Node[]): void {
  const name = (node: Element | null): string => JSON.stringify({ ...(node as HTMLElement | null)?.dataset });
  const focused = box.contains(document.activeElement) ? name(document.activeElement) : "";
  box.replaceChildren(...children);
  if (!focused) return;
  box.dataset["refilling"] = "";
  [...box.querySelectorAll("button")].find((it) => name(it) === focused)?.focus({ preventScroll: true });
  delete box.dataset["refilling"];
}

/** Whether a key is input of a text field or select, not a command of the page. */
export const isTyping = ({ target }: Event): boolean =>
  target instanceof Element && target.matches("input:not([type=checkbox]), select, textarea, [contenteditable]");
