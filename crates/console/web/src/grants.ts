// Roles with their areas as text, one a line: `operator@group:gates,address:440305`.
import type { Grant } from "./api";

export const grantText = ({ role, areas }: Grant): string => (areas ? `${role}@${areas.join(",")}` : role);

export const grantsText = (grants: Grant[]): string => grants.map(grantText).join("\n");

/** Lines with content. */
export const grantLines = (text: string): string[] =>
  text
    .split("\n")
    .map((line) => line.trim())
    .filter(Boolean);

/** The grants of a text. The server decides whether there are such roles and areas. */
export const grantsOf = (text: string): Grant[] =>
  grantLines(text).map((line) => {
    const at = line.indexOf("@");
    if (at < 0) return { role: line };
    // The name of a group may contain a comma.
    const areas = line.slice(at + 1).split(/,\s*(?=(?:address|group):)/);
    return { role: line.slice(0, at).trim(), areas: areas.map((area) => area.trim()) };
  });
