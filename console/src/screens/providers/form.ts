import type { Provider, Setting } from "./queries";

/** What the person entered, by setting: texts, also of numbers; boxes. A secret is "" until something is typed. */
export type Values = Readonly<Record<string, string | boolean>>;

/** What a provider's settings may hold. */
type Stored = Readonly<Record<string, unknown>>;

/** Return the values that the form begins with. Secrets are never filled in. */
export function initial(settings: readonly Setting[], stored: Stored = {}): Values {
  return Object.fromEntries(
    settings.map((one) => {
      const value = stored[one.name] ?? one.default;
      if (one.type === "boolean") {
        return [one.name, value === true];
      }
      return [one.name, one.secret ? "" : String(value ?? "")];
    }),
  );
}

/** Return the settings of a new provider: what differs from the defaults. */
export function created(settings: readonly Setting[], values: Values): Stored {
  const given: Record<string, unknown> = {};
  for (const one of settings) {
    const value = parsed(one, values[one.name]);
    if (value !== undefined && (one.required || value !== one.default)) {
      given[one.name] = value;
    }
  }
  return given;
}

/**
 * Return the settings to change: null takes one back to its default.
 *
 * @param removed names of the secrets that are to be deleted
 */
export function changed(
  settings: readonly Setting[],
  provider: Provider,
  values: Values,
  removed: ReadonlySet<string>,
): Stored {
  const before = initial(settings, provider.settings);
  const given: Record<string, unknown> = {};
  for (const one of settings) {
    if (removed.has(one.name)) {
      given[one.name] = null;
    } else if (values[one.name] !== before[one.name]) {
      // A required one that was emptied is sent as it is, so that the answer says that it is needed.
      given[one.name] = parsed(one, values[one.name]) ?? (one.required ? "" : null);
    }
  }
  return given;
}

/** Return a value as the API takes it; undefined: nothing was entered. A number that is none stays a text. */
function parsed(one: Setting, value: string | boolean | undefined): unknown {
  if (typeof value !== "string") {
    return value;
  }
  const text = one.secret ? value : value.trim();
  if (text === "") {
    return undefined;
  }
  return one.type === "number" && /^-?\d+$/.test(text) ? Number(text) : text;
}
