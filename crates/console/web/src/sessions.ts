// Open sessions, in the dialog of accounts.
import type { Desk, Part } from "./accounts";
import { endSession, listSessions } from "./api";
import { dated, say } from "./words";

export const sessions = (desk: Desk): Part => ({
  name: "sessions",
  title: say("Open sessions", "当前会话"),
  columns: [say("Account", "账户"), say("Began", "开始"), say("Last used", "最近使用"), say("Address", "地址")],
  none: say("Nobody is logged in.", "没有人登录。"),
  load: async () =>
    (await listSessions()).map(({ id, account, began, used, peer }) => ({
      key: id,
      about: `${account}, ${dated(began)}`,
      cells: [account, dated(began), dated(used), peer],
      words: `${account} ${peer}`,
      acts: [{ name: "end", label: say("End", "结束"), press: () => desk.act(() => end(id, account)) }],
    })),
});

async function end(id: string, account: string): Promise<string> {
  await endSession(id);
  return say(`A session of ${account} has ended.`, `${account} 的一个会话已结束。`);
}
