import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { answer, api } from "~/api/client";
import { ErrorNote } from "~/kit/ErrorNote";
import { CheckField } from "~/kit/Field";
import { FieldGroup } from "~/kit/Form";
import { Loading } from "~/kit/Loading";

interface EndpointChoiceProps {
  tenantId: string;
  chosen: readonly string[];
  onChange: (chosen: string[]) => void;
}

/** Choose from the newest hundred endpoints of a tenant. */
export function EndpointChoice({ tenantId, chosen, onChange }: EndpointChoiceProps) {
  const { data, error, isPending } = useQuery({
    queryKey: ["endpoints", tenantId, "choice"],
    queryFn: ({ signal }) =>
      answer(
        api.GET("/api/v1/admin/tenants/{id}/endpoints", {
          params: { path: { id: tenantId }, query: { limit: 100 } },
          signal,
        }),
      ),
  });
  if (error) {
    return <ErrorNote error={error} />;
  }
  if (isPending) {
    return <Loading what="Loading the endpoints" />;
  }
  if (data.data.length === 0) {
    return (
      <p>
        This tenant has no endpoints yet.{" "}
        <Link to="/endpoints/new" search={{ tenant: tenantId }}>
          Create one first
        </Link>
        .
      </p>
    );
  }
  return (
    <FieldGroup legend="Endpoints" help="The key can read these, and nothing else.">
      {data.data.map((endpoint) => (
        <CheckField
          key={endpoint.id}
          label={endpoint.description || endpoint.url || endpoint.id}
          checked={chosen.includes(endpoint.id)}
          onChange={(event) =>
            onChange(
              event.target.checked ? [...chosen, endpoint.id] : chosen.filter((one) => one !== endpoint.id),
            )
          }
        />
      ))}
    </FieldGroup>
  );
}
