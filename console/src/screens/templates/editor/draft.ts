import type { Channel, Template } from "../data";

/** What an author writes: the content of a version. */
export interface Content {
  subject: string;
  preheader: string;
  body: string;
  /** A layout's name; empty: none. */
  layout: string;
  push_namespace: string;
  subscribed: boolean;
}

/** Where a version belongs. */
export interface Place {
  tenant_id: string | null;
  event_type: string;
  channel: Channel;
  locale: string | null;
}

/** A draft as this browser keeps it. basedOn: the version that was the newest when it was begun; null: there was none. */
export interface StoredDraft {
  content: Content;
  basedOn: { id: string; version: number } | null;
  savedAt: string;
}

export function contentOf(template: Template): Content {
  return {
    subject: template.subject,
    preheader: template.preheader,
    body: template.body,
    layout: template.layout ?? "",
    push_namespace: template.push_namespace,
    subscribed: template.subscribed,
  };
}

export function isSame(one: Content, other: Content): boolean {
  return (Object.keys(one) as (keyof Content)[]).every((name) => one[name] === other[name]);
}

/** Return under which key a draft is kept: one per tenant, template and language. */
export function draftKey(place: Place): string {
  return `clarion-draft:${JSON.stringify([place.tenant_id, place.event_type, place.channel, place.locale])}`;
}
