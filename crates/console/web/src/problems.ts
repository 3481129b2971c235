// Why the server refused something about an account, in the person's language; else in the server's words.
import { Refused } from "./api";
import { grantLines } from "./grants";
import { LANGUAGE, say } from "./words";

/** By code, with arguments in braces. */
const CHINESE: Record<string, string> = {
  "access.name": "名称须为 1 至 64 个字母、数字或 “.”“_”“-”“@”，并以字母或数字开头",
  "access.reserved": "“{name}” 是无账户调用者的名称，请换一个名称",
  "access.password-short": "密码少于 {least} 个字符，请使用更长的密码；几个词连用即可",
  "access.password-long": "密码超过 {most} 个字节，请缩短",
  "access.password-name": "密码与账户名称相同，请换一个",
  "access.nowhere": "角色 “{role}” 没有区域；请写明区域，或去掉 “@” 表示整个站点",
  "access.whole-site": "角色 “{role}” 只能用于整个站点，请去掉区域",
  "access.no-grants": "没有角色，请至少写一个",
  "access.first": "第一个账户必须是整个站点的管理员（administrator）",
  "access.too-many": "区域超过 {most} 个，请使用更大的区域或摄像机组",
  "access.more-than-own": "这些角色超出了您自己的权限，请减少",
  "access.token-life": "令牌有效期为 1 至 {most} 天",
  "access.no-account": "没有账户 “{name}”",
  "access.no-session": "该会话已结束",
  "access.no-token": "没有令牌 “{name}”",
  "access.no-accounts": "尚无账户，请先添加一个管理员账户",
  "access.wrong-password": "密码错误",
  "access.login-wait": "失败次数过多，请在 {seconds} 秒后重试",
  "access.provider-account": "该账户由单点登录提供方管理，请在那里修改密码",
  "busy.store": "无法访问存储，请几秒后重试",
};

/** The field that a problem names: `grants` for `grants[0].role`. */
export const fieldOf = (error: unknown): string => (error instanceof Refused ? (/^\w+/.exec(error.problem.parameter ?? "")?.[0] ?? "") : "");

/** The reason and the remedy; `grants` is the text of the roles that was sent. */
export function explain(error: unknown, grants = ""): string {
  if (!(error instanceof Refused)) return say("The server cannot be reached; try again.", "无法连接服务器，请重试。");
  const { code = "", parameter, rule, arguments: given = {} } = error.problem;
  if (code === "body.field") return unreadable(parameter ?? "", grants);
  const chinese = LANGUAGE === "en" ? undefined : CHINESE[code];
  if (chinese) return chinese.replace(/\{(\w+)\}/g, (_, name: string) => String(given[name] ?? ""));
  // The remedy of a conflict is in its reason.
  const fix = code === "access.refused" ? "" : error.fix;
  return [rule ?? error.message, fix].filter(Boolean).join("; ");
}

/** A value of another type than the field's: nearly always a word that is no role or no area. */
function unreadable(parameter: string, grants: string): string {
  const line = grantLines(grants)[Number(/^grants\[(\d+)\]/.exec(parameter)?.[1] ?? NaN)];
  if (line === undefined) return say("This value cannot be used.", "该值无法使用。");
  return parameter.includes(".areas")
    ? say(`“${line}” has no such area: write group:NAME, or address: and the first 6, 9, 12, 14, 19 or 25 characters of a code.`, `“${line}” 中的区域无效：请写 group:名称，或 address: 加地址编码的前 6、9、12、14、19 或 25 位。`)
    : say(`“${line}” is no role: write viewer, operator, evidence, administrator, auditor or monitor.`, `“${line}” 不是角色：请写 viewer、operator、evidence、administrator、auditor 或 monitor。`);
}
