import { useQuery } from "@tanstack/react-query";
import { createLazyRoute, Link } from "@tanstack/react-router";
import { may, useSession } from "~/api/session";
import { LinkButton } from "~/kit/Button";
import { ErrorNote } from "~/kit/ErrorNote";
import { Loading } from "~/kit/Loading";
import { EmptyState, Page } from "~/kit/Page";
import { Table } from "~/kit/Table";
import { Sections } from "~/screens/recipients/Sections";
import { TenantNeeded } from "~/shell/TenantNeeded";
import { useTenant, useTenantId } from "~/shell/tenants";
import { tagsQuery } from "./data";

export const lazyRoute = createLazyRoute("/frame/tags")({ component: TagsScreen });

function TagsScreen() {
  const tenantId = useTenantId();
  return (
    <Page
      title="Tags"
      text="Words that stored recipients have. Workflows and segments choose people by them."
    >
      <Sections />
      {tenantId ? <Tags tenantId={tenantId} /> : <TenantNeeded what="tags" />}
    </Page>
  );
}

function Tags({ tenantId }: { tenantId: string }) {
  const mayImport = may(useSession(), "operator", useTenant());
  const { data, error, refetch } = useQuery(tagsQuery(tenantId));
  if (error) {
    return <ErrorNote error={error} onRetry={() => void refetch()} />;
  }
  if (data === undefined) {
    return <Loading />;
  }
  if (data.length === 0) {
    return (
      <EmptyState
        title="Nobody has a tag"
        text="Give a person tags on their page, or to everybody of an import."
        action={
          mayImport ? (
            <LinkButton to="/imports/new">Import people</LinkButton>
          ) : (
            <LinkButton to="/recipients">See the people</LinkButton>
          )
        }
      />
    );
  }
  return (
    <Table
      caption="Tags, the most frequent first"
      rows={data}
      rowKey={(row) => row.tag}
      columns={[
        {
          header: "Tag",
          cell: (row) => (
            <Link to="/recipients" search={{ tenant: tenantId, tag: row.tag }}>
              <bdi>{row.tag}</bdi>
            </Link>
          ),
        },
        { header: "People", cell: (row) => row.recipients.toLocaleString(), isNumber: true },
      ]}
    />
  );
}
