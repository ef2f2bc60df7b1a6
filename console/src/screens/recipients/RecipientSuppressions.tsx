import { useQueries, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { answer, api, type Schemas } from "~/api/client";
import { Badge } from "~/kit/Badge";
import { ErrorNote } from "~/kit/ErrorNote";
import { Loading } from "~/kit/Loading";
import { Table } from "~/kit/Table";
import { Time } from "~/kit/Time";

type Suppression = Schemas["Suppression"];

/** Suppressions of the addresses that the recipient has, stored or in the newest event to them. */
export function RecipientSuppressions({
  tenantId,
  recipientId,
  stored,
}: {
  tenantId: string;
  recipientId: string;
  stored: { email: string; phone: string } | null | undefined;
}) {
  const newest = useQuery({
    queryKey: ["events", "newest of", tenantId, recipientId],
    queryFn: ({ signal }) =>
      answer(
        api.GET("/api/v1/admin/events", {
          params: { query: { tenant_id: tenantId, recipient: recipientId, limit: 1 } },
          signal,
        }),
      ),
  });
  const person = newest.data?.data[0]?.recipient;
  const addresses = [...new Set([stored?.email, stored?.phone, person?.email, person?.phone])].filter(
    (one): one is string => Boolean(one),
  );
  const found = useQueries({
    queries: addresses.map((address) => ({
      queryKey: ["suppressions", tenantId, "of", address],
      queryFn: ({ signal }: { signal: AbortSignal }) =>
        answer(
          api.GET("/api/v1/admin/suppressions", {
            params: { query: { tenant_id: tenantId, address, limit: 20 } },
            signal,
          }),
        ),
    })),
  });
  const failed = found.find((one) => one.error && !isNoAddress(one.error))?.error;
  if (failed) {
    return <ErrorNote error={failed} onRetry={() => found.forEach((one) => void one.refetch())} />;
  }
  if (newest.isPending || found.some((one) => one.isPending)) {
    return <Loading />;
  }
  const rows = found.flatMap((one) => one.data?.data ?? []);
  if (rows.length === 0) {
    return <p>None of the addresses that are known of them is suppressed.</p>;
  }
  return (
    <>
      <Table
        caption="Suppressions of this recipient’s addresses"
        rows={rows}
        rowKey={(row: Suppression) => row.id}
        columns={[
          { header: "Address", cell: (row) => <bdi>{row.address}</bdi> },
          { header: "Why", cell: (row) => <Badge tone="wait">{row.reason}</Badge> },
          { header: "Since", cell: (row) => <Time at={row.created_at} />, isWhole: true },
        ]}
      />
      <p>
        <Link to="/suppressions" search={{ tenant: tenantId }}>
          Lift them under Suppressions
        </Link>
      </p>
    </>
  );
}

/** An event may hold an address that none can have. */
function isNoAddress(error: Error): boolean {
  return "status" in error && error.status === 422;
}
