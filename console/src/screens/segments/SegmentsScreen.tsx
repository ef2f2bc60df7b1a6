import { useQuery } from "@tanstack/react-query";
import { createLazyRoute, Link } from "@tanstack/react-router";
import { may, useSession } from "~/api/session";
import { LinkButton } from "~/kit/Button";
import { ErrorNote } from "~/kit/ErrorNote";
import { Loading } from "~/kit/Loading";
import { EmptyState, Page } from "~/kit/Page";
import { Table } from "~/kit/Table";
import { Time } from "~/kit/Time";
import { Sections } from "~/screens/recipients/Sections";
import { TenantNeeded } from "~/shell/TenantNeeded";
import { useTenant, useTenantId } from "~/shell/tenants";
import { segmentsQuery } from "./data";
import { filterSentence } from "./filter";
import styles from "./Segments.module.css";

export const lazyRoute = createLazyRoute("/frame/segments")({ component: SegmentsScreen });

function SegmentsScreen() {
  const tenantId = useTenantId();
  const mayChange = may(useSession(), "operator", useTenant());
  return (
    <Page
      title="Segments"
      text="Saved filters over the stored recipients. Who is in one is found out each time it is used."
      actions={
        tenantId && mayChange ? (
          <LinkButton to="/segments/new" look="primary">
            New segment
          </LinkButton>
        ) : null
      }
    >
      <Sections />
      {tenantId ? <Segments tenantId={tenantId} mayChange={mayChange} /> : <TenantNeeded what="segments" />}
    </Page>
  );
}

function Segments({ tenantId, mayChange }: { tenantId: string; mayChange: boolean }) {
  const { data, error, refetch } = useQuery(segmentsQuery(tenantId));
  if (error) {
    return <ErrorNote error={error} onRetry={() => void refetch()} />;
  }
  if (data === undefined) {
    return <Loading />;
  }
  if (data.length === 0) {
    return (
      <EmptyState
        title="No segments yet"
        text="A segment names people by what is stored of them, such as a tag, a language or a field of your own. Workflows can be for one, and so can messages."
        action={
          mayChange ? (
            <LinkButton to="/segments/new" look="primary">
              Make the first segment
            </LinkButton>
          ) : (
            <LinkButton to="/recipients">See the people</LinkButton>
          )
        }
      />
    );
  }
  return (
    <Table
      caption="Segments, by their names"
      rows={data}
      rowKey={(row) => row.id}
      columns={[
        {
          header: "Name",
          cell: (row) => (
            <Link to="/segments/$segmentId" params={{ segmentId: row.id }}>
              <bdi>{row.name}</bdi>
            </Link>
          ),
        },
        { header: "Key", cell: (row) => <code>{row.key}</code> },
        { header: "Who", cell: (row) => <span className={styles.cut}>{filterSentence(row.filter)}</span> },
        { header: "Changed", cell: (row) => <Time at={row.updated_at} />, isWhole: true },
      ]}
    />
  );
}
