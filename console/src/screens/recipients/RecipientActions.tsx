import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { answer, api, type Schemas } from "~/api/client";
import { may, useSession } from "~/api/session";
import { Button } from "~/kit/Button";
import { Confirm } from "~/kit/Dialog";
import { saveFile } from "~/kit/saveFile";
import { notify, notifyError } from "~/kit/Toast";
import { tenantsQuery } from "~/shell/tenants";

interface Whose {
  tenantId: string;
  recipientId: string;
}

type Page = Schemas["Export"];

// Pages of an export that one file holds: a page has at most 20 events and 100 notifications.
const MOST_PAGES = 500;
// How often an erasure is asked for that has more to do: one request works for up to 15 seconds.
const MOST_ROUNDS = 40;

/** Export and erase one recipient. */
export function RecipientActions({ tenantId, recipientId }: Whose) {
  const session = useSession();
  const tenant = useQuery(tenantsQuery).data?.find((one) => one.id === tenantId);
  if (!may(session, "operator", tenant)) {
    return null;
  }
  return (
    <>
      <ExportButton tenantId={tenantId} recipientId={recipientId} />
      <EraseButton tenantId={tenantId} recipientId={recipientId} />
    </>
  );
}

function ExportButton({ tenantId, recipientId }: Whose) {
  const [pages, setPages] = useState(0);
  const exporting = useMutation({
    mutationFn: () => readAll(tenantId, recipientId, setPages),
    onSuccess: (found) => {
      const file = new Blob([JSON.stringify(found, null, 2)], { type: "application/json" });
      saveFile(file, "export-of-a-recipient.json");
      notify(`Exported: ${found.events.length} events, ${found.inbox.length} notifications.`);
    },
    onError: notifyError,
    onSettled: () => setPages(0),
  });
  return (
    <Button isBusy={exporting.isPending} onClick={() => exporting.mutate()}>
      {exporting.isPending ? `Export: page ${pages + 1}` : "Export as a file"}
    </Button>
  );
}

async function readAll(tenantId: string, userId: string, onPage: (pages: number) => void): Promise<Page> {
  let found: Page | undefined;
  let cursor: string | null = "";
  for (let pages = 0; cursor !== null && pages < MOST_PAGES; pages += 1) {
    onPage(pages);
    const page: Page = await answer(
      api.POST("/api/v1/admin/tenants/{id}/recipients/export", {
        params: { path: { id: tenantId } },
        body: { user_id: userId, cursor },
      }),
    );
    found = found
      ? { ...found, events: [...found.events, ...page.events], inbox: [...found.inbox, ...page.inbox] }
      : page;
    cursor = page.next_cursor;
  }
  if (!found) {
    throw new Error("Nothing could be exported.");
  }
  // Not null: there is more than one file holds, and the API goes on from here.
  return { ...found, next_cursor: cursor };
}

function EraseButton({ tenantId, recipientId }: Whose) {
  const queries = useQueryClient();
  const [isOpen, setOpen] = useState(false);
  const erasing = useMutation({
    mutationFn: async () => {
      for (let round = 0; round < MOST_ROUNDS; round += 1) {
        const made = await answer(
          api.POST("/api/v1/admin/tenants/{id}/recipients/erase", {
            params: { path: { id: tenantId } },
            body: { user_id: recipientId },
          }),
        );
        if (made.complete) {
          return;
        }
      }
      throw new Error("A part is erased, and there is more. Erase again.");
    },
    onSuccess: () => {
      setOpen(false);
      notify("Erased. Erase once more in a minute: an attempt that was in progress may have left something.");
      void queries.invalidateQueries();
    },
  });
  return (
    <>
      <Button look="danger" onClick={() => setOpen(true)}>
        Erase
      </Button>
      <Confirm
        isOpen={isOpen}
        onClose={() => setOpen(false)}
        title="Erase this recipient?"
        text="Everything that was accepted for them until now is deleted: what was sent, their inbox, their addresses in the timelines. Their open pages are disconnected. Suppressions of their addresses stay, so that they get no mail that they do not want. It cannot be undone."
        action="Erase"
        name={recipientId}
        onSubmit={() => erasing.mutate()}
        isBusy={erasing.isPending}
        error={erasing.error}
      />
    </>
  );
}
