// Who uses the page. While the site has no accounts, that is whoever sits at its machine; afterwards a person who has logged in.

import { accountsButton } from "./accounts";
import type { Session } from "./api";
import { below, getLoginWays, getSession, logIn, logOut, Refused, setPassword, UNKNOWN } from "./api";
import { byId, el } from "./dom";
import { explain, fieldOf } from "./problems";

let session: Session | null = null;
const administer = accountsButton();

/** The account; null while there are no accounts. */
export const account = (): string | null => (session && session.via !== "address" ? session.who : null);

/** Whether the person has a permission, somewhere at least. */
export const may = (permission: string): boolean => session !== null && permission in session.permissions;

/** Asks who uses the page, and for a login if that is not known. It is asked again when the session ends. */
export async function begin(): Promise<void> {
  session = await known();
  show(session);
  document.addEventListener(UNKNOWN, () => {
    if (!byId<HTMLDialogElement>("login").open) void again();
  });
}

async function again(): Promise<void> {
  const before = session?.who;
  session = await login("The session is over. Log in to go on.");
  // What another person sees and may do differs.
  if (session.who !== before) location.reload();
  administer.hidden = !may("administer");
}

async function known(): Promise<Session> {
  for (;;) {
    try {
      return await getSession();
    } catch (error) {
      if (error instanceof Refused && error.status === 401) return login("");
      await fault(error);
    }
  }
}

/** Shows why the page cannot begin, until it is tried again. */
function fault(error: unknown): Promise<void> {
  const text = error instanceof Refused ? [error.message, error.fix].filter(Boolean).join("; ") : "The server cannot be reached.";
  const node = byId("unserved");
  node.querySelector("p")!.textContent = text;
  node.hidden = false;
  return new Promise((resolve) => {
    const retry = (): void => {
      node.hidden = true;
      resolve();
    };
    node.querySelector("button")!.addEventListener("click", retry, { once: true });
  });
}

/** Shows the form until somebody has logged in. */
function login(why: string): Promise<Session> {
  const dialog = byId<HTMLDialogElement>("login");
  const form = dialog.querySelector("form")!;
  const [name, password] = ["login-name", "login-password"].map((id) => byId<HTMLInputElement>(id)) as [HTMLInputElement, HTMLInputElement];
  const say = (text: string): void => {
    byId("login-error").textContent = text;
    byId("login-error").hidden = !text;
  };
  say(window.isSecureContext ? why : "Passwords are sent over HTTPS only, or on the console's own machine: open the page there.");
  dialog.addEventListener("cancel", (event) => event.preventDefault());
  void offerProvider();
  dialog.showModal();
  name.focus();
  return new Promise((resolve) => {
    form.onsubmit = async (event) => {
      event.preventDefault();
      form.setAttribute("aria-busy", "true");
      try {
        const begun = await logIn(name.value.trim(), password.value);
        say("");
        dialog.close();
        resolve(begun);
      } catch (error) {
        say(error instanceof Refused ? `${error.message}; ${error.fix}` : "The server cannot be reached; try again.");
        password.select();
      } finally {
        password.value = "";
        form.removeAttribute("aria-busy");
      }
    };
  });
}

/** Shows the button of single sign-on where the site has a provider. It leads back to where the person is. */
async function offerProvider(): Promise<void> {
  const { provider } = await getLoginWays().catch(() => ({ provider: null }));
  const box = byId("login-provider");
  box.hidden = !provider;
  if (!provider) return;
  const folder = new URL(below("")).pathname;
  const here = `/${location.pathname.slice(folder.length)}${location.search}${location.hash}`;
  const link = byId<HTMLAnchorElement>("log-in-at-provider");
  link.href = below(`api/v1/session/sign-on?${new URLSearchParams({ return_to: here })}`);
  link.replaceChildren(`Log in with ${provider.label} `, el("span", { lang: "zh-Hans" }, `使用 ${provider.label} 登录`));
}

/** Logs out here, and then at the provider if the session began there. */
async function leave(): Promise<void> {
  const { provider_logout } = await getSession().catch(() => ({ provider_logout: null }));
  await logOut().catch(() => null);
  if (provider_logout) location.assign(provider_logout);
  else location.reload();
}

/** Shows the account in the head of the page, or that there are no accounts. */
function show({ who, via, roles, provider_logout }: Session): void {
  byId("local").hidden = via !== "address";
  administer.hidden = !may("administer");
  if (via === "address") return byId("local").append(" ", administer);
  const out = el("button", { type: "button", class: "quiet", id: "log-out" }, "Log out");
  out.addEventListener("click", () => void leave());
  const change = el("button", { type: "button", class: "quiet", id: "change-password" }, "Password");
  change.addEventListener("click", () => changePassword(who));
  const name = el("span", { class: "account", title: roles.join("\n") }, who);
  // An account has a name already.
  byId("operator-box").querySelector("label")!.hidden = true;
  byId("operator-box").append(name, administer, ...(via === "session" ? [out] : []));
  // Who logs in at a provider changes the password there.
  if (via === "session" && !provider_logout) out.before(change);
}

function changePassword(who: string): void {
  const dialog = byId<HTMLDialogElement>("password");
  const form = dialog.querySelector("form")!;
  const [old, fresh] = ["password-old", "password-new"].map((id) => byId<HTMLInputElement>(id)) as [HTMLInputElement, HTMLInputElement];
  const error = byId("password-error");
  byId<HTMLInputElement>("password-name").value = who;
  error.hidden = true;
  dialog.onclose = () => form.reset();
  dialog.showModal();
  form.onsubmit = async (event) => {
    if ((event.submitter as HTMLButtonElement).value === "cancel") return;
    event.preventDefault();
    try {
      await setPassword(old.value, fresh.value);
      location.reload();
    } catch (reason) {
      const at = fieldOf(reason) === "old" ? old : fresh;
      at.closest("label")!.after(error);
      at.focus();
      error.textContent = explain(reason);
      error.hidden = false;
    }
  };
}
