import { useQuery } from "@tanstack/react-query";
import { createLazyRoute, useNavigate } from "@tanstack/react-router";
import { useRef } from "react";
import { may, useSession } from "~/api/session";
import { LinkButton } from "~/kit/Button";
import { ErrorNote } from "~/kit/ErrorNote";
import { Loading } from "~/kit/Loading";
import { Page } from "~/kit/Page";
import { channelName } from "~/shell/channels";
import { tenantsQuery, useOwnTenant } from "~/shell/tenants";
import { languageName, type Template, templateQuery, versionsQuery } from "../data";
import { PLATFORM_SAMPLE } from "../starters";
import { contentOf } from "./draft";
import { TemplateForm } from "./TemplateForm";

export const lazyRoute = createLazyRoute("/frame/templates/$templateId/edit")({
  component: EditTemplateScreen,
});

function EditTemplateScreen() {
  const { templateId } = lazyRoute.useParams();
  const { data: template, error } = useQuery(templateQuery(templateId));
  if (error) {
    return (
      <Page title="Template">
        <ErrorNote error={error} />
      </Page>
    );
  }
  return template === undefined ? <Loading /> : <Edit template={template} />;
}

function Edit({ template }: { template: Template }) {
  useOwnTenant(template.tenant_id);
  const versions = useQuery(versionsQuery(template));
  const session = useSession();
  const tenant = useQuery(tenantsQuery).data?.find((one) => one.id === template.tenant_id);
  const navigate = useNavigate();
  // A version that was saved here is gone on with: the cursor and what can be undone stay.
  const editing = useRef({ id: template.id, key: template.id, saved: "" });
  if (editing.current.id !== template.id) {
    const isOurs = editing.current.saved === template.id;
    editing.current = {
      id: template.id,
      key: isOurs ? editing.current.key : template.id,
      saved: editing.current.saved,
    };
  }
  const title = `Edit ${template.event_type}`;
  const newest =
    versions.data?.find((one) => one.locale === template.locale && one.tenant_id === template.tenant_id) ??
    null;
  return (
    <Page
      title={title}
      text={
        <>
          {channelName(template.channel)}, {languageName(template.locale)}, version {template.version}
          {template.active ? " (active)" : ""}
          {template.tenant_id === null ? ", of the platform" : tenant ? `, of ${tenant.name}` : ""}
          {newest !== null && newest.id !== template.id ? `. The newest version is ${newest.version}.` : "."}
        </>
      }
      actions={
        <LinkButton to="/templates/$templateId" params={{ templateId: template.id }}>
          Versions and languages
        </LinkButton>
      }
    >
      {versions.error ? <ErrorNote error={versions.error} /> : null}
      {versions.data === undefined ? (
        <Loading />
      ) : (
        <TemplateForm
          key={editing.current.key}
          place={{
            tenant_id: template.tenant_id,
            event_type: template.event_type,
            channel: template.channel,
            locale: template.locale,
          }}
          start={contentOf(template)}
          newest={newest ?? template}
          fallbackSample={template.event_type.startsWith("global.") ? PLATFORM_SAMPLE : {}}
          maySave={may(session, "developer", tenant)}
          onSaved={(made) => {
            editing.current.saved = made.id;
            void navigate({
              to: "/templates/$templateId/edit",
              params: { templateId: made.id },
              replace: true,
            });
          }}
        />
      )}
    </Page>
  );
}
