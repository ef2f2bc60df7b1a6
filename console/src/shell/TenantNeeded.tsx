import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ErrorNote } from "~/kit/ErrorNote";
import { Loading } from "~/kit/Loading";
import { Card, EmptyState } from "~/kit/Page";
import styles from "./TenantNeeded.module.css";
import { tenantsQuery } from "./tenants";

// More are found with the switcher above.
const SHOWN = 20;

/** Stands on screens about one tenant while none is chosen: leads to each. `what`: such as "providers". */
export function TenantNeeded({ what }: { what: string }) {
  const tenants = useQuery(tenantsQuery);
  if (tenants.error) {
    return <ErrorNote error={tenants.error} onRetry={() => void tenants.refetch()} />;
  }
  if (!tenants.data) {
    return <Loading />;
  }
  if (tenants.data.length === 0) {
    return (
      <EmptyState
        title="There is no tenant yet"
        text={`A tenant is an application or a customer with ${what} of its own. Create the first one.`}
        action={<Link to="/tenants">Go to Tenants</Link>}
      />
    );
  }
  return (
    <Card title="Choose a tenant">
      <p>Each tenant has {what} of its own.</p>
      <ul className={styles.list}>
        {tenants.data.slice(0, SHOWN).map((tenant) => (
          <li key={tenant.id}>
            <Link to="." search={(before) => ({ ...before, tenant: tenant.id })}>
              {tenant.name}
            </Link>
          </li>
        ))}
      </ul>
      {tenants.data.length > SHOWN ? <p>Find the others with the list at the top of the page.</p> : null}
    </Card>
  );
}
