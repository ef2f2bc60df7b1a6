import { useQuery } from "@tanstack/react-query";
import { createLazyRoute, Link, useNavigate } from "@tanstack/react-router";
import { useRef } from "react";
import { may, useSession } from "~/api/session";
import { ErrorNote } from "~/kit/ErrorNote";
import { Loading } from "~/kit/Loading";
import { Card, Page } from "~/kit/Page";
import { Time } from "~/kit/Time";
import { tenantsQuery, useOwnTenant } from "~/shell/tenants";
import type { Part } from "../data";
import { partQuery, partVersionsQuery } from "./data";
import { PartForm } from "./PartForm";
import styles from "./PartScreen.module.css";
import { PartUsers } from "./PartUsers";

export const lazyRoute = createLazyRoute("/frame/templates/parts/$partId")({ component: PartScreen });

function PartScreen() {
  const { partId } = lazyRoute.useParams();
  const { data, error } = useQuery(partQuery(partId));
  if (error) {
    return (
      <Page title="Layout or partial">
        <ErrorNote error={error} />
      </Page>
    );
  }
  return data === undefined ? <Loading /> : <Edit part={data} />;
}

function Edit({ part }: { part: Part }) {
  useOwnTenant(part.tenant_id);
  const versions = useQuery(partVersionsQuery(part));
  const session = useSession();
  const tenant = useQuery(tenantsQuery).data?.find((one) => one.id === part.tenant_id);
  const navigate = useNavigate();
  const maySave = may(session, "developer", tenant);
  // As in the editor of templates: a version that was saved here is gone on with.
  const editing = useRef({ id: part.id, key: part.id, saved: "" });
  if (editing.current.id !== part.id) {
    const { key, saved } = editing.current;
    editing.current = { id: part.id, key: saved === part.id ? key : part.id, saved };
  }
  const newest = versions.data?.[0] ?? part;
  const kind = part.kind === "LAYOUT" ? "Layout" : "Partial";
  return (
    <Page
      title={`${kind} ${part.name}`}
      text={
        part.tenant_id === null
          ? "Of the platform: for every tenant that has none of this name"
          : `Of ${tenant?.name ?? "a tenant"}`
      }
    >
      {versions.error ? <ErrorNote error={versions.error} /> : null}
      {versions.data === undefined ? (
        <Loading />
      ) : (
        <PartForm
          key={editing.current.key}
          tenantId={part.tenant_id}
          kind={part.kind as "LAYOUT" | "PARTIAL"}
          name={part.name}
          start={part.body}
          newest={newest}
          maySave={maySave}
          onSaved={(made) => {
            editing.current.saved = made.id;
            void navigate({ to: "/templates/parts/$partId", params: { partId: made.id }, replace: true });
          }}
        />
      )}
      <PartUsers part={newest} mayApply={maySave} />
      <Card title="Versions">
        <ul className={styles.versions}>
          {(versions.data ?? []).map((one) => (
            <li key={one.id}>
              {one.id === part.id ? (
                <strong>Version {one.version}</strong>
              ) : (
                <Link to="/templates/parts/$partId" params={{ partId: one.id }}>
                  Version {one.version}
                </Link>
              )}
              , <Time at={one.created_at} />
            </li>
          ))}
        </ul>
      </Card>
    </Page>
  );
}
