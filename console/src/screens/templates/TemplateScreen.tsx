import { useQuery, useQueryClient } from "@tanstack/react-query";
import { createLazyRoute, Link, useNavigate } from "@tanstack/react-router";
import { lazy, Suspense, useMemo, useState } from "react";
import { answer, api } from "~/api/client";
import { may, useSession } from "~/api/session";
import { Badge } from "~/kit/Badge";
import { Button, LinkButton } from "~/kit/Button";
import { Confirm } from "~/kit/Dialog";
import { ErrorNote } from "~/kit/ErrorNote";
import { SelectField } from "~/kit/Field";
import { Loading } from "~/kit/Loading";
import { Card, Facts, Page } from "~/kit/Page";
import { Table } from "~/kit/Table";
import { Time } from "~/kit/Time";
import { notify, notifyError } from "~/kit/Toast";
import { channelName } from "~/shell/channels";
import { tenantsQuery, useOwnTenant } from "~/shell/tenants";
import { AddLanguage } from "./AddLanguage";
import { languageName, type Template, templateQuery, versionsQuery } from "./data";
import { FromYourProgram } from "./FromYourProgram";
import styles from "./TemplateScreen.module.css";

// The editor's code is loaded with the first comparison, not with this screen.
const VersionDiff = lazy(() => import("./editor/VersionDiff"));

export const lazyRoute = createLazyRoute("/frame/templates/$templateId")({ component: TemplateScreen });

function TemplateScreen() {
  const { templateId } = lazyRoute.useParams();
  const { data, error } = useQuery(templateQuery(templateId));
  if (error) {
    return (
      <Page title="Template">
        <ErrorNote error={error} />
      </Page>
    );
  }
  return data === undefined ? <Loading /> : <Versions template={data} />;
}

function Versions({ template }: { template: Template }) {
  useOwnTenant(template.tenant_id);
  const versions = useQuery(versionsQuery(template));
  const session = useSession();
  const tenant = useQuery(tenantsQuery).data?.find((one) => one.id === template.tenant_id);
  const mayEdit = may(session, "developer", tenant);
  const { against } = lazyRoute.useSearch();
  const navigate = useNavigate();
  const acts = useActs();
  const [asked, setAsked] = useState<Template | null>(null);
  const known = versions.data ?? [];
  const ofLanguage = known.filter((one) => one.locale === template.locale);
  const compared = known.find((one) => one.id === against && one.id !== template.id);
  const compare = (id: string) =>
    void navigate({
      to: "/templates/$templateId",
      params: { templateId: template.id },
      search: { ...(id && { against: id }) },
      replace: true,
    });
  return (
    <Page
      title={template.event_type}
      text={`${channelName(template.channel)} ${
        template.tenant_id === null
          ? "template of the platform, for all tenants"
          : `template of ${tenant?.name ?? "a tenant"}`
      }`}
      actions={
        <>
          <LinkButton to="/test-send" search={{ channel: template.channel, version: template.id }}>
            Send a test
          </LinkButton>
          <LinkButton look="primary" to="/templates/$templateId/edit" params={{ templateId: template.id }}>
            {mayEdit ? "Edit" : "Open in the editor"}
          </LinkButton>
        </>
      }
    >
      {versions.error ? <ErrorNote error={versions.error} /> : null}
      <Languages versions={known} template={template} mayEdit={mayEdit} />
      <Card title={`Versions: ${languageName(template.locale)}`}>
        {versions.isPending ? <Loading /> : null}
        <Table
          caption="Versions, newest first"
          rows={ofLanguage}
          rowKey={(row) => row.id}
          columns={[
            {
              header: "Version",
              cell: (row) => (
                <>
                  {row.id === template.id ? (
                    <strong aria-current="true">{row.version}</strong>
                  ) : (
                    <Link to="/templates/$templateId" params={{ templateId: row.id }}>
                      {row.version}
                    </Link>
                  )}{" "}
                  {row.active ? <Badge tone="good">active</Badge> : null}
                </>
              ),
            },
            { header: "Saved", cell: (row) => <Time at={row.created_at} /> },
            { header: "Last activated", cell: (row) => <Time at={row.activated_at} /> },
            { header: "Subject or text", cell: (row) => excerpt(row) },
            {
              header: "",
              cell: (row) => (
                <div className={styles.actions}>
                  <LinkButton
                    size="small"
                    to="/templates/$templateId/edit"
                    params={{ templateId: row.id }}
                    aria-label={`Edit version ${row.version}`}
                  >
                    Edit
                  </LinkButton>
                  {row.active ? (
                    <Button
                      size="small"
                      look="danger"
                      disabled={!mayEdit}
                      aria-label={`Deactivate version ${row.version}`}
                      onClick={() => setAsked(row)}
                    >
                      Deactivate
                    </Button>
                  ) : (
                    <Button
                      size="small"
                      disabled={!mayEdit}
                      aria-label={`${rollsBack(row, ofLanguage) ? "Roll back to" : "Activate"} version ${row.version}`}
                      onClick={() => acts.activate(row)}
                    >
                      {rollsBack(row, ofLanguage) ? "Roll back" : "Activate"}
                    </Button>
                  )}
                </div>
              ),
            },
          ]}
        />
      </Card>
      <FromYourProgram key={template.id} template={template} mayEdit={mayEdit} />
      <Card title={`Version ${template.version}`}>
        <Facts
          facts={[
            ["Subject", template.subject],
            ["Preheader", template.preheader],
            ["Layout", template.layout],
            [
              "Uses",
              template.parts.length > 0 ? (
                <ul key="parts" className={styles.parts}>
                  {template.parts.map((one) => (
                    <li key={one.id}>
                      <Link to="/templates/parts/$partId" params={{ partId: one.id }}>
                        {one.kind === "LAYOUT" ? "layout" : "partial"} {one.name}
                      </Link>{" "}
                      version {one.version}
                    </li>
                  ))}
                </ul>
              ) : null,
            ],
            ["Unsubscribing", template.subscribed ? "Recipients can unsubscribe from this mail" : null],
            ["Id", <code key="id">{template.id}</code>],
          ]}
        />
        <SelectField
          label="Compare with"
          value={compared?.id ?? ""}
          onChange={(event) => compare(event.target.value)}
        >
          <option value="">No other version</option>
          {known
            .filter((one) => one.id !== template.id)
            .map((one) => (
              <option key={one.id} value={one.id}>
                Version {one.version}, {languageName(one.locale)}
                {one.active ? " (active)" : ""}
              </option>
            ))}
        </SelectField>
        <Suspense fallback={<Loading />}>
          <VersionDiff template={template} against={compared ?? null} />
        </Suspense>
      </Card>
      <Confirm
        isOpen={asked !== null}
        onClose={() => setAsked(null)}
        title={`Deactivate version ${asked?.version ?? ""}?`}
        text="No version of this language is active then: its recipients get another language's version, or nothing on this channel."
        action="Deactivate"
        name={template.event_type}
        isBusy={acts.isBusy}
        onSubmit={() => {
          if (asked) {
            acts.deactivate(asked);
          }
          setAsked(null);
        }}
      />
    </Page>
  );
}

function Languages({
  versions,
  template,
  mayEdit,
}: {
  versions: readonly Template[];
  template: Template;
  mayEdit: boolean;
}) {
  const [isAdding, setAdding] = useState(false);
  const languages = useMemo(() => byLanguage(versions), [versions]);
  return (
    <Card
      title="Languages"
      actions={
        mayEdit ? (
          <Button size="small" onClick={() => setAdding(true)}>
            Add a language
          </Button>
        ) : null
      }
    >
      <ul className={styles.languages}>
        {languages.map(({ locale, newest, active }) => (
          <li key={locale ?? ""}>
            {locale === template.locale ? (
              <strong>{languageName(locale)}</strong>
            ) : (
              <Link to="/templates/$templateId" params={{ templateId: (active ?? newest).id }}>
                {languageName(locale)}
              </Link>
            )}{" "}
            {active ? (
              <Badge tone="good">version {active.version} active</Badge>
            ) : (
              <Badge tone="wait">none active</Badge>
            )}
          </li>
        ))}
      </ul>
      <AddLanguage
        isOpen={isAdding}
        onClose={() => setAdding(false)}
        languages={languages.map(({ locale, active, newest }) => ({ locale, version: active ?? newest }))}
      />
    </Card>
  );
}

function byLanguage(versions: readonly Template[]) {
  const found = new Map<
    string | null,
    { locale: string | null; newest: Template; active: Template | null }
  >();
  for (const one of versions) {
    const known = found.get(one.locale);
    if (known === undefined) {
      found.set(one.locale, { locale: one.locale, newest: one, active: one.active ? one : null });
    } else if (one.active) {
      known.active = one;
    }
  }
  return [...found.values()].sort((one, other) => (one.locale ?? "").localeCompare(other.locale ?? ""));
}

/** Whether activating this version goes back: a later one was active or is. */
function rollsBack(row: Template, versions: readonly Template[]): boolean {
  return versions.some((one) => one.active && one.version > row.version);
}

function excerpt(template: Template): string {
  const text = template.subject || template.body;
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}

function useActs() {
  const queries = useQueryClient();
  const [isBusy, setBusy] = useState(false);
  const act = (call: Promise<Template>, said: (made: Template) => string) => {
    setBusy(true);
    call
      .then(async (made) => {
        await queries.invalidateQueries({ queryKey: ["templates"] });
        notify(said(made));
      })
      .catch((problem: Error) => notifyError(problem))
      .finally(() => setBusy(false));
  };
  const path = (one: Template) => ({ params: { path: { id: one.id } } });
  return {
    isBusy,
    activate: (one: Template) =>
      act(
        answer(api.POST("/api/v1/admin/templates/{id}/activate", path(one))),
        (made) => `Version ${made.version} is active now.`,
      ),
    deactivate: (one: Template) =>
      act(
        answer(api.POST("/api/v1/admin/templates/{id}/deactivate", path(one))),
        (made) => `Version ${made.version} is not active any more.`,
      ),
  };
}
