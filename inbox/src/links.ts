/** Web addresses in plain text: pure. */

export interface Segment {
  text: string;
  /** Absent: plain text. Begins with http: or https:. */
  href?: string;
}

const ADDRESS = /\bhttps?:\/\/[^\s<>"'`\u0000-\u001f\u007f\u200e\u200f\u202a-\u202e\u2066-\u2069]+/giu;
const LONGEST = 2048;

/** Return the text in pieces; those that are addresses with http or https, and no others, have an href. */
export function segments(text: string): Segment[] {
  const found: Segment[] = [];
  let end = 0;
  for (const match of text.matchAll(ADDRESS)) {
    const address = trimmed(match[0]);
    const href = parsed(address);
    if (href === undefined) continue;
    if (match.index > end) found.push({ text: text.slice(end, match.index) });
    found.push({ text: address, href });
    end = match.index + address.length;
  }
  if (end < text.length) found.push({ text: text.slice(end) });
  return found;
}

/** Leave out what ends a sentence, and a bracket that was not opened within the address. */
function trimmed(address: string): string {
  let kept = address;
  for (;;) {
    const last = kept.at(-1) ?? "";
    const opening = { ")": "(", "]": "[", "}": "{" }[last];
    const isUnopened = opening !== undefined && count(kept, last) > count(kept, opening);
    if (!isUnopened && !/[.,;:!?…]/u.test(last)) return kept;
    kept = kept.slice(0, -1);
  }
}

function count(text: string, character: string): number {
  return text.split(character).length - 1;
}

function parsed(address: string): string | undefined {
  if (address.length > LONGEST) return undefined;
  try {
    const url = new URL(address);
    // An address with a user name looks like another host's.
    const isPlain = (url.protocol === "https:" || url.protocol === "http:") && !url.username && !url.password;
    return isPlain ? url.href : undefined;
  } catch {
    return undefined;
  }
}
