import { answer, api } from "~/api/client";
import type { Delivery, Event } from "./queries";

const FAILED = new Set(["failed", "dead", "skipped", "bounced"]);
// Pages of deliveries that are read to find what failed.
const MOST_PAGES = 50;
// How long to wait for the ledger, which is about a second behind.
const KNOWN_WITHIN_MS = 15_000;
const LOOK_EVERY_MS = 300;
// Recipients of one replay.
const MOST_RECIPIENTS = 100;

/** Return whether a delivery can be sent again as it is, under its own id. */
export function mayRetry(delivery: Delivery): boolean {
  return (
    delivery.status === "dead" ||
    (delivery.channel === "WEBHOOK" &&
      (delivery.status === "failed" ||
        (delivery.status === "skipped" &&
          (delivery.reason === "skipped_by_hand" || delivery.reason === "endpoint_gone"))))
  );
}

/** Return whether a delivery did not get through. */
export function hasFailed(delivery: Delivery): boolean {
  return FAILED.has(delivery.status ?? "") && delivery.reason !== "not_requested";
}

/** Send a delivery again from its first attempt. */
export async function retry(delivery: Delivery, tenantId: string): Promise<void> {
  if (delivery.channel === "WEBHOOK") {
    const path = { id: tenantId, delivery_id: delivery.id };
    await answer(api.POST("/api/v1/admin/tenants/{id}/deliveries/{delivery_id}/retry", { params: { path } }));
    return;
  }
  await answer(api.POST("/api/v1/admin/dead-letters/{id}/replay", { params: { path: { id: delivery.id } } }));
}

/** Send a whole event again; return the id of the new one. */
export async function replayAll(event: Event): Promise<string> {
  return replay(event.id, {});
}

/** Send again what failed, each recipient on the channels that they missed; return the ids of the new events. */
export async function replayFailed(event: Event): Promise<string[]> {
  const failed = (await allDeliveries(event)).filter((one) => one.channel !== "WEBHOOK" && hasFailed(one));
  if (!event.several_recipients) {
    const channels = [...new Set(failed.map((one) => one.channel))];
    return channels.length > 0 ? [await replay(event.id, { channels })] : [];
  }
  const missed = new Map<string, Set<string>>();
  for (const { recipient, channel } of failed) {
    if (recipient?.user_id && channel) {
      missed.set(recipient.user_id, (missed.get(recipient.user_id) ?? new Set()).add(channel));
    }
  }
  // Recipients who missed the same channels share a replay.
  const together = new Map<string, string[]>();
  for (const [userId, channels] of missed) {
    const key = [...channels].sort().join(",");
    together.set(key, [...(together.get(key) ?? []), userId]);
  }
  const made: string[] = [];
  for (const [channels, recipients] of together) {
    for (let first = 0; first < recipients.length; first += MOST_RECIPIENTS) {
      const some = recipients.slice(first, first + MOST_RECIPIENTS);
      made.push(await replay(event.id, { channels: channels.split(","), recipients: some }));
    }
  }
  return made;
}

async function replay(id: string, body: { channels?: string[]; recipients?: string[] }): Promise<string> {
  const made = await answer(
    api.POST("/api/v1/admin/events/{id}/replay", { params: { path: { id } }, body: body as never }),
  );
  // It is sent, whatever becomes of the wait: an error would ask somebody to send it once more.
  await known(made.event_id).catch(() => undefined);
  return made.event_id;
}

/** Wait until the ledger knows an event that was just sent, for a few seconds at most: then its page can be opened. */
async function known(id: string): Promise<void> {
  const deadline = Date.now() + KNOWN_WITHIN_MS;
  const query = { event_id: id, limit: 1 };
  while ((await answer(api.GET("/api/v1/admin/events", { params: { query } }))).data.length === 0) {
    if (Date.now() > deadline) {
      return; // it is sent all the same; its page says that it may appear later
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

async function allDeliveries(event: Event): Promise<Delivery[]> {
  const found: Delivery[] = [];
  let cursor: string | undefined;
  for (let pages = 0; pages < MOST_PAGES; pages += 1) {
    const query = { limit: 100, ...(cursor && { cursor }) };
    const page = await answer(
      api.GET("/api/v1/admin/events/{id}/deliveries", { params: { path: { id: event.id }, query } }),
    );
    found.push(...page.data);
    if (!page.next_cursor) {
      break;
    }
    cursor = page.next_cursor;
  }
  return found;
}
