// A list with a filter, of which some rows are drawn.
import { el, refill } from "./dom";
import { say } from "./words";

/** Most rows drawn at once. */
const MOST = 200;

/** Something that a row offers. */
export interface Act {
  name: string;
  label: string;
  press: () => void;
}

export interface Row {
  /** It names the row. */
  key: string;
  /** What its buttons are about, for those who do not see the row. */
  about: string;
  cells: (Node | string)[];
  /** What the filter compares. */
  words: string;
  acts: Act[];
}

export class Listing {
  readonly box: HTMLElement;
  readonly filter = el("input", { id: "admin-filter", type: "search", autocomplete: "off", spellcheck: "false" });
  private readonly head = el("tr", {});
  private readonly body = el("tbody", {});
  private readonly table = el("table", {}, el("thead", {}, this.head), this.body);
  private readonly count = el("p", { class: "help", id: "admin-count" });
  private columns: string[] = [];
  private rows: Row[] = [];
  private none = "";

  constructor() {
    this.filter.addEventListener("input", () => this.draw());
    this.box = el("div", { class: "listing" }, this.table, this.count);
  }

  /** Another list: nothing of the previous one stays. */
  begin(label: string, columns: string[], none: string): void {
    this.columns = columns;
    this.none = none;
    this.filter.value = "";
    this.table.setAttribute("aria-label", label);
    this.head.replaceChildren(...columns.map((column) => el("th", { scope: "col" }, column)), el("th", { scope: "col" }, el("span", { class: "unseen" }, say("Actions", "操作"))));
    this.clear();
  }

  clear(): void {
    this.rows = [];
    this.body.replaceChildren();
    this.count.textContent = "";
  }

  show(rows: Row[]): void {
    this.rows = rows;
    this.draw();
  }

  /** Focuses a row's button, or the filter if it is gone. */
  focus(key: string, act: string): void {
    const wanted = [...this.body.querySelectorAll("button")].find(({ dataset }) => dataset["of"] === key && dataset["act"] === act);
    (wanted ?? this.filter).focus();
  }

  private draw(): void {
    const wanted = this.filter.value.trim().toLowerCase();
    const found = this.rows.filter(({ words }) => words.toLowerCase().includes(wanted));
    const more = found.length - MOST;
    const held = this.body.contains(document.activeElement);
    refill(this.body, ...found.slice(0, MOST).map((row) => this.row(row)));
    if (held && !this.body.contains(document.activeElement)) this.filter.focus();
    this.table.hidden = found.length === 0;
    this.count.textContent = !this.rows.length ? this.none : !found.length ? say("Nothing matches the filter.", "没有符合筛选条件的项目。") : more > 0 ? say(`${more} more: type in the filter to find them.`, `另有 ${more} 项：请输入筛选条件查找。`) : "";
  }

  private row({ key, about, cells, acts }: Row): HTMLElement {
    const buttons = acts.map(({ name, label, press }) => {
      const node = el("button", { type: "button", class: "quit", "data-of": key, "data-act": name, "aria-label": `${label}: ${about}` }, label);
      node.addEventListener("click", press);
      return node;
    });
    // On a narrow screen a row is a block, and each cell says what it is.
    const data = cells.map((cell, index) => el(index ? "td" : "th", { ...(index ? {} : { scope: "row" }), "data-label": this.columns[index] ?? "" }, cell));
    return el("tr", { "data-key": key }, ...data, el("td", { class: "acts" }, ...buttons));
  }
}
