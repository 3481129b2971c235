// Accounts of people, in the dialog of accounts.
import type { Desk, Part } from "./accounts";
import type { Account } from "./api";
import { addAccount, changeAccount, listAccounts, removeAccount } from "./api";
import { el } from "./dom";
import { grantText, grantsOf, grantsText } from "./grants";
import type { Act, Row } from "./listing";
import type { Field } from "./question";
import { say } from "./words";

/** Roles, one a line: names of groups may contain spaces. */
export const rolesField = (value = ""): Field => ({
  name: "grants",
  label: say("Roles, one a line", "角色，每行一个"),
  help: say("A role, for the whole site or with areas: viewer, or operator@group:gates,address:440305", "角色，可用于整个站点，也可带区域：viewer，或 operator@group:gates,address:440305"),
  kind: "lines",
  value,
});

export const nameField = (): Field => ({ name: "name", label: say("Name", "名称") });

/** Roles as they are shown. */
export const rolesList = (account: Pick<Account, "grants">): HTMLElement => el("ul", { class: "roles" }, ...account.grants.map((grant) => el("li", {}, grantText(grant))));

const passwordField = (): Field => ({ name: "password", label: say("Password, 12 characters at least", "密码，至少 12 个字符"), kind: "password" });

const isLocal = (account: Account): boolean => account.login === "password";

export function people(desk: Desk): Part {
  return {
    name: "accounts",
    title: say("Accounts", "账户"),
    columns: [say("Name", "名称"), say("Roles", "角色"), say("Login", "登录方式"), say("State", "状态")],
    none: say("There are no accounts yet: add an administrator first.", "尚无账户：请先添加一个管理员（administrator）。"),
    add: { label: say("Add an account", "添加账户"), press: () => add(desk) },
    load: async () => (await listAccounts()).map((account) => row(desk, account)),
  };
}

function row(desk: Desk, account: Account): Row {
  const { name, login, enabled, grants } = account;
  const kind = isLocal(account) ? say("password", "密码") : el("span", { title: login }, say("provider", "单点登录"));
  const state = el("span", { class: enabled ? "chip confirmed" : "chip" }, enabled ? say("enabled", "已启用") : say("disabled", "已停用"));
  return {
    key: name,
    about: name,
    cells: [name, rolesList(account), kind, state],
    words: [name, grantsText(grants), login, state.textContent].join(" "),
    acts: acts(desk, account),
  };
}

function acts(desk: Desk, account: Account): Act[] {
  const { name, enabled } = account;
  const turn = async (): Promise<string> => {
    await changeAccount(name, { enabled: !enabled });
    return enabled ? say(`${name} is disabled; its sessions have ended.`, `${name} 已停用，其会话已结束。`) : say(`${name} is enabled.`, `${name} 已启用。`);
  };
  return [
    { name: "roles", label: say("Roles", "角色"), press: () => changeRoles(desk, account) },
    ...(isLocal(account) ? [{ name: "password", label: say("Password", "密码"), press: () => changePassword(desk, name) }] : []),
    { name: "enabled", label: enabled ? say("Disable", "停用") : say("Enable", "启用"), press: () => desk.act(turn) },
    { name: "remove", label: say("Remove", "删除"), press: () => remove(desk, name) },
  ];
}

function add(desk: Desk): void {
  const question = { title: say("Add an account", "添加账户"), fields: [nameField(), passwordField(), rolesField()], press: say("Add", "添加") };
  desk.ask(question, async ({ name = "", password = "", grants = "" }) => {
    const added = await addAccount({ name: name.trim(), password, grants: grantsOf(grants) });
    return { said: say(`The account ${added.name} is added.`, `账户 ${added.name} 已添加。`) };
  });
}

function changeRoles(desk: Desk, account: Account): void {
  const { name } = account;
  const question = {
    title: say(`Roles of ${name}`, `${name} 的角色`),
    ...(isLocal(account) ? {} : { text: say("The next login at the provider replaces them by those of its groups.", "下次单点登录时，将按提供方的组重新设置。") }),
    fields: [rolesField(grantsText(account.grants))],
    press: say("Change them", "更改"),
  };
  const act = async ({ grants = "" }): Promise<{ said: string }> => {
    await changeAccount(name, { grants: grantsOf(grants) });
    return { said: say(`The roles of ${name} are changed.`, `${name} 的角色已更改。`) };
  };
  desk.ask(question, act, [name, "roles"]);
}

function changePassword(desk: Desk, name: string): void {
  const question = { title: say(`Another password for ${name}`, `为 ${name} 设置新密码`), text: say("All sessions of the account end.", "该账户的所有会话将结束。"), fields: [passwordField()], press: say("Set it", "设置") };
  const act = async ({ password = "" }): Promise<{ said: string }> => {
    await changeAccount(name, { password });
    return { said: say(`${name} has another password; its sessions have ended.`, `${name} 的密码已更改，其会话已结束。`) };
  };
  desk.ask(question, act, [name, "password"]);
}

function remove(desk: Desk, name: string): void {
  const question = {
    title: say(`Remove the account ${name}?`, `删除账户 ${name}？`),
    text: say("Its sessions end. Its name stays in what it did.", "其会话将结束；其名称仍保留在操作记录中。"),
    press: say(`Remove ${name}`, `删除 ${name}`),
    danger: true,
  };
  const act = async (): Promise<{ said: string }> => {
    await removeAccount(name);
    return { said: say(`The account ${name} is removed.`, `账户 ${name} 已删除。`) };
  };
  desk.ask(question, act, [name, "remove"]);
}
