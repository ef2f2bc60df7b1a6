/** What the columns of a CSV file can be: pure. */

export const COLUMNS = [
  "recipient_id",
  "email",
  "phone",
  "name",
  "locale",
  "timezone",
  "tags",
  "data",
] as const;
export const OWN = "data.";
export const TYPES = ["text", "number", "boolean"] as const;
export type OwnType = (typeof TYPES)[number];

export const COLUMN_WORDS: Readonly<Record<string, string>> = {
  recipient_id: "Id",
  email: "E-mail",
  phone: "Phone",
  name: "Name",
  locale: "Language",
  timezone: "Time zone",
  tags: "Tags",
  data: "Own fields, as JSON",
};

const IDENTIFIERS: readonly string[] = ["recipient_id", "email", "phone"];
// Headers of other programs, in lower case and without anything but letters.
const KNOWN: Readonly<Record<string, string>> = {
  id: "recipient_id",
  userid: "recipient_id",
  externalid: "recipient_id",
  contactexternalid: "recipient_id",
  recipientid: "recipient_id",
  customerid: "recipient_id",
  mail: "email",
  email: "email",
  emailaddress: "email",
  phone: "phone",
  phonenumber: "phone",
  mobile: "phone",
  telephone: "phone",
  name: "name",
  fullname: "name",
  language: "locale",
  locale: "locale",
  timezone: "timezone",
  tags: "tags",
  tag: "tags",
  labels: "tags",
  data: "data",
};

/** Return what each column probably is, by its header; empty: it is left out. */
export function guessed(headers: readonly string[]): Record<string, string> {
  const taken = new Set<string>();
  const found: Record<string, string> = {};
  for (const header of headers) {
    const exact = header.toLowerCase();
    const isExact = COLUMNS.some((one) => one === exact) || exact.startsWith(OWN);
    const meaning = isExact ? exact : (KNOWN[exact.replaceAll(/[^a-z]/g, "")] ?? "");
    found[header] = meaning && !taken.has(meaning) ? meaning : "";
    taken.add(found[header]);
  }
  return found;
}

/** Return what is wrong with the meanings of columns, empty if nothing is. */
export function faultOf(columns: Readonly<Record<string, string>>): string {
  const chosen = Object.values(columns).filter(Boolean);
  if (!chosen.some((one) => IDENTIFIERS.includes(one))) {
    return "Choose which column is the id, the e-mail address or the phone number: one of them is needed.";
  }
  if (chosen.some((one) => one === OWN || one.startsWith(`${OWN}:`))) {
    return "Give each field of your own a name.";
  }
  const names = chosen.map((one) => one.split(":")[0]);
  return new Set(names).size < names.length ? "Two columns are the same." : "";
}

/** Return a field of the tenant's own in parts; null: the column is something else. */
export function ownField(meaning: string): { name: string; type: OwnType } | null {
  if (!meaning.startsWith(OWN)) {
    return null;
  }
  const [name = "", type] = meaning.slice(OWN.length).split(":");
  return { name, type: TYPES.find((one) => one === type) ?? "text" };
}

/** Return the meaning of a column that is a field of the tenant's own. */
export function ownMeaning(name: string, type: OwnType): string {
  return `${OWN}${name}${type === "text" ? "" : `:${type}`}`;
}
