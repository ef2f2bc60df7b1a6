import { useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { answer, api, type Schemas } from "~/api/client";
import { useRows } from "~/api/pages";
import { Badge } from "~/kit/Badge";
import { Button } from "~/kit/Button";
import { ErrorNote } from "~/kit/ErrorNote";
import { Card } from "~/kit/Page";
import { List } from "~/kit/Table";
import { channelName } from "~/shell/channels";
import { languageName, type Part } from "../data";
import styles from "./PartUsers.module.css";

type User = Schemas["PartUser"];

interface Applied {
  updated: number;
  failed: { id: string; detail: string }[];
  isDone: boolean;
}

/** The active templates that use a layout or partial, and giving all of them its newest version. */
export function PartUsers({ part, mayApply }: { part: Part; mayApply: boolean }) {
  const list = useRows<User>(["template-parts", "users", part.id], (cursor, signal) =>
    answer(
      api.GET("/api/v1/admin/template-parts/{id}/templates", {
        params: { path: { id: part.id }, query: { ...(cursor && { cursor }) } },
        signal,
      }),
    ),
  );
  const { applied, error, isBusy, apply } = useApply(part);
  const isOld = list.rows.some((one) => !one.is_current);
  return (
    <Card
      title="Templates that use it"
      actions={
        isOld || list.hasMore ? (
          <Button onClick={() => void apply()} isBusy={isBusy} disabled={!mayApply}>
            Give all of them version {part.version}
          </Button>
        ) : null
      }
    >
      {error ? <ErrorNote error={error} onRetry={() => void apply()} /> : null}
      {applied ? <Result applied={applied} /> : null}
      <List
        caption="Active templates that use it"
        list={list}
        rowKey={(row) => row.id}
        columns={[
          {
            header: "Template",
            cell: (row) => (
              <Link to="/templates/$templateId" params={{ templateId: row.id }}>
                {row.event_type}
              </Link>
            ),
          },
          { header: "Channel", cell: (row) => channelName(row.channel) },
          { header: "Language", cell: (row) => languageName(row.locale) },
          { header: "Version", cell: (row) => row.version, isNumber: true },
          {
            header: "Uses",
            cell: (row) => (
              <>
                version {row.part_version}{" "}
                {row.is_current ? <Badge tone="good">newest</Badge> : <Badge tone="wait">older</Badge>}
              </>
            ),
          },
        ]}
        empty={<p>No active template uses it.</p>}
      />
    </Card>
  );
}

function Result({ applied }: { applied: Applied }) {
  return (
    <div className={styles.result} role="status">
      <p>
        {applied.updated} {applied.updated === 1 ? "template has" : "templates have"} a new version with it
        {applied.isDone ? "." : " so far…"}
      </p>
      {applied.failed.length > 0 ? (
        <>
          <p>{applied.failed.length} would not work with it, and stay as they are:</p>
          <ul>
            {applied.failed.map((one) => (
              <li key={one.id}>
                <Link to="/templates/$templateId" params={{ templateId: one.id }}>
                  Open the template
                </Link>
                : {one.detail}
              </li>
            ))}
          </ul>
        </>
      ) : null}
    </div>
  );
}

function useApply(part: Part) {
  const queries = useQueryClient();
  const [applied, setApplied] = useState<Applied | null>(null);
  const [error, setError] = useState<Error | null>(null);
  const [isBusy, setBusy] = useState(false);
  const apply = async () => {
    setBusy(true);
    setError(null);
    const sum: Applied = { updated: 0, failed: [], isDone: false };
    let cursor: string | undefined;
    try {
      do {
        const params = { path: { id: part.id }, query: { ...(cursor && { cursor }) } };
        const page = await answer(api.POST("/api/v1/admin/template-parts/{id}/apply", { params }));
        sum.updated += page.updated.length;
        sum.failed = [...sum.failed, ...page.failed];
        cursor = page.more ? (page.next_cursor ?? undefined) : undefined;
        sum.isDone = cursor === undefined;
        setApplied({ ...sum });
      } while (cursor !== undefined);
    } catch (problem) {
      setError(problem instanceof Error ? problem : new Error(String(problem)));
    } finally {
      setBusy(false);
      await queries.invalidateQueries({ queryKey: ["template-parts", "users"] });
      await queries.invalidateQueries({ queryKey: ["templates"] });
    }
  };
  return { applied, error, isBusy, apply };
}
