// Tokens of machines, in the dialog of accounts.
import type { Desk, Part } from "./accounts";
import type { Token } from "./api";
import { addToken, listTokens, revokeToken } from "./api";
import { el } from "./dom";
import { grantsOf, grantsText } from "./grants";
import type { Row } from "./listing";
import { nameField, rolesField, rolesList } from "./people";
import { dated, say } from "./words";

export const tokens = (desk: Desk): Part => ({
  name: "tokens",
  title: say("Tokens of machines", "机器令牌"),
  columns: [say("Name", "名称"), say("Roles", "角色"), say("Expires", "到期"), say("Last used", "最近使用")],
  none: say("There are no tokens.", "没有令牌。"),
  add: { label: say("Make a token", "新建令牌"), press: () => make(desk) },
  load: async () => (await listTokens()).map((token) => row(desk, token)),
});

function row(desk: Desk, token: Token): Row {
  const { name, expires, used } = token;
  return {
    key: name,
    about: name,
    cells: [name, rolesList(token), dated(expires), used ? dated(used) : say("never", "从未")],
    words: `${name} ${grantsText(token.grants)}`,
    acts: [{ name: "revoke", label: say("Revoke", "吊销"), press: () => revoke(desk, name) }],
  };
}

function make(desk: Desk): void {
  const days = { name: "days", label: say("Days until it expires", "有效天数"), kind: "number" as const, value: "90" };
  const question = { title: say("Make a token", "新建令牌"), fields: [nameField(), rolesField(), days], press: say("Make it", "新建") };
  desk.ask(question, async (given) => {
    const { token, secret } = await addToken({ name: (given["name"] ?? "").trim(), grants: grantsOf(given["grants"] ?? ""), days: Number(given["days"]) });
    return {
      said: say(`The token ${token.name} is made.`, `令牌 ${token.name} 已新建。`),
      show: reveal(desk, token.name, secret),
      unseen: say(`The token ${token.name} is made, but nobody has seen its secret: revoke it.`, `令牌 ${token.name} 已新建，但其密钥未显示：请吊销。`),
    };
  });
}

/** The secret, which is in the page until the box is closed. */
function reveal(desk: Desk, name: string, secret: string): HTMLElement {
  const shown = el("input", { id: "admin-secret", readonly: "", autocomplete: "off", spellcheck: "false", "aria-describedby": "admin-secret-warning" });
  shown.value = secret;
  shown.addEventListener("focus", () => shown.select());
  const copied = el("span", { role: "status" });
  const copy = el("button", { type: "button", class: "quit", id: "admin-copy" }, say("Copy", "复制"));
  copy.addEventListener("click", async () => {
    shown.select();
    const done = await navigator.clipboard.writeText(secret).then(() => true, () => false);
    copied.textContent = done ? say("Copied.", "已复制。") : say("Copy the selected text with the keyboard.", "请用键盘复制所选文本。");
  });
  return el(
    "div",
    { class: "secret", role: "group", "aria-labelledby": "question-title" },
    el("h3", { id: "question-title" }, say(`The secret of the token ${name}`, `令牌 ${name} 的密钥`)),
    el("p", { class: "warning", id: "admin-secret-warning" }, say("It is shown this once. Whoever has it has the roles of the token: keep it like a password.", "只显示这一次。持有者即拥有该令牌的角色：请像密码一样保管。")),
    el("label", { for: "admin-secret" }, say("Secret", "密钥")),
    shown,
    el("div", { class: "presses" }, copy, desk.done(), copied),
  );
}

function revoke(desk: Desk, name: string): void {
  const question = { title: say(`Revoke the token ${name}?`, `吊销令牌 ${name}？`), text: say("It is refused from now on.", "此后该令牌将被拒绝。"), press: say(`Revoke ${name}`, `吊销 ${name}`), danger: true };
  const act = async (): Promise<{ said: string }> => {
    await revokeToken(name);
    return { said: say(`The token ${name} is revoked.`, `令牌 ${name} 已吊销。`) };
  };
  desk.ask(question, act, [name, "revoke"]);
}
