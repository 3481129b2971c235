// The dialog of accounts, open sessions and tokens, for those who may administer them.
import { Refused, UNKNOWN } from "./api";
import { byId, el } from "./dom";
import type { Row } from "./listing";
import { Listing } from "./listing";
import { people } from "./people";
import { explain } from "./problems";
import type { Done, Question, Values } from "./question";
import { QuestionBox } from "./question";
import { sessions } from "./sessions";
import { tokens } from "./tokens";
import { LANGUAGE, say } from "./words";

/** A part of the dialog: a list and what can be done with it. */
export interface Part {
  name: string;
  title: string;
  columns: string[];
  /** What is said of an empty list. */
  none: string;
  /** The button that adds one. */
  add?: { label: string; press: () => void };
  load(): Promise<Row[]>;
}

/** What a part does in the dialog. */
export interface Desk {
  /** Asks in the box above the list. `from` is the key and act of the button that the focus returns to, none for the one that adds. */
  ask(question: Question, act: (values: Values) => Promise<Done>, from?: [key: string, act: string]): void;
  /** Does something without a question. */
  act(what: () => Promise<string>): void;
  /** A button that closes the box. */
  done(): HTMLButtonElement;
}

class Accounts implements Desk {
  private readonly dialog = byId<HTMLDialogElement>("accounts");
  private readonly question = new QuestionBox();
  private readonly list = new Listing();
  private readonly said = el("p", { class: "done", id: "accounts-said", role: "status" });
  private readonly error = el("p", { class: "error", id: "accounts-error", role: "alert", hidden: "" });
  private readonly add = el("button", { type: "button", class: "quit", id: "admin-add" });
  private readonly parts: Part[] = [people(this), sessions(this), tokens(this)];
  private part = this.parts[0]!;
  /** Counts the loads: only the last one is shown. */
  private loads = 0;

  constructor() {
    this.dialog.lang = LANGUAGE;
    const close = el("button", { type: "button", class: "quit", id: "accounts-close" }, say("Close", "关闭"));
    close.addEventListener("click", () => this.dialog.close());
    this.add.addEventListener("click", () => this.part.add?.press());
    this.dialog.append(
      el("div", { class: "head" }, el("h2", { id: "accounts-title" }, say("Accounts", "账户")), close),
      el("div", { class: "views", role: "group", "aria-labelledby": "accounts-title" }, ...this.parts.map((part) => this.tab(part))),
      this.said,
      this.error,
      this.question.box,
      el("div", { class: "tools" }, el("label", { for: "admin-filter" }, say("Filter", "筛选"), this.list.filter), this.add),
      this.list.box,
    );
    this.dialog.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !this.question.open) return;
      event.preventDefault();
      this.question.close();
    });
    this.dialog.addEventListener("close", () => this.forget());
    document.addEventListener(UNKNOWN, () => this.dialog.close());
  }

  open(): void {
    byId("notice").hidden = true;
    this.dialog.showModal();
    void this.turnTo(this.parts[0]!);
  }

  ask(question: Question, act: (values: Values) => Promise<Done>, from?: [key: string, act: string]): void {
    this.tell("");
    const back = (): void => (from ? this.list.focus(...from) : this.add.focus());
    this.question.ask(question, act, (said) => this.after(said), (reason) => this.keeps(reason), back);
  }

  act(what: () => Promise<string>): void {
    this.tell("");
    what().then((said) => this.after(said), (reason: unknown) => this.fail(reason));
  }

  done(): HTMLButtonElement {
    return this.question.cancel(say("Done", "完成"));
  }

  private tab(part: Part): HTMLButtonElement {
    const node = el("button", { type: "button", class: "view", "data-part": part.name }, part.title);
    node.addEventListener("click", () => void this.turnTo(part));
    return node;
  }

  private async turnTo(part: Part): Promise<void> {
    this.part = part;
    this.question.clear();
    this.tell("");
    for (const node of this.dialog.querySelectorAll<HTMLElement>("[data-part]")) node.setAttribute("aria-pressed", String(node.dataset["part"] === part.name));
    this.add.hidden = !part.add;
    this.add.textContent = part.add?.label ?? "";
    this.list.begin(part.title, part.columns, part.none);
    await this.load();
  }

  private async load(): Promise<void> {
    const mine = ++this.loads;
    try {
      const rows = await this.part.load();
      if (mine === this.loads) this.list.show(rows);
    } catch (reason) {
      if (mine === this.loads) this.fail(reason);
    }
  }

  private after(said: string): void {
    if (!this.dialog.open) return;
    this.tell(said);
    void this.load();
  }

  private tell(said: string): void {
    this.said.textContent = said;
    this.error.hidden = true;
  }

  private fail(reason: unknown): void {
    if (!this.keeps(reason)) return;
    this.error.textContent = explain(reason);
    this.error.hidden = false;
    // What is gone already is not to be seen any longer.
    if (reason instanceof Refused && reason.status === 404) void this.load();
  }

  /** Whether the dialog stays open: not for somebody who may no longer use it. */
  private keeps(reason: unknown): boolean {
    if (!(reason instanceof Refused) || (reason.status !== 401 && reason.status !== 403)) return true;
    this.dialog.close();
    if (reason.status === 403) lost();
    return false;
  }

  /** Nothing of what was seen or typed stays in the page. */
  private forget(): void {
    this.loads += 1;
    this.question.clear();
    this.list.clear();
    this.tell("");
  }
}

const button = el("button", { type: "button", class: "quiet", id: "accounts-open", lang: LANGUAGE, "aria-haspopup": "dialog" }, say("Accounts", "账户"));

/** Says that the permission is gone, and offers it no longer. */
function lost(): void {
  const notice = byId("notice");
  const seen = el("button", { type: "button", class: "quit" }, say("Dismiss", "知道了"));
  seen.addEventListener("click", () => (notice.hidden = true));
  notice.lang = LANGUAGE;
  notice.replaceChildren(say("You may no longer administer accounts.", "您已无权管理账户。"), " ", seen);
  notice.hidden = false;
  button.hidden = true;
}

/** The button that opens the dialog. */
export function accountsButton(): HTMLButtonElement {
  let accounts: Accounts | null = null;
  button.addEventListener("click", () => (accounts ??= new Accounts()).open());
  return button;
}
