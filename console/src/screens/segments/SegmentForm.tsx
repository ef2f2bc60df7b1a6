import { useQuery } from "@tanstack/react-query";
import { type FormEvent, useMemo, useState } from "react";
import { Problem } from "~/api/problem";
import { Button } from "~/kit/Button";
import { ErrorNote } from "~/kit/ErrorNote";
import { TextArea, TextField } from "~/kit/Field";
import { FieldRow } from "~/kit/Form";
import { Card } from "~/kit/Page";
import { useFirstFault } from "~/kit/useFirstFault";
import { tagsQuery } from "./data";
import { GroupFields } from "./FilterFields";
import { type Filter, type Part, pathsOf, toFilter, toGroup } from "./filter";
import { LiveCount, useCount } from "./LiveCount";
import styles from "./Segments.module.css";

/** What a form of a segment holds. */
export interface Entered {
  key: string;
  name: string;
  filter: Filter;
}

interface SegmentFormProps {
  tenantId: string;
  start: Entered;
  /** It is stored, so that its key stays. */
  isStored: boolean;
  action: string;
  mayChange: boolean;
  mayCount: boolean;
  isBusy: boolean;
  error: Error | null;
  onSubmit: (entered: Entered) => void;
}

/** The name and the filter of a segment, with a live count beside it. */
export function SegmentForm(props: SegmentFormProps) {
  const { tenantId, start, isStored, action, mayChange, mayCount, isBusy, error, onSubmit } = props;
  const [entered, setEntered] = useState(start);
  const set = (change: Partial<Entered>) => setEntered((known) => ({ ...known, ...change }));
  const count = useCount({ tenantId, filter: entered.filter, mayCount });
  const faults = faultsOf(error, count.error);
  const form = useFirstFault(error, isBusy);
  const isChanged = JSON.stringify(entered) !== JSON.stringify(start);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!isBusy) {
      onSubmit(entered);
    }
  };
  return (
    <div className={styles.panes}>
      <Card title="Who is in it">
        <form ref={form} className={styles.form} onSubmit={submit} noValidate>
          <fieldset className={styles.set} disabled={!mayChange}>
            <FieldRow>
              <TextField
                label="Name"
                value={entered.name}
                maxLength={255}
                autoComplete="off"
                onChange={(event) =>
                  set({
                    name: event.target.value,
                    // Until somebody chooses another one.
                    ...(!isStored &&
                      entered.key === keyOf(entered.name) && { key: keyOf(event.target.value) }),
                  })
                }
                error={faults.get("name")}
              />
              <TextField
                label="Key"
                help={isStored ? "It stays as it is." : "How programs name it. It cannot be changed later."}
                value={entered.key}
                maxLength={64}
                autoComplete="off"
                spellCheck={false}
                disabled={isStored}
                onChange={(event) => set({ key: event.target.value })}
                error={faults.get("key")}
              />
            </FieldRow>
            <FilterForm
              tenantId={tenantId}
              filter={entered.filter}
              faults={faults}
              onChange={(filter) => set({ filter })}
            />
          </fieldset>
          {error && !(error instanceof Problem && error.fields.size > 0) ? <ErrorNote error={error} /> : null}
          {mayChange ? (
            <div>
              <Button type="submit" look="primary" isBusy={isBusy} disabled={isStored && !isChanged}>
                {action}
              </Button>
            </div>
          ) : null}
        </form>
      </Card>
      <LiveCount tenantId={tenantId} count={count} />
    </div>
  );
}

interface FilterFormProps {
  tenantId: string;
  filter: Filter;
  faults: ReadonlyMap<string, string>;
  onChange: (filter: Filter) => void;
}

function FilterForm({ tenantId, filter, faults, onChange }: FilterFormProps) {
  const tags = useQuery(tagsQuery(tenantId)).data ?? [];
  const group = useMemo(() => toGroup(filter), [filter]);
  const [isJson, setJson] = useState(group === null);
  const paths = useMemo(() => (group ? pathsOf(group) : new Map<Part, string>()), [group]);
  const faultOf = (part: Part) => {
    const path = paths.get(part);
    const found = [...faults].find(
      ([field]) =>
        field === path || field === `${path}.value` || field === `${path}.field` || field === `${path}.op`,
    );
    return found?.[1];
  };
  return (
    <>
      {isJson || group === null ? (
        <JsonFilter
          filter={filter}
          fault={[...faults].find(([field]) => field.startsWith("filter"))}
          onChange={onChange}
        />
      ) : (
        <GroupFields
          group={group}
          onChange={(changed) => onChange(toFilter(changed))}
          faultOf={faultOf}
          tags={tags.map((one) => one.tag)}
        />
      )}
      <div>
        <Button
          size="small"
          look="quiet"
          disabled={isJson && group === null}
          onClick={() => setJson(!isJson)}
        >
          {isJson ? "Edit as a form" : "Edit as JSON"}
        </Button>
      </div>
    </>
  );
}

function JsonFilter({
  filter,
  fault,
  onChange,
}: {
  filter: Filter;
  fault: readonly [string, string] | undefined;
  onChange: (filter: Filter) => void;
}) {
  const [text, setText] = useState(() => JSON.stringify(filter, null, 2));
  const [wrong, setWrong] = useState("");
  const write = (typed: string) => {
    setText(typed);
    try {
      const found: unknown = JSON.parse(typed);
      if (typeof found !== "object" || found === null || Array.isArray(found)) {
        setWrong('A filter is an object, such as {"all": []}.');
        return;
      }
      setWrong("");
      onChange(found as Filter);
    } catch (error) {
      setWrong(`It is not JSON: ${error instanceof Error ? error.message : ""}`);
    }
  };
  return (
    <TextArea
      label="Filter"
      isMono
      rows={10}
      spellCheck={false}
      value={text}
      onChange={(event) => write(event.target.value)}
      error={wrong || (fault ? `${fault[0]} ${fault[1]}` : undefined)}
    />
  );
}

/** Return what is wrong with fields: of what was saved, else of what is counted while somebody types. */
function faultsOf(...errors: readonly (Error | null)[]): ReadonlyMap<string, string> {
  const found = errors.find((one) => one instanceof Problem && one.fields.size > 0);
  return found instanceof Problem ? found.fields : new Map();
}

/** Return a key made of a name. */
function keyOf(name: string): string {
  return name
    .toLowerCase()
    .normalize("NFKD")
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^-|-$/g, "")
    .slice(0, 64);
}
