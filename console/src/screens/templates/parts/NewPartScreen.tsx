import { useQuery } from "@tanstack/react-query";
import { createLazyRoute, Link, useNavigate } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { may, useSession } from "~/api/session";
import { Button } from "~/kit/Button";
import { ErrorNote } from "~/kit/ErrorNote";
import { SelectField, TextField } from "~/kit/Field";
import { Loading } from "~/kit/Loading";
import { Card, Page } from "~/kit/Page";
import { tenantsQuery, useTenantId } from "~/shell/tenants";
import type { PartKind } from "../data";
import styles from "../editor/NewTemplateScreen.module.css";
import { partVersionsQuery } from "./data";
import { PartForm } from "./PartForm";
import { PART_STARTERS } from "./starters";

export const lazyRoute = createLazyRoute("/frame/templates/parts/new")({ component: NewPartScreen });

const NAME = /^[A-Za-z0-9_-]{1,64}$/;

function NewPartScreen() {
  const { kind, name } = lazyRoute.useSearch();
  const tenantId = useTenantId();
  if (kind === undefined || name === undefined || !NAME.test(name)) {
    return <Choose />;
  }
  return <Begin tenantId={tenantId ?? null} kind={kind} name={name} />;
}

function Choose() {
  const search = lazyRoute.useSearch();
  const navigate = useNavigate();
  const tenantId = useTenantId();
  const session = useSession();
  const tenants = useQuery(tenantsQuery).data ?? [];
  const [owner, setOwner] = useState(tenantId ?? "");
  const [kind, setKind] = useState<PartKind>(search.kind ?? "LAYOUT");
  const [name, setName] = useState(search.name ?? "");
  const isNamed = NAME.test(name);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void navigate({
      to: "/templates/parts/new",
      search: { kind, name, tenant: owner === "platform" ? undefined : owner },
    });
  };
  return (
    <Page
      title="New layout or partial"
      text="A layout surrounds the bodies of e-mails; a partial is inserted by its name."
    >
      <Card title="What it is">
        <form onSubmit={submit} className={styles.form}>
          <div className={styles.fields}>
            <SelectField label="Tenant" value={owner} onChange={(event) => setOwner(event.target.value)}>
              <option value="">Choose a tenant</option>
              {tenants.map((one) => (
                <option key={one.id} value={one.id}>
                  {one.name}
                </option>
              ))}
              {may(session, "developer") ? (
                <option value="platform">The platform, for all tenants</option>
              ) : null}
            </SelectField>
            <SelectField
              label="Kind"
              value={kind}
              onChange={(event) => setKind(event.target.value as PartKind)}
            >
              <option value="LAYOUT">Layout</option>
              <option value="PARTIAL">Partial</option>
            </SelectField>
            <TextField
              label="Name"
              help="Letters, digits, _ and -. Templates call it by this name"
              error={name !== "" && !isNamed ? "Only letters, digits, _ and -, at most 64" : undefined}
              value={name}
              spellCheck={false}
              onChange={(event) => setName(event.target.value)}
            />
          </div>
          <div>
            <Button type="submit" look="primary" disabled={!isNamed || owner === ""}>
              Open the editor
            </Button>
          </div>
        </form>
      </Card>
    </Page>
  );
}

function Begin({ tenantId, kind, name }: { tenantId: string | null; kind: PartKind; name: string }) {
  const navigate = useNavigate();
  const session = useSession();
  const tenant = useQuery(tenantsQuery).data?.find((one) => one.id === tenantId);
  const versions = useQuery(partVersionsQuery({ tenant_id: tenantId, kind, name }));
  const title = kind === "LAYOUT" ? `New layout ${name}` : `New partial ${name}`;
  const existing = versions.data?.[0];
  if (versions.data === undefined && !versions.error) {
    return <Loading />;
  }
  return (
    <Page
      title={title}
      text={tenantId === null ? "Of the platform, for all tenants" : `Of ${tenant?.name ?? "a tenant"}`}
    >
      {versions.error ? <ErrorNote error={versions.error} /> : null}
      {existing ? (
        <p>
          There is one already:{" "}
          <Link to="/templates/parts/$partId" params={{ partId: existing.id }}>
            open version {existing.version}
          </Link>
          .
        </p>
      ) : (
        <PartForm
          tenantId={tenantId}
          kind={kind}
          name={name}
          start={PART_STARTERS[kind]}
          newest={null}
          maySave={may(session, "developer", tenant)}
          onSaved={(made) =>
            void navigate({ to: "/templates/parts/$partId", params: { partId: made.id }, replace: true })
          }
        />
      )}
    </Page>
  );
}
