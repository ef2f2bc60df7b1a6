import { Link } from "@tanstack/react-router";
import { classes } from "~/kit/classes";
import { Time } from "~/kit/Time";
import { type Hit, targetOf } from "./hits";
import styles from "./SearchBox.module.css";

const KINDS: Readonly<Record<Hit["kind"], string>> = {
  event: "Messages",
  delivery: "Deliveries",
  recipient: "Recipients",
  workflow: "Workflows",
  segment: "Segments",
  schedule: "Schedules",
  import: "Imports",
  endpoint: "Endpoints",
  template: "Templates",
  provider: "Providers",
  tenant: "Tenants",
  api_key: "API keys",
};

interface HitsProps {
  hits: readonly Hit[] | undefined;
  incomplete: readonly string[];
  error: Error | null;
  active: number;
  listId: string;
  onLeave: () => void;
}

/** What a search found, by kind. */
export function Hits({ hits, incomplete, error, active, listId, onLeave }: HitsProps) {
  if (error) {
    return <p className={styles.note}>The search failed: {error.message}</p>;
  }
  if (hits === undefined) {
    return (
      <p className={styles.note} role="status">
        Searching …
      </p>
    );
  }
  const kinds = [...new Set(hits.map((hit) => hit.kind))];
  return (
    <>
      {hits.length > 0 ? (
        <div id={listId} role="listbox" aria-label="What was found">
          {kinds.map((kind) => (
            // biome-ignore lint/a11y/useSemanticElements: a group of options, not of fields
            <div key={kind} role="group" aria-label={KINDS[kind]}>
              <div className={styles.kind} aria-hidden>
                {KINDS[kind]}
              </div>
              {hits.map((hit, place) =>
                hit.kind === kind ? (
                  <Link
                    key={`${hit.id} ${hit.tenant_id} ${hit.detail}`}
                    {...targetOf(hit)}
                    id={`${listId}-${place}`}
                    role="option"
                    aria-selected={place === active}
                    tabIndex={-1}
                    className={classes(styles.hit, place === active && styles.active)}
                    onClick={onLeave}
                  >
                    <Words hit={hit} />
                  </Link>
                ) : null,
              )}
            </div>
          ))}
        </div>
      ) : null}
      {hits.length === 0 ? (
        <p className={styles.note} role="status">
          Nothing has this id in the tenants that you may see. Ids need at least 8 characters of their
          beginning.
        </p>
      ) : null}
      {incomplete.length > 0 ? (
        <p className={styles.note}>Not searched, because it does not answer: {incomplete.join(", ")}.</p>
      ) : null}
    </>
  );
}

function Words({ hit }: { hit: Hit }) {
  return (
    <>
      <span className={styles.title}>{hit.title || hit.id || "API key"}</span>
      <span className={styles.detail}>
        {hit.tenant_name ?? (hit.tenant_id === null ? "Platform" : hit.tenant_id)}
        {hit.detail ? ` · ${hit.detail}` : ""}
        {hit.title && hit.id ? ` · ${hit.id}` : ""}
        {hit.time ? (
          <>
            {" · "}
            <Time at={hit.time} />
          </>
        ) : null}
      </span>
    </>
  );
}
