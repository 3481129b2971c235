// A form or confirmation above a list: one at a time.
import { el } from "./dom";
import { explain, fieldOf } from "./problems";
import { say } from "./words";

/** A field; its name is that of the API, so that a problem finds it. */
export interface Field {
  name: string;
  label: string;
  help?: string;
  kind?: "text" | "password" | "number" | "lines";
  value?: string;
}

export interface Question {
  title: string;
  text?: string;
  fields?: Field[];
  /** What the button says. */
  press: string;
  danger?: boolean;
}

/** What was done, in words, and what else is to be seen of it. */
export interface Done {
  said: string;
  show?: HTMLElement;
  /** What is said instead when the form was closed meanwhile, so that `show` is seen by nobody. */
  unseen?: string;
}

export type Values = Record<string, string>;

type Control = HTMLInputElement | HTMLTextAreaElement;

function control({ name, kind = "text", value = "", help }: Field): Control {
  const described = [help ? `admin-${name}-help` : "", `admin-${name}-error`].filter(Boolean).join(" ");
  const attributes = {
    id: `admin-${name}`,
    name,
    "aria-describedby": described,
    autocomplete: kind === "password" ? "new-password" : "off",
    spellcheck: "false",
    autocapitalize: "none",
  };
  const node = kind === "lines" ? el("textarea", { ...attributes, rows: "2" }) : el("input", { ...attributes, type: kind });
  node.value = value;
  return node;
}

export class QuestionBox {
  readonly box = el("div", { class: "question", hidden: "" });
  private closed: () => void = () => {};

  get open(): boolean {
    return !this.box.hidden;
  }

  /** Asks. `act` may be refused; then the form stays and says why. `closed` gives the focus back. */
  ask(question: Question, act: (values: Values) => Promise<Done>, done: (said: string) => void, failed: (error: unknown) => boolean, closed: () => void): void {
    const controls = (question.fields ?? []).map((field) => [field, control(field)] as const);
    const error = el("p", { class: "error", role: "alert", hidden: "" });
    const submit = el("button", { type: "submit", class: question.danger ? "danger" : "" }, question.press);
    const form = el(
      "form",
      { novalidate: "", "aria-labelledby": "question-title" },
      el("h3", { id: "question-title" }, question.title),
      question.text ? el("p", {}, question.text) : null,
      ...controls.map(([field, node]) => this.field(field, node)),
      error,
      el("div", { class: "presses" }, submit, this.cancel(say("Cancel", "取消"))),
    );
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (form.hasAttribute("aria-busy")) return;
      form.setAttribute("aria-busy", "true");
      this.blame(controls.map(([, node]) => node), error, null, "");
      const values = Object.fromEntries(controls.map(([{ name }, node]) => [name, node.value]));
      try {
        const told = await act(values);
        const seen = form.isConnected;
        if (seen && told.show) this.put(told.show);
        else if (seen) this.close();
        done(seen ? told.said : (told.unseen ?? told.said));
      } catch (reason) {
        if (!failed(reason) || !form.isConnected) return;
        this.blame(controls.map(([, node]) => node), error, reason, values["grants"] ?? "");
      } finally {
        form.removeAttribute("aria-busy");
      }
    });
    this.closed = closed;
    this.put(form);
  }

  /** A button that closes the box. */
  cancel(label: string): HTMLButtonElement {
    const node = el("button", { type: "button", class: "quit" }, label);
    node.addEventListener("click", () => this.close());
    return node;
  }

  /** Empties the box, with whatever was typed or shown in it. */
  clear(): void {
    this.box.replaceChildren();
    this.box.hidden = true;
  }

  close(): void {
    if (!this.open) return;
    this.clear();
    this.closed();
  }

  /** The first thing to type is focused; of a confirmation, the button that changes nothing. */
  private put(content: HTMLElement): void {
    this.box.replaceChildren(content);
    this.box.hidden = false;
    (content.querySelector<HTMLElement>("input, textarea") ?? content.querySelector<HTMLElement>(".quit"))?.focus();
    this.box.scrollIntoView({ block: "nearest" });
  }

  private field({ name, label, help }: Field, node: Control): HTMLElement {
    return el(
      "div",
      { class: "field" },
      el("label", { for: `admin-${name}` }, label),
      node,
      help ? el("p", { class: "help", id: `admin-${name}-help` }, help) : null,
      el("p", { class: "error", id: `admin-${name}-error`, role: "alert", hidden: "" }),
    );
  }

  /** Says what is wrong beside the field at fault, or above the buttons if it is none of these; nothing without a reason. */
  private blame(controls: Control[], general: HTMLElement, reason: unknown, grants: string): void {
    const text = reason ? explain(reason, grants) : "";
    const at = controls.find((node) => node.name === fieldOf(reason));
    for (const node of controls) {
      const error = this.box.querySelector<HTMLElement>(`#admin-${node.name}-error`)!;
      error.textContent = node === at ? text : "";
      error.hidden = node !== at;
      node.setAttribute("aria-invalid", String(node === at));
    }
    general.textContent = at ? "" : text;
    general.hidden = !text || at !== undefined;
    at?.focus();
  }
}
