/** Return a text of a URL's query, or undefined: an empty or malformed one is none. */
export function text(value: unknown): string | undefined {
  const found = typeof value === "number" || typeof value === "boolean" ? String(value) : value;
  return typeof found === "string" && found !== "" && found.length <= 1024 ? found : undefined;
}

/** Return one of the known words of a URL's query, or undefined. */
export function word<T extends string>(value: unknown, known: readonly T[]): T | undefined {
  return known.find((one) => one === value);
}
