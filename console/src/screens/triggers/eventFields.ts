import type { Schemas } from "~/api/client";
import type { NewSearch } from "./routes";

export type EventToSend = Schemas["EventToSend"];
type Target = Schemas["AudienceTarget"];

/** Whom an event is for, as the form asks it. */
export const WHOM = {
  contact: "A person by e-mail address",
  recipient_id: "A stored recipient",
  tags: "Everybody with tags",
  segment_id: "A segment",
  group: "A group",
  everybody: "All stored recipients",
} as const;
export type Whom = keyof typeof WHOM;

// What is missing where somebody has to be chosen from a list.
const UNCHOSEN: Readonly<Partial<Record<Whom, string>>> = {
  recipient_id: "Choose a recipient.",
  segment_id: "Choose a segment.",
  group: "Choose a group.",
};

/** What is entered. json: the whole event as text, in place of the fields. */
export interface Entered {
  workflowId: string;
  eventType: string;
  whom: Whom;
  who: string;
  variables: string;
  rest: EventToSend;
  json: string | null;
}

export const NOTHING: Entered = {
  workflowId: "",
  eventType: "",
  whom: "contact",
  who: "",
  variables: "{}",
  rest: { event_type: "" },
  json: null,
};

/** Return a stored event as the form shows it: as fields, or as JSON if it has more than the fields can hold. */
export function enteredOf(event: EventToSend): Entered {
  const { event_type, audience = [], workflow_id, variables = {}, ...rest } = event;
  const [only] = audience;
  const target = only === undefined ? undefined : targetOf(only);
  const entered: Entered = {
    workflowId: workflow_id ?? "",
    eventType: event_type,
    ...(target ?? { whom: "contact", who: "" }),
    variables: JSON.stringify(variables, null, 2),
    rest: { ...rest, event_type },
    json: null,
  };
  return target === undefined || audience.length > 1 ? { ...entered, json: written(event) } : entered;
}

/** Return what a form begins with, for a segment, or for a stored recipient by the tenant's id of them. */
export function startOf({ workflow = "", segment, recipient }: NewSearch): Entered {
  const start: Entered = { ...NOTHING, workflowId: workflow };
  if (segment) {
    return { ...start, whom: "segment_id", who: segment };
  }
  return recipient ? { ...start, whom: "recipient_id", who: recipient } : start;
}

/** Nobody is chosen whom the event is for. */
export class NobodyChosen extends Error {}

/** Return the event that is to be sent. Throws SyntaxError as eventOf, and NobodyChosen. */
export function eventToSend(entered: Entered): EventToSend {
  if (entered.json === null && !entered.who) {
    const missing = UNCHOSEN[entered.whom];
    if (missing) {
      throw new NobodyChosen(missing);
    }
  }
  return eventOf(entered);
}

/** Return the event that is entered. Throws SyntaxError, saying which JSON cannot be read. */
export function eventOf(entered: Entered): EventToSend {
  if (entered.json !== null) {
    return parsed(entered.json, "The event") as EventToSend;
  }
  return {
    ...entered.rest,
    event_type: entered.eventType.trim(),
    workflow_id: entered.workflowId || null,
    audience: entered.whom === "everybody" || entered.who.trim() ? [target(entered.whom, entered.who)] : [],
    variables: parsed(entered.variables, "The variables"),
  };
}

/** Return an event as text. */
export function written(event: EventToSend): string {
  return JSON.stringify(event, null, 2);
}

function parsed(text: string, what: string): Record<string, unknown> {
  let found: unknown;
  try {
    found = JSON.parse(text || "{}");
  } catch (error) {
    throw new SyntaxError(`${what} cannot be read as JSON: ${(error as Error).message}`);
  }
  if (typeof found !== "object" || found === null || Array.isArray(found)) {
    throw new SyntaxError(`${what} must be a JSON object.`);
  }
  return found as Record<string, unknown>;
}

function target(whom: Whom, who: string): Target {
  const typed = who.trim();
  switch (whom) {
    case "everybody":
      return { everybody: true };
    case "contact":
      return { contact: { email: typed } };
    case "tags":
      return { tags: typed.split(/[\s,]+/).filter(Boolean) };
    default:
      return { [whom]: typed };
  }
}

/** Return a target as the form asks it; undefined: it has more than that. */
function targetOf(one: Target): { whom: Whom; who: string } | undefined {
  if (one.everybody) {
    return { whom: "everybody", who: "" };
  }
  if (one.tags) {
    return { whom: "tags", who: one.tags.join(", ") };
  }
  if (one.contact) {
    const { email, ...others } = one.contact;
    const isSimple = Object.values(others).every((value) => value === "" || isEmpty(value));
    return email && isSimple ? { whom: "contact", who: email } : undefined;
  }
  for (const whom of ["recipient_id", "segment_id", "group"] as const) {
    const who = one[whom];
    if (who) {
      return { whom, who };
    }
  }
  return undefined;
}

function isEmpty(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}
