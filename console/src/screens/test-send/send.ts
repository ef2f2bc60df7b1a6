import { answer, api } from "~/api/client";
import type { Channel, Variables } from "../templates/data";

/** To whom a test goes: the address that its channel needs. */
export interface TestRecipient {
  user_id: string;
  email: string;
  phone: string;
}

export const NOBODY: TestRecipient = { user_id: "", email: "", phone: "" };

/** What a channel needs of a recipient: the field, what to call it, an example. */
export const ADDRESSES: Readonly<
  Record<Channel, { field: keyof TestRecipient; label: string; help: string; type: string }>
> = {
  EMAIL: { field: "email", label: "E-mail address", help: "Such as you@example.com", type: "email" },
  SMS: {
    field: "phone",
    label: "Phone number",
    help: "With its country, such as +254712345678",
    type: "tel",
  },
  PUSH: {
    field: "user_id",
    label: "User id",
    help: "Of somebody whose page shows the inbox, such as user-1",
    type: "text",
  },
};

/** Send a version to one address. Return the event's id. tenantId: whose providers are used. */
export async function sendTest(
  versionId: string,
  tenantId: string,
  recipient: TestRecipient,
  variables: Variables,
): Promise<string> {
  const { user_id, ...addresses } = recipient;
  const body = {
    tenant_id: tenantId,
    variables,
    recipient: { ...addresses, user_id: user_id || "test" },
  };
  const sent = await answer(
    api.POST("/api/v1/admin/templates/{id}/test", {
      params: { path: { id: versionId } },
      body: body as never,
    }),
  );
  return sent.event_id;
}

const KEY = "clarion-test-recipient";

/** Return the recipient of the last test of this browser. */
export function lastRecipient(): TestRecipient {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(KEY) ?? "{}");
    return { ...NOBODY, ...(stored as Partial<TestRecipient>) };
  } catch {
    return NOBODY;
  }
}

/** Remember the recipient for the next test. */
export function rememberRecipient(recipient: TestRecipient): void {
  try {
    localStorage.setItem(KEY, JSON.stringify(recipient));
  } catch {
    // Without room it is typed again.
  }
}
