import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ErrorNote } from "~/kit/ErrorNote";
import { Loading } from "~/kit/Loading";
import { Card } from "~/kit/Page";
import { useSettled } from "~/kit/useSettled";
import { countQuery } from "./data";
import { type Filter, isComplete, toGroup } from "./filter";
import styles from "./Segments.module.css";

interface LiveCountProps {
  tenantId: string;
  filter: Filter;
  mayCount: boolean;
}

/** Ask how many people a filter matches, a moment after each change of it. */
export function useCount({ tenantId, filter, mayCount }: LiveCountProps) {
  const asked = useSettled(JSON.stringify(filter));
  const group = toGroup(JSON.parse(asked));
  const isReady = group === null || isComplete(group);
  return { ...useQuery(countQuery(tenantId, asked, mayCount && isReady)), mayCount };
}

/** How many people a filter matches now, and the first of them. */
export function LiveCount({ tenantId, count }: { tenantId: string; count: ReturnType<typeof useCount> }) {
  const { data, error, isFetching, isEnabled, mayCount } = count;
  return (
    <Card title="How many people">
      {mayCount ? null : <p className={styles.soft}>Your role may not count people by a filter.</p>}
      {mayCount && !isEnabled ? (
        <p className={styles.soft}>Fill in each test to see how many match.</p>
      ) : null}
      {isEnabled && error ? <ErrorNote error={error} /> : null}
      {isEnabled && data === undefined && !error ? <Loading /> : null}
      {isEnabled && data && !error ? (
        <div aria-busy={isFetching} className={isFetching ? styles.busy : undefined}>
          <p className={styles.number} aria-live="polite">
            {data.more ? "More than " : ""}
            <strong>{data.count.toLocaleString()}</strong> {data.count === 1 ? "person" : "people"}
          </p>
          {data.first.length > 0 ? (
            <ul className={styles.first} aria-label="The first of them">
              {data.first.map((one) => (
                <li key={one.id}>
                  <Link
                    to="/recipients/$recipientId"
                    params={{ recipientId: one.recipient_id }}
                    search={{ tenant: tenantId }}
                  >
                    <bdi>{one.name || one.recipient_id}</bdi>
                  </Link>{" "}
                  <bdi className={styles.soft}>{one.email || one.phone}</bdi>
                </li>
              ))}
            </ul>
          ) : null}
        </div>
      ) : null}
    </Card>
  );
}
